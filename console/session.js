// Sessions are signed cookies: nothing is stored, so no isolate needs to know of another's. The key comes of the
// sign-in secret, so a new secret ends all sessions, and only who has shown the secret is given anything signed.
import { getCookie, setCookie } from "hono/cookie";
import { base64url, digestOf } from "./encoding.js";

/** @import { CookieOptions } from "hono/utils/cookie" */
/** @import { Ctx, Session } from "./types.d.ts" */

const HOURS = 8;
const LIFETIME = HOURS * 3600;
const NAME = "pointsman-console";
const encoder = new TextEncoder();

/** @param {string} secret */
async function signingKey(secret) {
  const material = await crypto.subtle.importKey("raw", encoder.encode(secret), "HKDF", false, ["deriveKey"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encoder.encode("pointsman console 1") };
  return crypto.subtle.deriveKey(how, material, { name: "HMAC", hash: "SHA-256", length: 256 }, false, [
    "sign",
    "verify",
  ]);
}

/** @type {(key: CryptoKey, text: string) => Promise<string>} */
const sign = async (key, text) =>
  base64url(new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text))));

/**
 * Whether two texts are one, in a time that says nothing of either: their digests are compared.
 * @param {string} a
 * @param {string} b
 */
export async function isSame(a, b) {
  const [x, y] = await Promise.all([digestOf(a), digestOf(b)]);
  let difference = 0;
  for (let i = 0; i < x.length; i++) difference |= x.charCodeAt(i) ^ y.charCodeAt(i);
  return difference === 0;
}

/** @type {(host: string) => boolean} */
export const isLoopback = (host) => ["127.0.0.1", "localhost", "[::1]"].includes(host);

/**
 * How the cookie is set: browsers keep `__Host-` for https; plain http is for this machine alone.
 * @param {URL} url
 * @returns {[string, CookieOptions]}
 */
const cookieFor = (url) => {
  /** @type {CookieOptions} */
  const common = { path: "/", httpOnly: true, sameSite: "Strict" };
  return url.protocol === "http:" ? [NAME, common] : [`__Host-${NAME}`, { ...common, secure: true }];
};

/** What a stranger's cookie holds: chance, and nothing else. */
const STRANGER = /^out\.([0-9A-Za-z_-]{24})$/;

const chance = () => base64url(crypto.getRandomValues(new Uint8Array(18)));

/** @type {(c: Ctx, value: string) => void} */
const give = (c, value) => {
  const [name, options] = cookieFor(new URL(c.req.url));
  setCookie(c, name, value, { ...options, maxAge: LIFETIME });
};

/**
 * The session of a request: { signedIn, csrf }, with an id where somebody is signed in. A stranger's is made of chance
 * alone: whatever was signed with the secret's key could be used to try secrets without asking the console. The form of
 * a stranger must send what the cookie holds, which no other site can read or set.
 * @param {Ctx} c
 * @param {string} secret
 * @param {number} now
 * @returns {Promise<Session>}
 */
export async function openSession(c, secret, now) {
  const [name] = cookieFor(new URL(c.req.url));
  const cookie = getCookie(c, name) ?? "";
  const [, csrf] = STRANGER.exec(cookie) ?? [];
  if (csrf) return { signedIn: false, csrf };
  const [kind, until, id, mac, ...rest] = cookie.split(".");
  if (kind === "in" && mac !== undefined && rest.length === 0 && Number(until) > now) {
    const key = await signingKey(secret);
    if (await isSame(mac, await sign(key, `session.in.${until}.${id}`)))
      return { id, signedIn: true, csrf: await sign(key, `csrf.${id}`) };
  }
  return end(c);
}

/**
 * Begins the session of somebody who has shown the secret, with a new id each time, and sets its cookie.
 * @param {Ctx} c
 * @param {string} secret
 * @param {number} now
 */
export async function begin(c, secret, now) {
  const id = chance();
  const text = `in.${now + LIFETIME * 1000}.${id}`;
  give(c, `${text}.${await sign(await signingKey(secret), `session.${text}`)}`);
  return { id };
}

/**
 * Makes a stranger of who asks.
 * @param {Ctx} c
 * @returns {Session}
 */
export function end(c) {
  const csrf = chance();
  give(c, `out.${csrf}`);
  return { signedIn: false, csrf };
}
