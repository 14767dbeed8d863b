// The ledger: one object that puts all changes of keys and customers in order. The Worker's main module exports it. What it
// decides is in its wasm; here are its database, its clock, its way to KV, and its alarm.
import { DurableObject } from "cloudflare:workers";
import { initSync, Ledger as Logic, __wbg_reset_state as reset } from "pointsman:ledger";
import module from "pointsman:ledger-wasm";
import { configuration } from "./configuration.js";
import { logFault, makeBackground } from "./ledger_background.js";
import { readAnswer } from "./ledger_frames.js";
import { makeInstance } from "./ledger_instance.js";
import { carryOut } from "./ledger_jobs.js";
import { makeStore } from "./ledger_kv.js";
import { answerManaged, leakedIn } from "./ledger_management.js";
import { keyListOf, settingsOf } from "./ledger_settings.js";
import { openEntries } from "./ledger_storage.js";
import { logEvent } from "./log_event.js";
import { makeVerifier } from "./scanner.js";

/** @import { Job, Report } from "./ledger_jobs.js" */
/** @import { Page } from "./ledger_kv.js" */
/** @import { Managed } from "./ledger_management.js" */
/** @import { Entries } from "./ledger_storage.js" */

const instance = makeInstance({ start: () => initSync({ module }), reset });

const RANDOM_BYTES = 48;
/** Past what the location has kept, as far as KV allows. */
const SHORTEST_CACHE_SECONDS = 30;
/** Values that one operation of KV reads. */
const READ_AT_ONCE = 100;

/**
 * What the ledger is asked, as crates/pointsman-ledger/src/wire.rs reads it.
 * @typedef {{ op: string, [member: string]: unknown }} Request
 */
/** @typedef {ReturnType<typeof readAnswer>} Answer */
/** @typedef {{ error?: string, operator?: object }} Looked */

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
  #verify = makeVerifier(() => keyListOf(configuration(), this.env));

  /**
   * @param {DurableObjectState} ctx
   * @param {Env} env
   */
  constructor(ctx, env) {
    super(ctx, env);
    this.#store = makeStore(env.POINTSMAN_KV);
    const content = {
      file: (/** @type {string} */ name) => bytesIn(this.#call({ op: "file", name })),
      tail: () => needBytes(this.#call({ op: "tail" })),
      revocations: () => needBytes(this.#call({ op: "revocations" })),
    };
    this.#background = makeBackground({
      ledger: {
        due: () => /** @type {{ jobs: Job[], next: number }} */ (jsonIn(this.#call({ op: "jobs" }))),
        done: (/** @type {Report} */ { done, bytes }) => void this.#call({ op: "done", done }, bytes),
      },
      carryOut: (/** @type {Job} */ job) => carryOut(this.#store, content, job),
      alarms: ctx.storage,
    });
  }

  /**
   * The head of the log. The platform holds the answer back until what the ledger wrote of its time is durable: an object that
   * was replaced answers nobody.
   * @param {number} [format] of heads and shards, the newest that the caller reads
   * @returns {Promise<Uint8Array>}
   */
  async poll(format) {
    const head = needBytes(await this.#callWhenOn({ op: "poll", format }));
    await this.#background.keepAwake();
    return head;
  }

  /**
   * The part of the log that begins with this revision; null where the log has none.
   * @param {number} first
   * @returns {Promise<Uint8Array | null>}
   */
  async segment(first) {
    // Before it stands whether it is whole.
    return bytesIn(this.#call({ op: "segment", first }))?.subarray(1) ?? null;
  }

  /**
   * What there is of one record, by the name of its entry in KV: a segment of the log with one change and the log's last
   * revision. Where the ledger has nothing, it reads KV: somebody may have made the entry by hand.
   * @param {string} name
   * @returns {Promise<Uint8Array>}
   */
  async ask(name) {
    const known = await this.#callWhenOn({ op: "ask", name });
    if ("bytes" in known) return known.bytes;
    if (!isToBeRead(known.json)) return needBytes(known);
    // A read does not tell when the entry ends, and a listing does: the name itself is the first with this beginning.
    const [read, listed] = await Promise.all([
      this.#store.texts([name], SHORTEST_CACHE_SECONDS),
      this.#store.list(name, undefined, 1),
    ]);
    // Where KV fails, the ledger says what it knows.
    const isRead = "result" in read && "result" in listed;
    const value = isRead ? read.result[0] : null;
    const expires = isRead ? endOf(name, listed.result) : undefined;
    return needBytes(this.#call({ op: "tookFromKv", name, value, expires }));
  }

  /**
   * The bytes of a shard or of another file of the directory; null where there is none. What was current a short time ago is
   * in KV alone.
   * @param {string} name
   * @returns {Promise<Uint8Array | null>}
   */
  async shard(name) {
    const bytes = bytesIn(this.#call({ op: "file", name }));
    if (bytes !== undefined) return bytes;
    if (!name.startsWith("directory:")) return null;
    const read = await this.#store.bytes(name, SHORTEST_CACHE_SECONDS);
    if ("failed" in read) throw new Error(`KV: ${read.failed}`);
    return read.result;
  }

  /**
   * The head with all changes that no shard holds, as it also stands in KV.
   * @returns {Promise<Uint8Array>}
   */
  async tail() {
    return needBytes(this.#call({ op: "tail" }));
  }

  /**
   * Makes edits, all or none: JSON in, JSON out. A refusal has a member `error`. KV is written behind the answer.
   * @param {string} json
   * @returns {Promise<string>}
   */
  async commit(json) {
    return this.#change("commit", json);
  }

  /**
   * Takes over differences between the config API's list and what the ledger has of it: JSON in, JSON out.
   * @param {string} json
   * @returns {Promise<string>}
   */
  async provide(json) {
    return this.#change("provide", json);
  }

  /**
   * Takes over what the config API said of customers whom somebody asked it for: JSON in, JSON out.
   * @param {string} json
   * @returns {Promise<string>}
   */
  async learn(json) {
    return this.#change("learn", json);
  }

  /**
   * A page of what the ledger has of the config API's list.
   * @param {string} behind the last key of the page before, in hexadecimal
   * @param {number} limit
   * @returns {Promise<Uint8Array>}
   */
  async provided(behind, limit) {
    return needBytes(this.#call({ op: "provided", behind, limit }));
  }

  /**
   * Takes a step of a run that hands the config API's list over: JSON in, JSON out. A refusal has a member `error`.
   * @param {string} json
   * @returns {Promise<string>}
   */
  async takeList(json) {
    return this.#change("list", json);
  }

  /**
   * The trail of who changed what, behind a change: JSON.
   * @param {number} behind
   * @param {number} limit
   * @returns {Promise<string>}
   */
  async audit(behind, limit) {
    return JSON.stringify(jsonIn(this.#call({ op: "audit", behind, limit })));
  }

  /**
   * What operators look at: a record, a page of records, or of the trail from its end. JSON in, JSON out. Of a record that the
   * ledger does not know it reads KV: somebody may have made the entry by hand.
   * @param {string} json
   * @returns {Promise<string>}
   */
  async look(json) {
    /** @type {Request} */
    const asked = JSON.parse(json);
    const looked = /** @type {Looked} */ (jsonIn(await this.#callWhenOn(asked)));
    if (asked.op !== "record" || looked.error !== undefined || looked.operator !== undefined)
      return JSON.stringify(looked);
    await this.ask(String(asked.name));
    return JSON.stringify(jsonIn(this.#call(asked)));
  }

  /**
   * How the ledger is: JSON. It lists nobody.
   * @returns {Promise<string>}
   */
  async status() {
    return JSON.stringify(jsonIn(this.#call({ op: "status" })));
  }

  /**
   * Answers a request to the management API: JSON in, JSON out, as crates/pointsman-ledger/src/api.rs has them. A root key that
   * the ledger does not know may be one that somebody put into KV a moment ago.
   * @param {string} json
   * @param {Uint8Array<ArrayBuffer>} [body] of a report that is signed, as it came
   * @returns {Promise<string>}
   */
  async manage(json, body) {
    const request = JSON.parse(json);
    const parts = {
      ask: (/** @type {object} */ asked) =>
        /** @type {Managed} */ (jsonIn(this.#call({ op: "manage", request: asked }))),
      verify: this.#verify,
      read: (/** @type {string} */ name) => this.ask(name),
      readAll: (/** @type {string[]} */ names) => this.#readAll(names),
      wake: () => this.#background.soon(),
    };
    const answer = await answerManaged(parts, request, body);
    const leaked = leakedIn(answer);
    if (leaked > 0) {
      const by = request.signer === undefined ? "a root key" : "GitHub";
      logEvent("warn", "leaked_keys", { message: `${leaked} of the texts that ${by} reported are keys` });
    }
    if (hasChanged(request.method, answer)) this.ctx.waitUntil(this.#background.soon());
    return JSON.stringify(answer);
  }

  /**
   * What operators do with the ledger itself: JSON in, JSON out.
   * @param {"acceptRemovals" | "restored" | "off" | "on"} op
   * @param {string} json
   * @returns {Promise<string>}
   */
  async act(op, json) {
    return this.#change(op, json);
  }

  /** @returns {Promise<void>} */
  async alarm() {
    await this.#background.alarm();
  }

  /**
   * Has the ledger take in what KV has under these names. Resolves to whether KV answered for all of them.
   * @param {string[]} names
   */
  async #readAll(names) {
    let isRead = true;
    for (let at = 0; at < names.length; at += READ_AT_ONCE) {
      const group = names.slice(at, at + READ_AT_ONCE);
      const read = await this.#store.texts(group, SHORTEST_CACHE_SECONDS);
      const values = "result" in read ? read.result : [];
      const taken = await Promise.all(values.map((value, index) => this.#takeIn(group[index], value)));
      isRead &&= "result" in read && taken.every(Boolean);
    }
    return isRead;
  }

  /**
   * Has the ledger take in a value that was read. Resolves to whether KV said when the entry ends.
   * @param {string} name
   * @param {string | null} value
   */
  async #takeIn(name, value) {
    if (value === null) return true;
    const listed = await this.#store.list(name, undefined, 1);
    if ("failed" in listed) return false;
    this.#call({ op: "tookFromKv", name, value, expires: endOf(name, listed.result) });
    return true;
  }

  /**
   * @param {string} op
   * @param {string} json
   */
  async #change(op, json) {
    const asked = objectIn(json);
    if (asked === undefined) return JSON.stringify({ error: "request", message: "no JSON object" });
    const answer = jsonIn(await this.#callWhenOn({ ...asked, op }));
    this.ctx.waitUntil(this.#background.soon());
    return JSON.stringify(answer);
  }

  /**
   * A ledger is off until it has looked into KV whether another one is at work, which it does when it is first called.
   * @param {Request} request
   */
  async #callWhenOn(request) {
    const answer = this.#call(request);
    if (!isOff(answer)) return answer;
    await this.#background.soon();
    return this.#call(request);
  }

  /**
   * One transaction of the ledger: all that the call writes is kept, or nothing. After an exception nothing that was held in
   * memory counts any more, and the next call begins from the database.
   * @param {Request} request
   * @param {Uint8Array} [bytes]
   * @returns {Answer}
   */
  #call(request, bytes) {
    const { storage } = this.ctx;
    try {
      this.#entries ??= openEntries(storage.sql);
      const answer = storage.transactionSync(() =>
        instance.enter((generation) =>
          this.#logic(generation).call(JSON.stringify(request), bytes, Date.now(), random()),
        ),
      );
      return readAnswer(answer);
    } catch (error) {
      this.#opened = undefined;
      logFault(request.op, error);
      throw error;
    }
  }

  /**
   * @param {number} generation
   * @returns {Logic}
   */
  #logic(generation) {
    if (this.#opened?.generation !== generation) {
      const settings = settingsOf(configuration(), this.env);
      const logic = new Logic(/** @type {Entries} */ (this.#entries), settings, Date.now(), random());
      this.#opened = { generation, logic };
    }
    return this.#opened.logic;
  }
}

const random = () => crypto.getRandomValues(new Uint8Array(RANDOM_BYTES));

/** When an entry ends, which is the first of a page if it is there. @param {string} name @param {Page} page */
const endOf = (name, { entries: [entry] }) => (entry?.name === name ? entry.expiration : undefined);

/** @param {Answer} answer */
const bytesIn = (answer) => ("bytes" in answer ? answer.bytes : undefined);

/** @param {Answer} answer */
const jsonIn = (answer) => ("json" in answer ? answer.json : undefined);

/**
 * The bytes of an answer that is some, unless the ledger refuses.
 * @param {Answer} answer
 */
function needBytes(answer) {
  if ("bytes" in answer) return answer.bytes;
  throw new Error(`the ledger refuses: ${errorIn(answer)}`);
}

/** @param {Answer} answer */
const errorIn = (answer) => /** @type {{ error?: string } | undefined} */ (jsonIn(answer))?.error;

/** @param {Answer} answer */
const isOff = (answer) => errorIn(answer)?.toLowerCase() === "off";

/** A report of which a part could not be looked up is answered with 503. @param {string} method @param {Managed} answer */
const hasChanged = (method, answer) =>
  !["GET", "HEAD"].includes(method) &&
  typeof answer === "object" &&
  ((answer.reply?.status ?? 500) < 300 || answer.reply?.status === 503);

/** @param {unknown} json */
const isToBeRead = (json) => /** @type {{ read?: string }} */ (json).read !== undefined;

/**
 * @param {string} json
 * @returns {object | undefined}
 */
function objectIn(json) {
  try {
    const value = JSON.parse(json);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
