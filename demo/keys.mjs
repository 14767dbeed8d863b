// API keys: `<prefix>_<random>_<checksum>`, as the gateway reads them.
import { createHash, randomInt } from "node:crypto";
import { crc32 } from "node:zlib";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_LENGTH = 24;
const CHECKSUM_LENGTH = 6;

/** The six characters that end a key: CRC-32 of what stands before the last underscore, in base 62. */
export function checksum(prefixAndRandom) {
  let rest = crc32(prefixAndRandom);
  let text = "";
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    text = BASE62[rest % 62] + text;
    rest = Math.floor(rest / 62);
  }
  return text;
}

const random = () => Array.from({ length: RANDOM_LENGTH }, () => BASE62[randomInt(62)]).join("");

/** A key of this prefix: a new one, or one with a given middle part (22 to 64 characters) for fixtures. */
export function mint(prefix, middle = random()) {
  if (!/^[0-9A-Za-z]{22,64}$/.test(middle)) throw new RangeError("the middle of a key has 22 to 64 characters of 0-9A-Za-z");
  const start = `${prefix}_${middle}`;
  return `${start}_${checksum(start)}`;
}

/** Where a key's record stands in KV: its digest, never the key. */
export const kvName = (key) => `key:${createHash("sha256").update(key).digest("hex")}`;
