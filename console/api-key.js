// API keys: `<prefix>_<random>_<checksum>`, as src/authenticate/api_key.rs mints and reads them. The demo uses this too.

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM_LENGTH = 6;
const RANDOM_LENGTH = 24;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** @type {(bytes: Uint8Array) => number} */
const crc32 = (bytes) => ~bytes.reduce((crc, byte) => CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8), -1) >>> 0;

/**
 * The six characters that end a key: CRC-32 of what stands before the last underscore, in base 62.
 * @param {string} prefixAndRandom
 */
export function checksum(prefixAndRandom) {
  let rest = crc32(new TextEncoder().encode(prefixAndRandom));
  let text = "";
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    text = BASE62[rest % 62] + text;
    rest = Math.floor(rest / 62);
  }
  return text;
}

/**
 * The key with this middle part.
 * @type {(prefix: string, middle: string) => string}
 */
export const keyOf = (prefix, middle) => `${prefix}_${middle}_${checksum(`${prefix}_${middle}`)}`;

/**
 * A key made of random bytes: one digit of base 62 for each byte below 248, so that no digit is likelier than another.
 * Undefined where the bytes did not suffice.
 * @param {string} prefix
 * @param {Uint8Array} random
 */
export function mintFrom(prefix, random) {
  const digits = Array.from(random)
    .filter((byte) => byte < 248)
    .slice(0, RANDOM_LENGTH);
  return digits.length === RANDOM_LENGTH ? keyOf(prefix, digits.map((byte) => BASE62[byte % 62]).join("")) : undefined;
}

/**
 * A new key of this prefix.
 * @param {string} prefix
 * @returns {string}
 */
export function mint(prefix) {
  for (;;) {
    const key = mintFrom(prefix, crypto.getRandomValues(new Uint8Array(2 * RANDOM_LENGTH)));
    if (key) return key;
  }
}
