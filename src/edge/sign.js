// Tells backends by a signed token who is calling. What it says is the core's; here are its times and its signature,
// and the tokens that were signed before: most requests need no signature.
import { logEvent } from "./log_event.js";
import { textCache } from "./text_cache.js";
import { decodeSigner } from "./wire.js";

/** @import { Signer } from "./wire.js" */

/**
 * What is signed with and how it is sent, as the core gave it; and the keys, once they were imported.
 * @type {Signer}
 */
let signer;
/** @type {{ algorithm: SubtleCryptoImportKeyAlgorithm, own: CryptoKey } | undefined} */
let key;

/** Signed tokens by the claims in them, each until it has half its life left. */
const signed = textCache({ entries: 2048, characters: 8 * 1024 * 1024 });

/** @param {string} signerJson */
export function installSigner(signerJson) {
  signer = decodeSigner(signerJson);
  key = undefined;
  signed.clear();
}

/**
 * Sets the field that tells a backend who is calling; false where no token can be made. `claims` is the JSON text of all
 * claims but the times.
 * @param {Headers} headers
 * @param {string} claims
 */
export async function assertCaller(headers, claims) {
  try {
    const token = signed.find(claims) ?? (await sign(claims));
    headers.set(signer.field, signer.scheme + token);
    return true;
  } catch {
    // Not even the runtime's own words: they could be about the key.
    const message = `the identity token's key ${signer?.kid} cannot sign: its public members do not belong to its d`;
    logEvent("warn", "identity_key_unusable", { message });
    return false;
  }
}

/** @param {string} claims */
async function sign(claims) {
  key ??= await importKey();
  const now = Date.now();
  const issued = Math.floor(now / 1000);
  const text = `${claims.slice(0, -1)},"iat":${issued},"exp":${issued + signer.lifetime}}`;
  const input = `${signer.header}.${base64url(new TextEncoder().encode(text))}`;
  const signature = await crypto.subtle.sign(key.algorithm, key.own, new TextEncoder().encode(input));
  const token = `${input}.${base64url(new Uint8Array(signature))}`;
  signed.keep(claims, token, issued * 1000 + signer.lifetime * 500);
  return token;
}

/**
 * Imports both halves and sees whether they belong together: else every backend would refuse every token.
 * @returns {Promise<NonNullable<typeof key>>}
 */
async function importKey() {
  const { algorithm } = signer;
  const own = await crypto.subtle.importKey("jwk", { ...signer.publicKey, d: signer.d }, algorithm, false, ["sign"]);
  const published = await crypto.subtle.importKey("jwk", signer.publicKey, algorithm, false, ["verify"]);
  const trial = new TextEncoder().encode("trial");
  const signature = await crypto.subtle.sign(algorithm, own, trial);
  if (!(await crypto.subtle.verify(algorithm, published, signature, trial))) throw new Error("no pair");
  return { algorithm, own };
}

/** @param {Uint8Array} bytes */
function base64url(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
