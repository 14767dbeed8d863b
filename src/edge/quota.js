// Counts the quotas of one caller, for all isolates: a Durable Object with SQLite. The Worker's main module
// exports it. Which quotas there are, and when their windows begin, isolates say.
import { DurableObject } from "cloudflare:workers";

/** @import { Grant } from "./quota_batch.js" */
/** @import { QuotaAsk } from "./wire.js" */

/** No isolate is handed more than this part of what is left, so that little is left idle when a quota runs out. */
const LARGEST_PART = 10;

const TABLE =
  "CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, start INTEGER NOT NULL, until INTEGER NOT NULL, used INTEGER NOT NULL)";

export class Quota extends DurableObject {
  /**
   * Takes up to `want` requests out of a quota. What is granted counts as used from then on, so no isolate that ends
   * or is cut off can make more of it. Answers with how many were granted, how many are `left` for others, and when
   * the window ends. The time is the caller's: an object's own stands still in tests.
   * @param {QuotaAsk} ask
   * @param {number} want
   * @param {number} now
   * @returns {Promise<Grant>}
   */
  async take({ count, quota, window, span }, want, now) {
    const { sql } = this.ctx.storage;
    sql.exec(TABLE);
    /** @type {SqlStorageCursor<{ start: number, until: number, used: number }>} */
    const rows = sql.exec("SELECT start, until, used FROM counts WHERE name = ?", count);
    let [held] = rows.toArray();
    // A clock that is behind must not open a window again that is over: only a later one takes the place of what is.
    const isOver =
      held !== undefined && (window === undefined || window === null ? now >= held.until : window[0] > held.start);
    if (held === undefined || isOver) {
      const [start, until] = window ?? [now, now + span];
      held = { start, until, used: 0 };
    }
    const left = Math.max(quota - held.used, 0);
    const granted = Math.min(want, left, Math.max(Math.floor(left / LARGEST_PART), 1));
    // Whoever is refused again and again writes nothing.
    if (granted === 0) return { granted, left, until: held.until };
    held.used += granted;
    sql.exec(
      "INSERT OR REPLACE INTO counts (name, start, until, used) VALUES (?, ?, ?, ?)",
      count,
      held.start,
      held.until,
      held.used,
    );
    if (held.used === granted) await this.#forgetLater();
    return { granted, left: left - granted, until: held.until };
  }

  /**
   * When the last window is over, so is the need for this object.
   * @returns {Promise<void>}
   */
  async #forgetLater() {
    const last = this.#lastEnd();
    if (last !== null) await this.ctx.storage.setAlarm(last);
  }

  /** When the last window ends; null where there is none. */
  #lastEnd() {
    /** @type {SqlStorageCursor<{ last: number | null }>} */
    const found = this.ctx.storage.sql.exec("SELECT MAX(until) AS last FROM counts");
    return found.one().last;
  }

  async alarm() {
    const { sql } = this.ctx.storage;
    sql.exec(TABLE);
    sql.exec("DELETE FROM counts WHERE until <= ?", Date.now());
    const last = this.#lastEnd();
    if (last === null) await this.ctx.storage.deleteAll();
    else await this.ctx.storage.setAlarm(last);
  }
}
