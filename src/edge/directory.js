// Where an isolate's copy of the directory comes from: the head of the log out of the location's cache or the ledger,
// shards out of KV. What they mean is the core's.
import { waitUntil } from "cloudflare:workers";
import { keepHead, keptHead } from "./head_cache.js";
import { keepSegment, keptSegment } from "./segment_cache.js";
import { makeFiles } from "./shard_files.js";
import { inLookUpSpan } from "./spans.js";
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

/** The newest format of heads, segments and shards that this version reads: that of the core. */
const FORMAT = 2;
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
 * A segment of the log: out of the location's cache, or else the ledger's.
 * @param {Bindings} env
 * @param {string} epoch in hexadecimal
 * @param {number} first the revision of its first change
 * @param {number} timeout
 */
export async function segment(env, epoch, first, timeout) {
  const place = { epoch, first, format: FORMAT };
  const kept = await keptSegment(env.POINTSMAN_KV, place);
  if (kept !== undefined) return kept;
  const found = await within(timeout, ledger(env).segment(first));
  if (found === null) throw new Error(`the ledger keeps the log from revision ${first} on no longer`);
  const bytes = new Uint8Array(found);
  waitUntil(keepSegment(env.POINTSMAN_KV, place, bytes));
  return bytes;
}

/**
 * What the ledger says of one record, by the name of its entry in KV.
 * @param {Bindings} env
 * @param {string} name
 * @param {number} timeout
 */
export async function askLedger(env, name, timeout) {
  const ask = () => within(timeout, ledger(env).ask(name));
  return new Uint8Array(await inLookUpSpan("cloudflare.durable_objects", name, ask));
}

/**
 * Takes a step of a run that hands the config API's list over: JSON in, JSON out.
 * @param {Bindings} env
 * @param {string} json
 * @param {number} timeout
 */
export const takeList = (env, json, timeout) => within(timeout, ledger(env).takeList(json));

/**
 * Tells the ledger what the config API said of single customers: JSON in, JSON out.
 * @param {Bindings} env
 * @param {string} json
 * @param {number} timeout
 */
export const learn = (env, json, timeout) => within(timeout, ledger(env).learn(json));

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

const files = makeFiles();

/**
 * The bytes of a shard whose digest begins with `hash`.
 * @param {Bindings} env
 * @param {string} name
 * @param {string} hash
 * @param {number} timeout
 */
export const shard = (env, name, hash, timeout) =>
  files(env.POINTSMAN_KV, (file) => ledger(env).shard(file), { name, hash, timeout });

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
