// The ledger: one object that puts all changes of keys and customers in order. The Worker's main module exports it. What it
// decides is in its wasm; here are its database, its clock, its way to KV, and its alarm.
import { DurableObject } from "cloudflare:workers";
import { __wbg_reset_state as reset, initSync, Ledger as Logic } from "pointsman:ledger";
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
        done: (job, outcome) => this.#event("done", (logic, now) => logic.done(job, outcome, now)),
        nextAlarm: () => this.#event("next_alarm", (logic, now) => logic.nextAlarm(now)),
      },
      carryOut: (job) => carryOut(this.#store, job),
      alarms: ctx.storage,
    });
  }

  /**
   * The head of the log, in a format that the caller reads. The platform holds the answer back until what the ledger wrote
   * of its time is durable: an object that was replaced answers nobody.
   * @param {number} format
   * @returns {Promise<Uint8Array>}
   */
  async poll(format) {
    const head = this.#event("poll", (logic, now) => logic.poll(now, format));
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

  async commit(json) {
    const answer = this.#event("commit", (logic, now) => logic.commit(json, now));
    this.ctx.waitUntil(this.#background.soon());
    return answer;
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
