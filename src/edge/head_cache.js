// The head of the log in the location's cache, where all isolates of the location find it.
//
// That cache is no safe place: other Workers of the zone may be able to write there. So a head in it carries an HMAC, whose
// secret stands in KV, by epoch. What a head says of its own age counts, and never what the cache says.
import { fromHex, toHex } from "./hex.js";

const CACHE = "pointsman-directory";
const HEAD_URL = "https://directory.pointsman.invalid/head";
const MAC_FIELD = "x-pointsman-mac";
/** Where in a head its epoch stands, and when the ledger wrote it. */
const EPOCH_AT = 3;
const EPOCH_BYTES = 16;
const AS_OF_AT = 27;
/** The secret is read again no sooner, whatever heads the cache has. */
const SECRET_PAUSE = 60_000;
const SHORTEST_CACHE_SECONDS = 30;
/** A clock may be this far ahead of another; a head from later than that is no answer. */
const FUTURE = 1_000;

/**
 * @param {KVNamespace | undefined} store
 * @param {number} atMost
 */
export async function keptHead(store, atMost) {
  try {
    const cache = await caches.open(CACHE);
    const answer = await cache.match(HEAD_URL);
    if (answer === undefined) return undefined;
    const mac = fromHex(answer.headers.get(MAC_FIELD) ?? "");
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const age = Date.now() - asOf(bytes);
    if (!(age <= atMost && age >= -FUTURE)) return undefined;
    const key = await secretOf(store, epochOf(bytes));
    const isOurs = key !== undefined && (await crypto.subtle.verify("HMAC", key, mac, bytes));
    return isOurs ? bytes : undefined;
  } catch {
    // No cache here, or one that is in trouble: the ledger is asked.
    return undefined;
  }
}

/**
 * @param {KVNamespace | undefined} store
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {number} atMost
 */
export async function keepHead(store, bytes, atMost) {
  try {
    const key = await secretOf(store, epochOf(bytes));
    if (key === undefined) return;
    const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes));
    const seconds = Math.max(1, Math.ceil(atMost / 1000));
    const headers = { [MAC_FIELD]: toHex(mac), "cache-control": `max-age=${seconds}` };
    const cache = await caches.open(CACHE);
    await cache.put(HEAD_URL, new Response(bytes, { headers }));
  } catch {
    // Then each isolate of the location asks the ledger itself.
  }
}

/** @type {{ epoch: string, key: CryptoKey } | undefined} */
let secret;
let readAgainAt = 0;

/**
 * The secret of an epoch's heads; undefined where KV has none of that epoch yet.
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

/** @param {Uint8Array} bytes */
const epochOf = (bytes) => toHex(bytes.subarray(EPOCH_AT, EPOCH_AT + EPOCH_BYTES));

/** @param {Uint8Array} bytes */
const asOf = (bytes) => Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(AS_OF_AT));
