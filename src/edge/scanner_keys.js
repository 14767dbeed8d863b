// The public keys of GitHub's secret scanning: a list that is fetched when a signature is to be checked, and kept for an hour.
import { importPublicKey } from "./scanner_signature.js";

/** So long a list counts. A key that GitHub took off it counts no longer after. */
const KEPT_MS = 3_600_000;
/** A list that lacks a key is fetched anew so seldom: whoever makes up names of keys makes nobody fetch. */
const ANEW_MS = 60_000;
/** After a failure so much time passes before the next try. */
const AGAIN_MS = 5_000;
/** Of a longer list the rest is not read. There have been two keys for years. */
const MOST_KEYS = 32;
/** No name of a key is longer. */
const MOST_NAME = 256;

/** @typedef {Map<string, CryptoKey>} Keys */

/**
 * @template {{ url: string }} Place
 * @param {object} parts
 * @param {(place: Place) => Promise<string>} parts.fetchText gets a document; is rejected where it cannot be had
 * @param {(error: Error) => void} parts.hearFailure is told why there is no list
 * @param {() => number} [parts.clock]
 */
export function makeScannerKeys({ fetchText, hearFailure, clock = Date.now }) {
  /** @type {{ url: string, keys: Keys, at: number } | undefined} */
  let held;
  /** When the last try began that came to nothing. */
  let failedAt = Number.NEGATIVE_INFINITY;
  /** @type {Promise<void> | undefined} */
  let loading;

  /** @param {Place} place */
  async function load(place) {
    const at = clock();
    try {
      held = { url: place.url, keys: await keysIn(await fetchText(place)), at };
    } catch (error) {
      failedAt = at;
      hearFailure(/** @type {Error} */ (error));
    }
  }

  /** @param {string} url @param {number} longest */
  const isHeld = (url, longest) => held !== undefined && held.url === url && clock() - held.at < longest;

  /**
   * The key of that name: undefined where the list has none, null where there is no list.
   * @param {Place} place
   * @param {string} name
   */
  return async function find(place, name) {
    const isEnough = () => isHeld(place.url, held?.keys.has(name) ? KEPT_MS : ANEW_MS);
    if (!isEnough() && clock() - failedAt >= AGAIN_MS) {
      loading ??= load(place).finally(() => {
        loading = undefined;
      });
    }
    if (!isEnough()) await loading;
    return isEnough() ? held?.keys.get(name) : null;
  };
}

/**
 * The keys of a list that can be used. Throws where it is no list, or has none.
 * @param {string} text
 * @returns {Promise<Keys>}
 */
async function keysIn(text) {
  /** @type {Keys} */
  const keys = new Map();
  for (const { key_identifier: name, key: pem } of listIn(text).slice(0, MOST_KEYS)) {
    const key = await importPublicKey(pem);
    if (typeof name === "string" && name.length <= MOST_NAME && key !== undefined) keys.set(name, key);
  }
  if (keys.size === 0) throw new Error("the list has no key that can be used");
  return keys;
}

/**
 * @param {string} text
 * @returns {{ key_identifier?: unknown, key?: unknown }[]}
 */
function listIn(text) {
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    throw new Error("the list is no JSON");
  }
  const listed = document?.public_keys;
  return Array.isArray(listed) ? listed.filter((entry) => typeof entry === "object" && entry !== null) : [];
}
