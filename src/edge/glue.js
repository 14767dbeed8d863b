// The few calls of the runtime that are dear to make one by one from wasm, made here together.
// Nothing in this file decides anything: names are judged, URLs built and fields chosen by the core.

import { finish } from "./finish.js";
import { noteColo } from "./metrics.js";
import { callOut, NETWORK, whyCallFailed } from "./outbound.js";
import { inAuthenticationSpan, inClientSpan, inLookUpSpan } from "./spans.js";
import { decodeAnswer, encodeNames, encodeNotedField, encodePrelude, forEachField } from "./wire.js";
import { within } from "./within.js";

/**
 * What came, as the edge and the core look at it.
 * @typedef {object} Incoming
 * @property {Request} request
 * @property {string} method
 * @property {Headers} fields of the request, as they came
 * @property {Headers} headers what is sent on: a copy without the fields that do not pass
 * @property {string} text the prelude
 */

/**
 * What a call of a backend is made of: what came, or the same with another body.
 * @typedef {object} Outgoing
 * @property {Request | { body: ReadableStream }} request
 * @property {string} method
 * @property {Headers} headers
 * @property {AbortSignal} [signal]
 */

/**
 * A document that was fetched. Only a status from 200 to 299 comes with a body.
 * @typedef {{ status: number, body: Uint8Array, etag?: string, location?: string }} Document
 */

/**
 * What the core says of a field name, asked once a name.
 * @type {(name: string) => number}
 */
let judge;
/**
 * How many fields a request may have, and the bit that says that there are more.
 * @type {number}
 */
let mostFields;
/** @type {number} */
let tooMany;
/** @type {Map<string, number>} */
const verdicts = new Map();
/** A flood of made-up names must not fill the memory: past these, a name is judged each time. */
const MAX_VERDICTS = 2048;
const MAX_KEPT_NAME = 64;

/**
 * @param {(name: string) => number} judgeName
 * @param {number} most
 * @param {number} bit
 */
export function install(judgeName, most, bit) {
  judge = judgeName;
  mostFields = most;
  tooMany = bit;
  verdicts.clear();
}

/**
 * Looks through a request once: its fields; a native copy without those that do not pass, but for some that are replaced
 * when it is sent, so that nothing may send it without `prepare` (`forward.js`); and `text`, what a decision always needs.
 * Of a request with too many fields the rest is not looked at, and the core does not have it sent.
 * @param {Request} request
 * @returns {Incoming}
 */
export function survey(request) {
  noteColo(request);
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
    if (bits > 1) noted += encodeNotedField(name, fields.get(name));
    seen |= bits;
  }
  return { request, method, fields, headers, text: encodePrelude(seen, method, request.url, noted) };
}

/**
 * A field that is not in the text; several lines of one joined as Fetch does.
 * @param {Incoming} incoming
 * @param {string} name
 */
export function field({ fields }, name) {
  return fields.get(name) ?? undefined;
}

/**
 * The names of all fields, as lines.
 * @param {Incoming} incoming
 */
export function names({ fields }) {
  return encodeNames(fields.keys());
}

/**
 * By the type of a value: the letter before it, in the text that `CfValue::decode` of the core reads.
 * @type {Record<string, string>}
 */
const CF_TYPES = { string: "t", number: "n", boolean: "b" };

/**
 * What the platform says of the client at a path into `request.cf`, with its type; nothing where it says nothing. The core
 * knows which type a property has, and takes no other.
 * @param {{ request: { cf?: unknown } }} incoming
 * @param {string} path
 */
export function cf({ request }, path) {
  let value = request.cf;
  for (const name of path.split(".")) value = /** @type {Record<string, unknown> | undefined} */ (value)?.[name];
  if (value === undefined || value === null || value === "") return undefined;
  const type = CF_TYPES[typeof value];
  return type === undefined ? "o" : `${type}${value}`;
}

/**
 * Ends a request with a response of our own.
 * @param {number} status
 * @param {string} text
 * @param {number} began
 */
export function answer(status, text, began) {
  const { line, reason, fields, body } = decodeAnswer(text);
  const headers = new Headers();
  forEachField(fields, (name, value) => headers.append(name, value));
  // Made before the request has ended: should that fail, its end is the outermost catch's.
  const response = new Response(body, { status, headers });
  finish({ line, began }, { status, reason });
  return response;
}

/**
 * What ends each request that waits for a future of wasm.
 * @type {Set<(error: unknown) => void>}
 */
const trapHearers = new Set();

// A trap ends the instance of wasm, and with it all futures that live there: nobody would ever settle their promises. Futures
// run in microtasks, so the exception goes to nobody but the runtime, which tells of it here.
/** @type {{ addEventListener?: (name: string, hear: (event: { error: unknown }) => void) => void }} */
const scope = /** @type {object} */ (globalThis);
scope.addEventListener?.("error", ({ error }) => {
  for (const hear of trapHearers) hear(error);
  trapHearers.clear();
});

/**
 * What the promise of a future comes to, or a rejection where wasm traps before.
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export function untilTrap(promise) {
  return new Promise((resolve, reject) => {
    trapHearers.add(reject);
    /** @type {<V>(act: (value: V) => void) => (value: V) => void} */
    const settle = (act) => (value) => {
      trapHearers.delete(reject);
      act(value);
    };
    promise.then(settle(resolve), settle(reject));
  });
}

/** @typedef {(well: boolean | undefined) => void} Hear */

/**
 * Loads under way that requests wait for: name → what to call when they end, each with the time until when it waits.
 * @type {Map<string, Map<Hear, number>>}
 */
const waiting = new Map();
/** From so many names on, each new one makes those go that nobody waits for any more. */
const SWEPT_FROM = 64;

/**
 * Waits until the load of that name ends, at most `atMost` milliseconds: true, false, or undefined where nothing was
 * heard of it. The promise and its timer belong to the request that waits, and to nobody else: a promise that was made
 * in a request whose client is gone would never be settled.
 * @param {string} name
 * @param {number} atMost
 * @returns {Promise<boolean | undefined>}
 */
export function waitForLoad(name, atMost) {
  return new Promise((resolve) => {
    /** @type {Hear} */
    const hear = (well) => {
      clearTimeout(timer);
      resolve(well);
    };
    const timer = setTimeout(() => {
      forget(name, hear);
      resolve(undefined);
    }, atMost);
    let hearers = waiting.get(name);
    if (hearers === undefined) {
      if (waiting.size >= SWEPT_FROM) forgetDeparted(Date.now());
      hearers = new Map();
      waiting.set(name, hearers);
    }
    hearers.set(hear, Date.now() + atMost);
  });
}

/**
 * A leader that died ends nothing: the last who waited for it takes the name along.
 * @param {string} name
 * @param {Hear} hear
 */
function forget(name, hear) {
  const hearers = waiting.get(name);
  hearers?.delete(hear);
  if (hearers?.size === 0) waiting.delete(name);
}

/**
 * The timer of a request whose client has left never runs out.
 * @param {number} now
 */
function forgetDeparted(now) {
  for (const [name, hearers] of waiting) {
    for (const [hear, until] of hearers) if (until < now) forget(name, hear);
  }
}

/** How many loads are waited for: what a test looks at. */
export const awaited = () => waiting.size;

/**
 * Tells all who wait for the load of that name that it has ended, and whether well.
 * @param {string} name
 * @param {boolean} well
 */
export function completeLoad(name, well) {
  const hearers = waiting.get(name);
  waiting.delete(name);
  for (const hear of hearers?.keys() ?? []) hear(well);
}

/**
 * Text of a KV entry, or null.
 * @param {KVNamespace} store
 * @param {string} key
 * @param {number} cacheTtl
 * @param {number} timeout
 */
export async function kvGet(store, key, cacheTtl, timeout) {
  return inLookUpSpan("cloudflare.kv", key, () => within(timeout, store.get(key, { type: "text", cacheTtl })));
}

/**
 * Texts of at most 100 KV entries, read by one call.
 * @param {KVNamespace} store
 * @param {string} keysJson
 * @param {number} cacheTtl
 * @param {number} timeout
 */
export async function kvGetMany(store, keysJson, cacheTtl, timeout) {
  /** @type {string[]} */
  const keys = JSON.parse(keysJson);
  const found = await inLookUpSpan("cloudflare.kv", keys[0] ?? "", () =>
    within(timeout, store.get(keys, { type: "text", cacheTtl })),
  );
  return keys.map((key) => found.get(key) ?? null);
}

/** A Worker may have six calls under way at once. */
const WRITES_AT_ONCE = 6;

/**
 * Writes [name, text] pairs; throws where one of them failed.
 * @param {KVNamespace} store
 * @param {string} entriesJson
 * @param {number} timeout
 */
export async function kvPutMany(store, entriesJson, timeout) {
  /** @type {[name: string, text: string][]} */
  const entries = JSON.parse(entriesJson);
  for (let at = 0; at < entries.length; at += WRITES_AT_ONCE) {
    const group = entries.slice(at, at + WRITES_AT_ONCE);
    await Promise.all(group.map(([name, text]) => within(timeout, store.put(name, text))));
  }
}

/**
 * A document of at most `maxBytes`, or the answer to a form, within `timeout` milliseconds from first to last byte. Of a
 * service binding, where one is named, the answer to JSON.
 * @param {string} url
 * @param {string | undefined} authorization
 * @param {string | undefined} sent
 * @param {string | undefined} etag
 * @param {number} timeout
 * @param {number} maxBytes
 * @param {string} userAgent
 * @param {Record<string, Fetcher>} [env]
 * @param {string} [binding]
 * @param {string} [requestId]
 * @returns {Promise<Document>}
 */
export async function getDocument(
  url,
  authorization,
  sent,
  etag,
  timeout,
  maxBytes,
  userAgent,
  env,
  binding,
  requestId,
) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), timeout);
  try {
    /** @type {Record<string, string>} */
    const headers = { accept: "application/json", "user-agent": userAgent };
    if (authorization !== undefined) headers.authorization = authorization;
    if (sent !== undefined) headers["content-type"] = "application/x-www-form-urlencoded";
    if (etag !== undefined) headers["if-none-match"] = etag;
    if (binding !== undefined) {
      headers["content-type"] = "application/json";
      headers["x-request-id"] = requestId ?? "";
    }
    const by = binding === undefined ? NETWORK : env?.[binding];
    if (by === undefined) throw new UnusableDocument(`there is no binding ${binding}`);
    const method = sent === undefined ? "GET" : "POST";
    const init = { method, headers, body: sent, signal: controller.signal };
    const response = await inClientSpan(method, url, undefined, () => callOut(by, url, init));
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

/**
 * @param {ReadableStream<Uint8Array> | null} stream
 * @param {number} maxBytes
 */
async function readAtMost(stream, maxBytes) {
  const chunks = [];
  let length = 0;
  // A fixed-size reader would block for more than there is; this one gives what came.
  const reader = stream?.getReader();
  while (reader !== undefined) {
    const { done, value } = await reader.read();
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

/**
 * Imported keys and their algorithms, by both. Plain values of the runtime: no request owns them.
 * @type {Map<string, { key: CryptoKey, algorithm: SubtleCryptoImportKeyAlgorithm }>}
 */
const importedKeys = new Map();
const MAX_IMPORTED_KEYS = 256;

/**
 * Imports the key that `verifySignature` then knows by `id`; fails where it is none that can be used.
 * @param {string} id
 * @param {string} jwkJson
 * @param {string} algorithmJson
 */
export async function importKey(id, jwkJson, algorithmJson) {
  const algorithm = JSON.parse(algorithmJson);
  const key = await crypto.subtle.importKey("jwk", JSON.parse(jwkJson), algorithm, false, ["verify"]);
  // The oldest goes, and not all of them: one that a request has just imported must be there when it verifies.
  if (importedKeys.size >= MAX_IMPORTED_KEYS && !importedKeys.has(id)) {
    const [oldest] = importedKeys.keys();
    importedKeys.delete(oldest);
  }
  importedKeys.set(id, { key, algorithm });
}

/**
 * A promise of whether the signature is that key's, or undefined where the key was not imported. Signature and data are
 * read before it returns: they are views of wasm memory, and that may move as soon as wasm runs again.
 * @param {string} id
 * @param {Uint8Array} signature
 * @param {Uint8Array} data
 * @returns {Promise<boolean> | undefined}
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

/**
 * What `resume` makes of the verdict: true, false, or undefined where there is none.
 * @template T
 * @param {Promise<boolean>} verdict
 * @param {(isValid: boolean | undefined) => T} resume
 */
export function afterVerdict(verdict, resume) {
  return inAuthenticationSpan(verdict).then(resume, () => resume(undefined));
}

/**
 * The same promise, of a decision that has to wait for something.
 * @template T
 * @param {Promise<T>} decided
 */
export const untilDecided = (decided) => inAuthenticationSpan(decided);

/** @param {number} length */
export function randomBytes(length) {
  return crypto.getRandomValues(new Uint8Array(length));
}
