// Opens the secrets of customers' backends, which their records hold sealed: JWEs (RFC 7516) of `dir` and A256GCM. For whom one
// was sealed stands in its header, which the core has read and compared. That the header is true shows here.
import { logEvent } from "./log_event.js";
import { textCache } from "./text_cache.js";
import { decodeKeyRing, forEachField } from "./wire.js";

/** @import { Attempt } from "./wire.js" */

/**
 * Secrets of the Worker by the ids of the keys that are made of them.
 * @type {Record<string, string>}
 */
let ring = {};
/**
 * The keys, once they were imported.
 * @type {Map<string, CryptoKey>}
 */
const keys = new Map();

/** Opened secrets by what was sealed. */
const opened = textCache({ entries: 2048, characters: 4 * 1024 * 1024 });

/** @param {string} keyRing */
export function installSecrets(keyRing) {
  ring = decodeKeyRing(keyRing);
  keys.clear();
  opened.clear();
}

/**
 * Sets the secrets that an attempt is sent with, and answers with what takes them off again: the next attempt may go to
 * somebody else. Undefined where one cannot be opened; then nothing is set, and nothing must be sent.
 * @param {Headers} headers
 * @param {Attempt} attempt
 * @returns {Promise<(() => void) | undefined>}
 */
export async function setSecrets(headers, { origin, secrets = "" }) {
  /** @type {[name: string, sealed: string, before: string | null][]} */
  const fields = [];
  forEachField(secrets, (name, sealed) => fields.push([name, sealed, headers.get(name)]));
  const takeOff = () => {
    for (const [name, , before] of fields) before === null ? headers.delete(name) : headers.set(name, before);
  };
  for (const [name, sealed] of fields) {
    try {
      headers.set(name, await open(sealed));
    } catch (error) {
      takeOff();
      // Not the runtime's own words, which could quote the secret.
      const why = error instanceof Unusable ? error.message : "its value is none of a field";
      const message = `customer ${customerOf(sealed)}: the secret ${name} for ${origin} cannot be sent: ${why}`;
      logEvent("warn", "customer_secret_unusable", { message });
      return undefined;
    }
  }
  return takeOff;
}

/**
 * Whose a secret is by its header, which the core has read.
 * @param {string} sealed
 */
const customerOf = (sealed) => headerOf(sealed.split(".", 1)[0]).sub;

/** @param {string} encoded */
const headerOf = (encoded) => JSON.parse(new TextDecoder().decode(bytesOf(encoded)));

/** Why a secret is not sent. The message holds nothing of it. */
class Unusable extends Error {}
const notOurs = () => new Unusable("it is no JWE of dir and A256GCM");

/**
 * What was sealed (RFC 7516, section 5.2).
 * @param {string} sealed
 * @returns {Promise<string>}
 */
async function open(sealed) {
  const known = opened.find(sealed);
  if (known !== undefined) return known;
  const [header, encryptedKey, ...rest] = sealed.split(".");
  const { alg, enc, kid, zip, crit } = headerOf(header);
  if (alg !== "dir" || enc !== "A256GCM" || zip !== undefined || crit !== undefined || encryptedKey !== "")
    throw notOurs();
  const [iv, ciphertext, tag] = rest.map(bytesOf);
  // A shorter tag would be easier to guess, and a longer one takes its beginning for text.
  if (rest.length !== 3 || iv.length !== 12 || tag.length !== 16) throw notOurs();
  const key = await keyOf(String(kid));
  const algorithm = { name: "AES-GCM", iv, additionalData: new TextEncoder().encode(header) };
  const plain = await crypto.subtle.decrypt(algorithm, key, new Uint8Array([...ciphertext, ...tag])).catch(() => {
    throw new Unusable("it was changed, or sealed with another secret");
  });
  const value = new TextDecoder().decode(plain);
  opened.keep(sealed, value, Number.POSITIVE_INFINITY);
  return value;
}

/** A secret as `pointsman secret create` makes it. A word that somebody thought of could be found by trying. */
const MINTED = /^pso_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/;

/** @param {string} kid */
async function keyOf(kid) {
  const known = keys.get(kid);
  if (known !== undefined) return known;
  const secret = Object.hasOwn(ring, kid) ? ring[kid] : undefined;
  if (secret === undefined) throw new Unusable("[customers.secrets] has no key of its kid");
  if (!MINTED.test(secret)) throw new Unusable(`the secret of key ${kid} is none that pointsman secret create made`);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret));
  const key = await crypto.subtle.importKey("raw", digest, "AES-GCM", false, ["decrypt"]);
  keys.set(kid, key);
  return key;
}

/** @param {string} text */
function bytesOf(text) {
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
  } catch {
    throw notOurs();
  }
}
