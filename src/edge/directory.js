// Where an isolate's copy of the directory comes from: the head of the log out of the location's cache or the ledger,
// shards out of KV. What they mean is the core's.
import { waitUntil } from "cloudflare:workers";
import { keepHead, keptHead } from "./head_cache.js";
import { toHex } from "./hex.js";
import { within } from "./within.js";

/** @import { Ledger } from "./ledger.js" */

/**
 * @typedef {object} Bindings
 * @property {DurableObjectNamespace<Ledger>} [LEDGER]
 * @property {KVNamespace} [POINTSMAN_KV]
 */

/**
 * @typedef {object} Head
 * @property {Uint8Array} bytes
 * @property {number} [askedAt] when the ledger was asked; missing where a cache had it
 */

/** The row format that this version reads. */
const FORMAT = 1;
/** Seconds for which a location may keep a shard, which never changes, and one that was not there when it was first read. */
const SHARD_CACHE_SECONDS = 86_400;
const SHORTEST_CACHE_SECONDS = 30;

/** The ledger's only object. */
const NAME = "ledger";

let region = "";

/**
 * Says where the ledger is made, by a location hint of the platform's; empty for near its first caller.
 * @param {string} hint
 */
export function installDirectory(hint) {
  region = hint;
}

/** @param {Bindings} env */
export const hasLedger = (env) => env.LEDGER !== undefined;

/** @param {Bindings} env */
export function ledger({ LEDGER }) {
  if (LEDGER === undefined) throw new Error("there is no Durable Object bound as LEDGER");
  const options = region === "" ? {} : { locationHint: /** @type {DurableObjectLocationHint} */ (region) };
  return LEDGER.get(LEDGER.idFromName(NAME), options);
}

/**
 * The head: one that is at most `atMost` milliseconds old out of the location's cache, or else the ledger's.
 * @param {Bindings} env
 * @param {number} atMost
 * @param {number} timeout
 * @returns {Promise<Head>}
 */
export async function head(env, atMost, timeout) {
  const kept = atMost > 0 ? await keptHead(env.POINTSMAN_KV, atMost) : undefined;
  if (kept !== undefined) return { bytes: kept };
  const askedAt = Date.now();
  const bytes = new Uint8Array(await within(timeout, ledger(env).poll(FORMAT)));
  waitUntil(keepHead(env.POINTSMAN_KV, bytes, atMost));
  return { bytes, askedAt };
}

/**
 * A segment of the log, by the revision of its first change.
 * @param {Bindings} env
 * @param {number} first
 * @param {number} timeout
 */
export async function segment(env, first, timeout) {
  const bytes = await within(timeout, ledger(env).segment(first));
  if (bytes === null) throw new Error(`the ledger keeps the log from revision ${first} on no longer`);
  return new Uint8Array(bytes);
}

/**
 * What the ledger says of one record, by the name of its entry in KV.
 * @param {Bindings} env
 * @param {string} name
 * @param {number} timeout
 */
export async function askLedger(env, name, timeout) {
  return new Uint8Array(await within(timeout, ledger(env).ask(name)));
}

/**
 * Takes a step of a run that hands the config API's list over: JSON in, JSON out.
 * @param {Bindings} env
 * @param {string} json
 * @param {number} timeout
 */
export const takeList = (env, json, timeout) => within(timeout, ledger(env).takeList(json));

/**
 * A page of what the ledger says that the config API said.
 * @param {Bindings} env
 * @param {string} behind the last key of the page before, in hexadecimal; empty for the first page
 * @param {number} limit
 * @param {number} timeout
 */
export async function provided(env, behind, limit, timeout) {
  return new Uint8Array(await within(timeout, ledger(env).provided(behind, limit)));
}

/**
 * The bytes of a shard whose digest begins with `hash`: out of KV, once more past what the location has kept, or else
 * from the ledger.
 * @param {Bindings} env
 * @param {string} name
 * @param {string} hash
 * @param {number} timeout
 */
export async function shard(env, name, hash, timeout) {
  const { POINTSMAN_KV: store } = env;
  if (store !== undefined) {
    for (const cacheTtl of [SHARD_CACHE_SECONDS, SHORTEST_CACHE_SECONDS]) {
      const value = await within(timeout, store.get(name, { type: "arrayBuffer", cacheTtl }));
      if (value !== null && (await beginsWith(value, hash))) return new Uint8Array(value);
    }
  }
  const found = await within(timeout, ledger(env).shard(name));
  const bytes = found === null ? null : new Uint8Array(found);
  if (bytes === null || !(await beginsWith(bytes, hash))) throw new Error(`${name} is not there, or is another`);
  return bytes;
}

/**
 * @param {ArrayBuffer | Uint8Array<ArrayBuffer>} value
 * @param {string} hash
 */
async function beginsWith(value, hash) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", value));
  return toHex(digest).startsWith(hash);
}

/**
 * The head that the ledger left in KV, or null.
 * @param {Bindings} env
 * @param {number} timeout
 */
export async function tail({ POINTSMAN_KV: store }, timeout) {
  if (store === undefined) return null;
  const value = await within(
    timeout,
    store.get("directory:head", { type: "arrayBuffer", cacheTtl: SHORTEST_CACHE_SECONDS }),
  );
  return value === null ? null : new Uint8Array(value);
}

/** @param {number} millis */
export const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis));
