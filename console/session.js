// Sessions are signed cookies: nothing is stored, so no isolate needs to know of another's. The key comes of the
// operator secret; a new secret ends all sessions.
import { getCookie, setCookie } from "hono/cookie";
import { base64url, digestOf } from "./encoding.js";

const HOURS = 8;
const LIFETIME = HOURS * 3600;
const NAME = "pointsman-console";
const encoder = new TextEncoder();

async function signingKey(secret) {
  const material = await crypto.subtle.importKey("raw", encoder.encode(secret), "HKDF", false, ["deriveKey"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encoder.encode("pointsman console 1") };
  return crypto.subtle.deriveKey(how, material, { name: "HMAC", hash: "SHA-256", length: 256 }, false, ["sign", "verify"]);
}

const sign = async (key, text) => base64url(new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text))));

/** Whether two texts are one, in a time that says nothing of either: their digests are compared. */
export async function isSame(a, b) {
  const [x, y] = await Promise.all([digestOf(a), digestOf(b)]);
  let difference = 0;
  for (let i = 0; i < x.length; i++) difference |= x.charCodeAt(i) ^ y.charCodeAt(i);
  return difference === 0;
}

export const isLoopback = (host) => ["127.0.0.1", "localhost", "[::1]"].includes(host);

/** How the cookie is set: browsers keep `__Host-` for https; plain http is for this machine alone. */
const cookieFor = (url) => {
  const common = { path: "/", httpOnly: true, sameSite: "Strict" };
  return url.protocol === "http:" ? [NAME, common] : [`__Host-${NAME}`, { ...common, secure: true }];
};

/** The session of a request: { id, signedIn, csrf }; a new one that is not signed in where there is none. */
export async function openSession(c, secret, now) {
  const key = await signingKey(secret);
  const [name] = cookieFor(new URL(c.req.url));
  const [kind, until, id, mac] = (getCookie(c, name) ?? "").split(".");
  const good = mac !== undefined && Number(until) > now && (await isSame(mac, await sign(key, `session.${kind}.${until}.${id}`)));
  if (!good) return begin(c, secret, now, false);
  return { id, signedIn: kind === "in", csrf: await sign(key, `csrf.${id}`) };
}

/** Begins a session and sets its cookie: a new id whenever somebody signs in or out. */
export async function begin(c, secret, now, signedIn) {
  const key = await signingKey(secret);
  const id = base64url(crypto.getRandomValues(new Uint8Array(18)));
  const until = now + LIFETIME * 1000;
  const text = `${signedIn ? "in" : "out"}.${until}.${id}`;
  const [name, options] = cookieFor(new URL(c.req.url));
  setCookie(c, name, `${text}.${await sign(key, `session.${text}`)}`, { ...options, maxAge: LIFETIME });
  return { id, signedIn, csrf: await sign(key, `csrf.${id}`) };
}
