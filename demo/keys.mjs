// API keys: `<prefix>_<random>_<checksum>`, as the gateway reads them.
import { createHash } from "node:crypto";
import { keyOf, mint as mintAtRandom } from "../console/api-key.js";

export { checksum } from "../console/api-key.js";

/**
 * A key of this prefix: a new one, or one with a given middle part (22 to 64 characters) for fixtures.
 * @param {string} prefix
 * @param {string} [middle]
 */
export function mint(prefix, middle) {
  if (middle === undefined) return mintAtRandom(prefix);
  if (!/^[0-9A-Za-z]{22,64}$/.test(middle))
    throw new RangeError("the middle of a key has 22 to 64 characters of 0-9A-Za-z");
  return keyOf(prefix, middle);
}

/**
 * Where a key's record stands in KV: its digest, never the key.
 * @type {(key: string) => string}
 */
export const kvName = (key) => `key:${createHash("sha256").update(key).digest("hex")}`;
