// The ledger: one object that puts all changes of keys and customers in order. The Worker's main module exports it. What it
// decides is in its wasm; here are its database, its clock, its way to KV, and its alarm.
import { DurableObject } from "cloudflare:workers";
import { initSync, Ledger as Logic, __wbg_reset_state as reset } from "pointsman:ledger";
import module from "pointsman:ledger-wasm";
import { configuration } from "./configuration.js";
import { logFault, makeBackground } from "./ledger_background.js";
import { makeInstance } from "./ledger_instance.js";
import { carryOut, readJobs } from "./ledger_jobs.js";
import { makeStore } from "./ledger_kv.js";
import { settingsOf } from "./ledger_settings.js";
import { openEntries } from "./ledger_storage.js";

/** @import { Entries } from "./ledger_storage.js" */

const instance = makeInstance({ start: () => initSync({ module }), reset });

const RANDOM_BYTES = 48;
/** Past what the location has kept, as far as KV allows. */
const SHORTEST_CACHE_SECONDS = 30;
/** With what all names begin that are not records. */
const DIRECTORY = "directory:";

/**
 * @typedef {object} Env
 * @property {KVNamespace} POINTSMAN_KV
 */

export class Ledger extends DurableObject {
  /** @type {{ generation: number, logic: Logic } | undefined} */
  #opened;
  /** @type {Entries | undefined} */
  #entries;
  #store;
  #background;

  /**
   * @param {DurableObjectState} ctx
   * @param {Env} env
   */
  constructor(ctx, env) {
    super(ctx, env);
    this.#store = makeStore(env.POINTSMAN_KV);
    this.#background = makeBackground({
      ledger: {
        jobs: () => this.#event("jobs", (logic, now) => readJobs(logic.jobs(now))),
        done: (_, { done, bytes }) => this.#event("done", (logic, now) => logic.done(JSON.stringify(done), bytes, now)),
        nextAlarm: () => this.#event("next_alarm", (logic, now) => logic.nextAlarm(now)),
      },
      carryOut: (job) => carryOut(this.#store, job),
      alarms: ctx.storage,
    });
  }

  /**
   * The head of the log, in a format that the caller reads. The platform holds the answer back until what the ledger wrote
   * of its time is durable: an object that was replaced answers nobody.
   * @param {number} _format
   * @returns {Promise<Uint8Array>}
   */
  async poll(_format) {
    const head = this.#event("poll", (logic, now) => logic.poll(now));
    await this.#background.keepAwake();
    return head;
  }

  /**
   * The part of the log that begins with this revision; null where the log has none.
   * @param {number} first
   * @returns {Promise<Uint8Array | null>}
   */
  async segment(first) {
    return this.#event("segment", (logic) => logic.segment(first) ?? null);
  }

  /**
   * What there is of one record, by the name of its entry in KV: a segment of the log with the change that made it what it
   * is, or with none. Where the ledger has nothing, it reads KV: somebody may have made the entry by hand.
   * @param {string} name
   * @param {number} [revision] the last change that the caller knows
   * @returns {Promise<Uint8Array>}
   */
  async ask(name, revision = 0) {
    await this.#start();
    const known = this.#event("ask", (logic, now) => logic.ask(name, revision, now));
    if (known !== undefined) return known;
    // A read does not tell when the entry ends, and a listing does: the name itself is the first with this beginning.
    const [read, listed] = await Promise.all([
      this.#store.texts([name], SHORTEST_CACHE_SECONDS),
      this.#store.list(name, undefined, 1),
    ]);
    const isRead = "result" in read && "result" in listed;
    const value = isRead ? read.result[0] : null;
    const entry = isRead ? listed.result.entries[0] : undefined;
    const expires = entry?.name === name ? entry.expiration : undefined;
    return this.#event("ask", (logic, now) => logic.tookFromKv(name, value ?? undefined, expires, now));
  }

  /**
   * Makes edits, all or none: JSON in, JSON out. A refusal has a member `error`. KV is written behind the answer.
   * @param {string} json
   * @returns {Promise<string>}
   */
  async commit(json) {
    await this.#start();
    const answer = this.#event("commit", (logic, now) => logic.commit(json, now));
    this.ctx.waitUntil(this.#background.soon());
    return answer;
  }

  /**
   * Takes over what the config API says of customers: JSON in, JSON out, as `commit`.
   * @param {string} json
   * @returns {Promise<string>}
   */
  async provide(json) {
    await this.#start();
    const answer = this.#event("provide", (logic, now) => logic.provide(json, now));
    this.ctx.waitUntil(this.#background.soon());
    return answer;
  }

  /**
   * What the config API is known to have said, behind a record key: pairs of record key and digest, as JSON.
   * @param {string | undefined} behind
   * @param {number} limit
   * @returns {Promise<string>}
   */
  async provided(behind, limit) {
    return this.#event("provided", (logic) => logic.provided(behind, limit));
  }

  /**
   * Who changed what behind a change, as JSON.
   * @param {number} behind
   * @param {number} limit
   * @returns {Promise<string>}
   */
  async audit(behind, limit) {
    return this.#event("audit", (logic) => logic.audit(behind, limit));
  }

  /** A ledger takes no edits before it has looked at what another one left in KV. */
  async #start() {
    if (!this.#event("start", (logic) => logic.hasStarted())) await this.#background.soon();
  }

  /**
   * The bytes of a shard or of what else of the directory stands in KV, as the object's own location has it; null where it
   * is not there.
   * @param {string} name
   * @returns {Promise<Uint8Array | null>}
   */
  async shard(name) {
    if (!name.startsWith(DIRECTORY)) return null;
    const read = await this.#store.bytes(name, SHORTEST_CACHE_SECONDS);
    if (!("result" in read)) throw new Error(`KV ${read.failed}`);
    return read.result;
  }

  /**
   * How the ledger is: JSON.
   * @returns {Promise<string>}
   */
  async status() {
    return this.#event("status", (logic) => logic.status());
  }

  /** @returns {Promise<void>} */
  async alarm() {
    await this.#background.alarm();
  }

  /**
   * One transaction of the ledger: all that the call writes is kept, or nothing. After an exception nothing that was held in
   * memory counts any more, and the next call begins from the database.
   * @template Result
   * @param {string} during
   * @param {(logic: Logic, now: number) => Result} call
   * @returns {Result}
   */
  #event(during, call) {
    const { storage } = this.ctx;
    try {
      this.#entries ??= openEntries(storage.sql);
      return storage.transactionSync(() => instance.enter((generation) => call(this.#logic(generation), Date.now())));
    } catch (error) {
      this.#opened = undefined;
      logFault(during, error);
      throw error;
    }
  }

  /**
   * @param {number} generation
   * @returns {Logic}
   */
  #logic(generation) {
    if (this.#opened?.generation !== generation) {
      const random = crypto.getRandomValues(new Uint8Array(RANDOM_BYTES));
      const settings = settingsOf(configuration(), this.env);
      const logic = new Logic(/** @type {Entries} */ (this.#entries), settings, Date.now(), random);
      this.#opened = { generation, logic };
    }
    return this.#opened.logic;
  }
}
