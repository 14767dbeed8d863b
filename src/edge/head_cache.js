// The head of the log in the location's cache, where all isolates of the location find it.
import { integerAt, isKind, keepValue, keptValue } from "./location_cache.js";

/** @import { Bytes } from "./location_cache.js" */

const PATH = "/head";
const HEAD = "PH";
/** Where in a head stands when the ledger wrote it. */
const AS_OF_AT = 27;
/** A clock may be this far ahead of another; a head from later than that is no answer. */
const FUTURE = 1_000;

/**
 * A head that is at most `atMost` milliseconds old, as it says itself.
 * @param {KVNamespace | undefined} store
 * @param {number} atMost
 */
export function keptHead(store, atMost) {
  return keptValue(store, PATH, (bytes) => {
    const age = Date.now() - integerAt(bytes, AS_OF_AT);
    return isKind(bytes, HEAD) && age <= atMost && age >= -FUTURE;
  });
}

/**
 * @param {KVNamespace | undefined} store
 * @param {Bytes} bytes
 * @param {number} atMost
 */
export const keepHead = (store, bytes, atMost) => keepValue(store, PATH, bytes, Math.max(1, Math.ceil(atMost / 1000)));
