// The few calls of the runtime that are dear to make one by one from wasm, made here together.
// Nothing in this file decides anything: names are judged, URLs built and fields chosen by the core.

import { callOut, NETWORK, whyCallFailed } from "./outbound.js";

/** What the core says of a field name, asked once a name. */
let judge;
/** How many fields a request may have, and the bit that says that there are more. */
let mostFields;
let tooMany;
const verdicts = new Map();
/** A flood of made-up names must not fill the memory: past these, a name is judged each time. */
const MAX_VERDICTS = 2048;
const MAX_KEPT_NAME = 64;

export function install(judgeName, most, bit) {
  judge = judgeName;
  mostFields = most;
  tooMany = bit;
  verdicts.clear();
}

/**
 * Looks through a request once: its fields; a native copy without those that do not pass, but for some that are replaced
 * when it is sent, so that nothing may send it without `prepare` (`forward.js`); and `text`, what a decision always needs,
 * so that it crosses to the core as one: which fields of interest there are, the method, the URL, then names and values of
 * these fields. NUL parts them, which no field and no URL holds (RFC 9110, section 5.5). Of a request with too many fields
 * the rest is not looked at, and the core does not have it sent.
 */
export function survey(request) {
  const { headers: fields, method } = request;
  const headers = new Headers(fields);
  let seen = 0;
  let count = 0;
  let noted = "";
  for (const name of fields.keys()) {
    count += 1;
    if (count > mostFields) {
      seen |= tooMany;
      break;
    }
    let bits = verdicts.get(name);
    if (bits === undefined) {
      bits = judge(name);
      if (verdicts.size < MAX_VERDICTS && name.length <= MAX_KEPT_NAME) verdicts.set(name, bits);
    }
    if (bits === 0) continue;
    if (bits & 1) headers.delete(name);
    if (bits > 1) noted += `\0${name}\0${fields.get(name)}`;
    seen |= bits;
  }
  return { request, method, fields, headers, text: `${seen}\0${method}\0${request.url}${noted}` };
}

/** A field that is not in the text; several lines of one joined as Fetch does. */
export function field({ fields }, name) {
  return fields.get(name) ?? undefined;
}

/** The names of all fields, as lines. */
export function names({ fields }) {
  return [...new Set(fields.keys())].join("\n");
}

/** What the platform says of where the client is, as text; nothing where it says nothing. */
export function place({ request }, property) {
  const value = request.cf?.[property];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A response of our own. `fields` are lines of names and values. */
export function answer(status, fields, body) {
  const headers = new Headers();
  const lines = fields.split("\n");
  for (let i = 0; i + 1 < lines.length; i += 2) headers.append(lines[i], lines[i + 1]);
  return new Response(body, { status, headers });
}

/** What ends each request that waits for a future of wasm. */
const trapHearers = new Set();

// A trap ends the instance of wasm, and with it all futures that live there: nobody would ever settle their promises. Futures
// run in microtasks, so the exception goes to nobody but the runtime, which tells of it here.
globalThis.addEventListener?.("error", ({ error }) => {
  for (const hear of trapHearers) hear(error);
  trapHearers.clear();
});

/** What the promise of a future comes to, or a rejection where wasm traps before. */
export function untilTrap(promise) {
  return new Promise((resolve, reject) => {
    trapHearers.add(reject);
    const settle = (act) => (value) => {
      trapHearers.delete(reject);
      act(value);
    };
    promise.then(settle(resolve), settle(reject));
  });
}

/** Loads under way that requests wait for: name → what to call when they end, each with the time until when it waits. */
const waiting = new Map();
/** From so many names on, each new one makes those go that nobody waits for any more. */
const SWEPT_FROM = 64;

/**
 * Waits until the load of that name ends, at most `atMost` milliseconds: true, false, or undefined where nothing was
 * heard of it. The promise and its timer belong to the request that waits, and to nobody else: a promise that was made
 * in a request whose client is gone would never be settled.
 */
export function landed(name, atMost) {
  return new Promise((resolve) => {
    const hear = (well) => {
      clearTimeout(timer);
      resolve(well);
    };
    const timer = setTimeout(() => {
      forget(name, hear);
      resolve(undefined);
    }, atMost);
    if (!waiting.has(name)) {
      if (waiting.size >= SWEPT_FROM) forgetDeparted(Date.now());
      waiting.set(name, new Map());
    }
    waiting.get(name).set(hear, Date.now() + atMost);
  });
}

/** A leader that died ends nothing: the last who waited for it takes the name along. */
function forget(name, hear) {
  const hearers = waiting.get(name);
  hearers?.delete(hear);
  if (hearers?.size === 0) waiting.delete(name);
}

/** The timer of a request whose client has left never runs out. */
function forgetDeparted(now) {
  for (const [name, hearers] of waiting) {
    for (const [hear, until] of hearers) if (until < now) forget(name, hear);
  }
}

/** How many loads are waited for: what a test looks at. */
export const awaited = () => waiting.size;

/** Tells all who wait for the load of that name that it has ended, and whether well. */
export function land(name, well) {
  const hearers = waiting.get(name);
  waiting.delete(name);
  for (const hear of hearers?.keys() ?? []) hear(well);
}

/** What `promise` comes to, unless it takes longer than `timeout` milliseconds. */
async function within(timeout, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeout} ms`)), timeout);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Text of a KV entry, or null. */
export async function kvGet(store, key, cacheTtl, timeout) {
  return within(timeout, store.get(key, { type: "text", cacheTtl }));
}

/** Texts of at most 100 KV entries, read by one call. */
export async function kvGetMany(store, keysJson, cacheTtl, timeout) {
  const keys = JSON.parse(keysJson);
  const found = await within(timeout, store.get(keys, { type: "text", cacheTtl }));
  return keys.map((key) => found.get(key) ?? null);
}

/** A Worker may have six calls under way at once. */
const WRITES_AT_ONCE = 6;

/** Writes [name, text] pairs; throws where one of them failed. */
export async function kvPutMany(store, entriesJson, timeout) {
  const entries = JSON.parse(entriesJson);
  for (let at = 0; at < entries.length; at += WRITES_AT_ONCE) {
    const group = entries.slice(at, at + WRITES_AT_ONCE);
    await Promise.all(group.map(([name, text]) => within(timeout, store.put(name, text))));
  }
}

/** A document of at most `maxBytes`, within `timeout` milliseconds from first to last byte. */
export async function getDocument(url, token, etag, timeout, maxBytes, userAgent) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), timeout);
  try {
    const headers = { accept: "application/json", "user-agent": userAgent };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (etag !== undefined) headers["if-none-match"] = etag;
    const response = await callOut(NETWORK, url, { headers, signal: controller.signal });
    const { status } = response;
    if (status < 200 || status > 299) {
      await response.body?.cancel();
      return { status, body: new Uint8Array(), location: response.headers.get("location") ?? undefined };
    }
    return { status, body: await readAtMost(response.body, maxBytes), etag: response.headers.get("etag") ?? undefined };
  } catch (error) {
    if (error instanceof UnusableDocument) throw error;
    throw new Error(controller.signal.aborted ? `no answer within ${timeout} ms` : whyCallFailed(error));
  } finally {
    clearTimeout(timer);
  }
}

/** An answer that came, but is of no use; its message is ours and names nothing. */
class UnusableDocument extends Error {}

async function readAtMost(stream, maxBytes) {
  const chunks = [];
  let length = 0;
  // A fixed-size reader would block for more than there is; this one gives what came.
  const reader = stream?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) break;
    length += value.byteLength;
    if (length > maxBytes) {
      await reader.cancel();
      throw new UnusableDocument(`the answer is over ${maxBytes} bytes`);
    }
    chunks.push(value);
  }
  const body = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.byteLength;
  }
  return body;
}

/** Imported keys and their algorithms, by both. Plain values of the runtime: no request owns them. */
const importedKeys = new Map();
const MAX_IMPORTED_KEYS = 256;

/** Imports the key that `verifySignature` then knows by `id`; fails where it is none that can be used. */
export async function importKey(id, jwkJson, algorithmJson) {
  const algorithm = JSON.parse(algorithmJson);
  const key = await crypto.subtle.importKey("jwk", JSON.parse(jwkJson), algorithm, false, ["verify"]);
  // The oldest goes, and not all of them: one that a request has just imported must be there when it verifies.
  if (importedKeys.size >= MAX_IMPORTED_KEYS && !importedKeys.has(id))
    importedKeys.delete(importedKeys.keys().next().value);
  importedKeys.set(id, { key, algorithm });
}

/**
 * A promise of whether the signature is that key's, or undefined where the key was not imported. Signature and data are
 * read before it returns: they are views of wasm memory, and that may move as soon as wasm runs again.
 */
export function verifySignature(id, signature, data) {
  const imported = importedKeys.get(id);
  if (imported === undefined) return undefined;
  try {
    return crypto.subtle.verify(imported.algorithm, imported.key, signature, data);
  } catch (error) {
    // An exception that crossed wasm would end the instance, and all that it remembers.
    return Promise.reject(error);
  }
}

/** What `resume` makes of the verdict: true, false, or undefined where there is none. */
export function afterVerdict(verdict, resume) {
  return verdict.then(resume, () => resume(undefined));
}

export function randomBytes(length) {
  return crypto.getRandomValues(new Uint8Array(length));
}
