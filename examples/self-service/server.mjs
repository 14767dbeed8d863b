// A page on which a customer lists, makes, rolls and revokes its own API keys, and the back end behind it. See README.md.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { ApiError, keysOf } from "./api.mjs";
import { page } from "./page.mjs";

/** @import { IncomingMessage, ServerResponse } from "node:http" */
/** @import { NewKey } from "./api.mjs" */

const CSS = readFileSync(new URL("page.css", import.meta.url));
const MOST_BYTES = 10_000;
const GRACE = "24h";
const DAY = 86_400_000;

const FIELDS = {
  "content-security-policy":
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
  // A key may be on it.
  "cache-control": "no-store",
};

/**
 * Who is signed in is your application's matter: here it is always the same one.
 * @param {IncomingMessage} _request
 */
export const everybodyIsAcme = (_request) => ({ customer: "acme-corp", user: "jane@acme.example" });

/**
 * @param {{ api: string, rootKeyOf: (customer: string) => string, signedIn?: typeof everybodyIsAcme }} options
 */
export function selfService({ api, rootKeyOf, signedIn = everybodyIsAcme }) {
  return createServer(async (request, response) => {
    const send = (/** @type {number} */ status, /** @type {string} */ text) =>
      response.writeHead(status, { ...FIELDS, "content-type": "text/html; charset=utf-8" }).end(text);
    try {
      if (request.url === "/page.css")
        return void response.writeHead(200, { ...FIELDS, "content-type": "text/css" }).end(CSS);
      const { customer, user } = signedIn(request);
      const keys = keysOf({ api, rootKey: rootKeyOf(customer), customer });
      const [status, shown] = await answer(request, keys, user);
      if (status === 303) return void response.writeHead(303, { ...FIELDS, location: "/" }).end();
      send(status, page({ customer, keys: await keys.list(), ...shown }));
    } catch (error) {
      // What the API said is for this program's log, and no caller's matter.
      console.error(error);
      send(502, "<!doctype html><title>Not now</title><p>Your keys cannot be shown now. Try again in a minute.</p>");
    }
  });
}

/**
 * Does what a request asks for.
 * @param {IncomingMessage} request
 * @param {ReturnType<typeof keysOf>} keys
 * @param {string} user
 * @returns {Promise<[status: number, shown?: { made?: NewKey, message?: string }]>}
 */
async function answer(request, keys, user) {
  const [, first, id, action, ...rest] = new URL(request.url ?? "/", "http://page").pathname.split("/");
  if (request.method === "GET" && first === "" && id === undefined) return [200];
  if (request.method !== "POST" || first !== "keys" || rest.length > 0)
    return [404, { message: "There is no such page." }];
  // A page of somebody else's must not send this form with the cookies of whoever is signed in.
  if (request.headers["sec-fetch-site"] !== "same-origin") return [403, { message: "Send the form from this page." }];
  const form = await formOf(request);
  if (form === undefined) return [400, { message: "The form cannot be read." }];
  const { name = "", days = "", once = "", version = "" } = form;
  try {
    if (id === undefined) return await create(keys, { name: name.trim(), days, user, once });
    if (action === "roll") return [200, { made: await keys.roll(id, { grace: GRACE, version }, once) }];
    if (action !== "revoke") return [404, { message: "There is no such page." }];
    await keys.revoke(id, version);
    return [303];
  } catch (error) {
    if (!(error instanceof ApiError) || error.status >= 500 || error.status === 401) throw error;
    if (error.status === 404) return [404, { message: "That key is not there any more." }];
    if (error.status === 412)
      return [409, { message: "Somebody has changed that key meanwhile. This is how it is now." }];
    if (error.status === 429) return [429, { message: "That was too much at once. Try again in a minute." }];
    return [422, { message: `That could not be done: ${error.message}.` }];
  }
}

/**
 * @param {ReturnType<typeof keysOf>} keys
 * @param {{ name: string, days: string, user: string, once: string }} wanted
 * @returns {Promise<[number, { made?: NewKey, message?: string }]>}
 */
async function create(keys, { name, days, user, once }) {
  if (name === "" || name.length > 60) return [422, { message: "Give the key a name of at most 60 characters." }];
  if (!["", "30", "90", "365"].includes(days)) return [422, { message: "Choose how long the key works." }];
  // By whole days: the form that is sent again says the same, and so is the same call.
  const end = Math.ceil(Date.now() / DAY) * DAY + Number(days) * DAY;
  const expiresAt = days === "" ? undefined : new Date(end).toISOString();
  return [200, { made: await keys.create({ name, user, expiresAt }, once) }];
}

/**
 * @param {IncomingMessage} request
 * @returns {Promise<Record<string, string> | undefined>}
 */
async function formOf(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString("utf8")));
}
