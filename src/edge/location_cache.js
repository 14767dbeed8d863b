// What the isolates of one location leave for each other in the location's cache.
//
// That cache is no safe place: other Workers of the zone may be able to write there. So each value in it carries an HMAC,
// whose secret stands in KV, by epoch. What a value says of itself counts, and never what the cache says.
import { fromHex, toHex } from "./hex.js";

const CACHE = "pointsman-directory";
const ORIGIN = "https://directory.pointsman.invalid";
const MAC_FIELD = "x-pointsman-mac";
/** The secret is read again no sooner, whatever values the cache has. */
const SECRET_PAUSE = 60_000;
const SHORTEST_CACHE_SECONDS = 30;
/** Where in a head or a segment its epoch stands. */
const EPOCH_AT = 3;
const EPOCH_BYTES = 16;

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

/**
 * What the cache has under a path, if it is the ledger's own; undefined where there is none, no cache, or one in trouble.
 * @param {KVNamespace | undefined} store
 * @param {string} path
 * @param {(bytes: Bytes) => boolean} isWanted whether it is what the caller looks for, by what it says of itself
 */
export async function keptValue(store, path, isWanted) {
  try {
    const cache = await caches.open(CACHE);
    const answer = await cache.match(ORIGIN + path);
    if (answer === undefined) return undefined;
    const mac = fromHex(answer.headers.get(MAC_FIELD) ?? "");
    const bytes = new Uint8Array(await answer.arrayBuffer());
    if (!isWanted(bytes)) return undefined;
    const key = await secretOf(store, epochOf(bytes));
    const isOurs = key !== undefined && (await crypto.subtle.verify("HMAC", key, mac, bytes));
    return isOurs ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Leaves a value in the cache. Where that cannot be, each isolate of the location asks the ledger itself.
 * @param {KVNamespace | undefined} store
 * @param {string} path
 * @param {Bytes} bytes
 * @param {number} seconds
 */
export async function keepValue(store, path, bytes, seconds) {
  try {
    const key = await secretOf(store, epochOf(bytes));
    if (key === undefined) return;
    const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes));
    const headers = { [MAC_FIELD]: toHex(mac), "cache-control": `max-age=${seconds}` };
    const cache = await caches.open(CACHE);
    await cache.put(ORIGIN + path, new Response(bytes, { headers }));
  } catch {
    // There is no cache here.
  }
}

/** @type {{ epoch: string, key: CryptoKey } | undefined} */
let secret;
let readAgainAt = 0;

/**
 * The secret of an epoch; undefined where KV has none of that epoch yet.
 * @param {KVNamespace | undefined} store
 * @param {string} epoch
 */
async function secretOf(store, epoch) {
  if (secret?.epoch === epoch) return secret.key;
  const now = Date.now();
  if (store === undefined || now < readAgainAt) return undefined;
  readAgainAt = now + SECRET_PAUSE;
  const text = await store.get("directory:secret", { type: "text", cacheTtl: SHORTEST_CACHE_SECONDS });
  /** @type {{ epoch?: string, key?: string }} */
  const { epoch: ofEpoch, key: digits } = JSON.parse(text ?? "{}");
  if (ofEpoch !== epoch || digits === undefined) return undefined;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", fromHex(digits), algorithm, false, ["sign", "verify"]);
  secret = { epoch, key };
  return key;
}

/**
 * The epoch of a head or a segment, in hexadecimal.
 * @param {Bytes} bytes
 */
export const epochOf = (bytes) => toHex(bytes.subarray(EPOCH_AT, EPOCH_AT + EPOCH_BYTES));

/**
 * Whether bytes are of a kind, by the two letters that they begin with.
 * @param {Bytes} bytes
 * @param {string} letters
 */
export const isKind = (bytes, letters) => String.fromCharCode(...bytes.subarray(0, 2)) === letters;

/**
 * A 64-bit integer.
 * @param {Bytes} bytes
 * @param {number} at
 */
export const integerAt = (bytes, at) => Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at));
