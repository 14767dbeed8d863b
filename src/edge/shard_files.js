// Shards and other immutable files of the directory: out of KV, or, where KV has lost one, from the ledger.
import { toHex } from "./hex.js";
import { within } from "./within.js";

/** Seconds for which a location may keep a file, which never changes, and one that was not there when it was first read. */
const CACHE_SECONDS = 86_400;
const SHORTEST_CACHE_SECONDS = 30;
/** Files that an isolate takes from the ledger in a second: where KV fails everywhere, all isolates turn to the one object. */
const MOST_A_SECOND = 5;

/** @typedef {(name: string) => Promise<Uint8Array | null>} AskLedger */

/**
 * Takes files for one isolate.
 * @param {() => number} now milliseconds
 */
export function makeFiles(now = Date.now) {
  let second = 0;
  let taken = 0;

  function mayAskLedger() {
    const current = Math.floor(now() / 1000);
    if (current !== second) [second, taken] = [current, 0];
    taken += 1;
    return taken <= MOST_A_SECOND;
  }

  /**
   * The bytes of a file whose digest begins with `hash`: out of KV, once more past what the location has kept, or else from
   * the ledger.
   * @param {KVNamespace | undefined} store
   * @param {AskLedger} askLedger
   * @param {{ name: string, hash: string, timeout: number }} file
   */
  return async function file(store, askLedger, { name, hash, timeout }) {
    if (store !== undefined) {
      for (const cacheTtl of [CACHE_SECONDS, SHORTEST_CACHE_SECONDS]) {
        const value = await within(timeout, store.get(name, { type: "arrayBuffer", cacheTtl }));
        if (value !== null && (await beginsWith(value, hash))) return new Uint8Array(value);
      }
    }
    if (!mayAskLedger()) throw new Error(`${name} is not in KV, and the ledger was asked for ${MOST_A_SECOND} others`);
    const found = await within(timeout, askLedger(name));
    const bytes = found === null ? null : new Uint8Array(found);
    if (bytes === null || !(await beginsWith(bytes, hash))) throw new Error(`${name} is not there, or is another`);
    return bytes;
  };
}

/**
 * @param {ArrayBuffer | Uint8Array<ArrayBuffer>} value
 * @param {string} hash
 */
async function beginsWith(value, hash) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", value));
  return toHex(digest).startsWith(hash);
}
