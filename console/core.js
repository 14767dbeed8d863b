// The core of the gateway, as crates/pointsman-js hands it out: records are checked here by the very code by which the
// gateway reads them and the command line writes them.
import * as core from "#pointsman-js";

/** @import { CheckedCustomer, CheckedKey } from "./types.d.ts" */

/**
 * Puts the core into service: nothing else here works before. `wasm` is its module, or the module's bytes.
 * @param {WebAssembly.Module | BufferSource} wasm
 */
export function startCore(wasm) {
  core.initSync({ module: wasm });
}

/**
 * A trap leaves an instance in the middle of something. wasm-bindgen's own way to a new one comes too late: by then a
 * call's texts stand in the old one's memory.
 * @template {unknown[]} Given
 * @template Taken
 * @param {(...given: Given) => Taken} call
 * @returns {(...given: Given) => Taken}
 */
const entering =
  (call) =>
  (...given) => {
    try {
      return call(...given);
    } catch (error) {
      core.__wbg_reset_state();
      throw error;
    }
  };

/** Whether a customer may have this id. */
export const isCustomerId = entering(core.isCustomerId);
/** Whether a text is an API key of this prefix. */
export const isKey = entering(core.isKey);
/** Whether a text is a secret that `pointsman secret create` made. One that somebody made up is found by trying words. */
export const isOperatorSecret = entering(core.isOperatorSecret);
/** The name of an API key's entry in KV. */
export const keyEntry = entering(core.keyEntry);
/** An instant of RFC 3339 in milliseconds since 1970; undefined where the text is none. */
export const millisOf = entering(core.millisOf);
/** What tells the client at this address from others. */
export const network = entering(core.network);
/** Why a text is no JSON object of which all readers see the same; undefined where it is one. */
export const objectError = entering(core.objectError);

const customerChecked = entering(core.checkCustomer);
/**
 * Checks the record of this customer. `allowHttp`: may its backends be plain http?
 * @type {(json: string, id: string, allowHttp: string) => CheckedCustomer}
 */
export const checkCustomer = (...given) => JSON.parse(customerChecked(...given));

const keyChecked = entering(core.checkKey);
/**
 * Checks the record of an API key, as of `now`. `customerClaim` says where its claims name the customer.
 * @type {(json: string, customerClaim: string, now: number) => CheckedKey}
 */
export const checkKey = (...given) => JSON.parse(keyChecked(...given));

/**
 * The SQL of a question of the metrics, and what the answer says; crates/pointsman-usage says what questions are. Those of
 * `breakdown` are along several dimensions at once.
 */
export const usageOf = {
  figures: { query: entering(core.usageQuery), read: entering(core.usageFigures) },
  breakdown: { query: entering(core.usageBreakdownQuery), read: entering(core.usageBreakdown) },
};

/** So many random bytes make a key, but for odds of one in 10^20. */
const RANDOM_BYTES = 48;
const mintOf = entering(core.mintKey);

/**
 * A new API key of this prefix.
 * @param {string} prefix
 */
export function mintKey(prefix) {
  for (;;) {
    const key = mintOf(prefix, crypto.getRandomValues(new Uint8Array(RANDOM_BYTES)));
    if (key !== undefined) return key;
  }
}

/** @type {{ key: string, customer: string, host: string, refreshedCustomer: string, refreshMembers: string[], mostBackends: number } | undefined} */
let names;
const known = () => {
  names ??= JSON.parse(core.entryNames());
  return /** @type {NonNullable<typeof names>} */ (names);
};

/**
 * The name of the entry with an operator's record of this customer. Of the beginning of an id: how such names begin.
 * @type {(id: string) => string}
 */
export const customerEntry = (id) => known().customer + id;
/**
 * The same of what the config API says.
 * @type {(id: string) => string}
 */
export const refreshedEntry = (id) => known().refreshedCustomer + id;
/**
 * The name of the entry that says whose this host is.
 * @type {(host: string) => string}
 */
export const hostEntry = (host) => known().host + host;
/**
 * What that entry says.
 * @type {(id: string) => { customerId: string }}
 */
export const pointerTo = (id) => ({ customerId: id });
/**
 * The name of the entry of a key that is known by its digest, or by the beginning of that.
 * @type {(digest: string) => string}
 */
export const entryOfDigest = (digest) => known().key + digest;
/**
 * The digest in the name of a key's entry.
 * @type {(name: string) => string}
 */
export const digestIn = (name) => name.slice(known().key.length);

/** The members that the gateway's refreshes write into a customer's record. */
export const refreshMembers = () => known().refreshMembers;
/** How many backends a customer may have. */
export const mostBackends = () => known().mostBackends;
