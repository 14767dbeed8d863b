// The signature of a report of GitHub's secret scanning: ECDSA over P-256 with SHA-256, in DER, over the body as it came.

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };
const PARAMETERS = { name: "ECDSA", hash: "SHA-256" };
/** Bytes of each of the two numbers of a signature. */
const HALF = 32;
/** No signature in base64 is longer. */
const MOST_TEXT = 128;
/** No public key of this curve is longer in PEM. */
const MOST_PEM = 1024;

const SEQUENCE = 0x30;
const INTEGER = 0x02;

/**
 * A public key out of PEM; undefined where it is none of this curve.
 * @param {unknown} pem
 */
export async function importPublicKey(pem) {
  if (typeof pem !== "string" || pem.length > MOST_PEM) return undefined;
  const [, text] = /^-----BEGIN PUBLIC KEY-----\s([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/.exec(pem) ?? [];
  const bytes = text === undefined ? undefined : bytesOf(text.replace(/\s/g, ""));
  if (bytes === undefined) return undefined;
  return crypto.subtle.importKey("spki", bytes, ALGORITHM, false, ["verify"]).catch(() => undefined);
}

/**
 * Whether the signature, in base64, is that key's over these bytes.
 * @param {CryptoKey} key
 * @param {string} signature
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
export async function isSignedBy(key, signature, bytes) {
  const der = signature.length <= MOST_TEXT ? bytesOf(signature) : undefined;
  const raw = der && rawSignature(der);
  return raw !== undefined && crypto.subtle.verify(PARAMETERS, key, raw, bytes);
}

/**
 * The two numbers of a signature one behind the other, as Web Crypto has them; undefined where the bytes are no such
 * sequence in DER.
 * @param {Uint8Array} der
 */
export function rawSignature(der) {
  // A length of one byte is enough: two numbers of at most 33 bytes each.
  if (der[0] !== SEQUENCE || der[1] !== der.length - 2) return undefined;
  const first = integerAt(der, 2);
  const second = first && integerAt(der, first.end);
  if (!first || !second || second.end !== der.length) return undefined;
  const raw = new Uint8Array(2 * HALF);
  raw.set(first.digits, HALF - first.digits.length);
  raw.set(second.digits, 2 * HALF - second.digits.length);
  return raw;
}

/**
 * A whole number that is not negative, without zeros in front: of each number DER has one spelling only.
 * @param {Uint8Array} der
 * @param {number} at
 */
function integerAt(der, at) {
  const length = der[at + 1];
  const end = at + 2 + length;
  if (der[at] !== INTEGER || !(length > 0) || end > der.length) return undefined;
  const bytes = der.subarray(at + 2, end);
  const isPadded = bytes[0] === 0;
  if (bytes[0] >= 0x80 || (isPadded && length > 1 && bytes[1] < 0x80)) return undefined;
  const digits = isPadded ? bytes.subarray(1) : bytes;
  return digits.length <= HALF ? { digits, end } : undefined;
}

/** @param {string} base64 */
function bytesOf(base64) {
  try {
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}
