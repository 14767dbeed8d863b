// API keys: `<prefix>_<random>_<checksum>`, written by docs/kv-schema.md and not by the core, so that tests find out where
// the two differ.
import { createHash, randomInt } from "node:crypto";
import { crc32 } from "node:zlib";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/**
 * The six characters that end a key: CRC-32 of what stands before the last underscore, in base 62.
 * @param {string} prefixAndRandom
 */
export function checksum(prefixAndRandom) {
  const sum = crc32(prefixAndRandom);
  return Array.from({ length: 6 }, (_, i) => BASE62[Math.floor(sum / 62 ** (5 - i)) % 62]).join("");
}

const randomMiddle = () => Array.from({ length: 24 }, () => BASE62[randomInt(62)]).join("");

/**
 * A key of this prefix: a new one, or one with a given middle part (22 to 64 characters) for fixtures.
 * @param {string} prefix
 * @param {string} [middle]
 */
export function mint(prefix, middle = randomMiddle()) {
  if (!/^[0-9A-Za-z]{22,64}$/.test(middle))
    throw new RangeError("the middle of a key has 22 to 64 characters of 0-9A-Za-z");
  return `${prefix}_${middle}_${checksum(`${prefix}_${middle}`)}`;
}

/**
 * Where a key's record stands in KV: its digest, never the key.
 * @type {(key: string) => string}
 */
export const kvName = (key) => `key:${createHash("sha256").update(key).digest("hex")}`;
