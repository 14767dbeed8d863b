// The few calls of the runtime that are dear to make one by one from wasm, made here together.
// Nothing in this file decides anything: names are judged, URLs built and fields chosen by the core.

/** What the core says of a field name, asked once a name. */
let judge;
/** The problems for backends that do not answer, as the core words them. */
let failures;
const verdicts = new Map();
/** A flood of made-up names must not fill the memory: past these, a name is judged each time. */
const MAX_VERDICTS = 2048;
const MAX_KEPT_NAME = 64;

export function install(judgeName, failuresJson) {
  judge = judgeName;
  failures = JSON.parse(failuresJson);
  verdicts.clear();
}

/** The request's fields, a native copy without those that do not pass, and which of interest there are. */
export function survey(request) {
  const fields = request.headers;
  const headers = new Headers(fields);
  let seen = 0;
  for (const name of fields.keys()) {
    let bits = verdicts.get(name);
    if (bits === undefined) {
      bits = judge(name);
      if (verdicts.size < MAX_VERDICTS && name.length <= MAX_KEPT_NAME) verdicts.set(name, bits);
    }
    if (bits & 1) headers.delete(name);
    seen |= bits;
  }
  return { fields, headers, seen };
}

/** What the platform says of where the client is, as text; nothing where it says nothing. */
export function place(request, property) {
  const value = request.cf?.[property];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Statuses whose answers have no body (Fetch, "null body status"). */
const NULL_BODY = [204, 205, 304];

/** A client that leaves is watched for only when the answer takes longer: the watch itself is dear. */
const WATCH_AFTER = 250;

/**
 * Sends the request and returns the promise of its answer. `remove` and `set` are lines; `edits` is
 * empty where the answer is handed on as it came, which keeps the usual case free of a new Response.
 *
 * A backend that is too slow is not aborted but left behind: the runtime drops the call when the
 * answer to the client is through, and a signal for each request would be dear.
 */
export function forward(request, headers, url, remove, set, timeout, edits, line, requestId, began) {
  const sentAt = Date.now();
  let over = false;
  let timer;
  /** Ends the wait for the answer's head and writes the line; false where it was over already. */
  const end = (status, reason) => {
    if (over) return false;
    over = true;
    clearTimeout(timer);
    const now = Date.now();
    console.log(`${line}${reason},"status":${status},"duration_ms":${now - began},"backend_ms":${now - sentAt}}`);
    return true;
  };
  const fail = ({ reason, ...problem }) => {
    end(problem.status, `,"reason":"${reason}"`);
    return explain(problem, edits, requestId);
  };
  return new Promise((resolve) => {
    const expire = () => resolve(fail(failures.timeout));
    const watch = () => {
      const left = () => {
        if (end(499, ',"reason":"client_left"')) resolve(new Response(null, { status: 499 }));
      };
      if (request.signal.aborted) return left();
      request.signal.addEventListener("abort", left);
      timer = setTimeout(expire, timeout - WATCH_AFTER);
    };
    timer = timeout > WATCH_AFTER ? setTimeout(watch, WATCH_AFTER) : setTimeout(expire, timeout);
    const failed = () => resolve(fail(failures.unreachable));
    const answered = (answer) => {
      if (!isFinal(answer)) {
        answer.body?.cancel().catch(() => {});
        return failed();
      }
      // Too late: the caller was answered, and an unread body would hold a connection.
      if (over) return answer.body?.cancel().catch(() => {});
      const now = Date.now();
      const finished = finish(answer, edits, now - sentAt, now - began);
      end(answer.status, "");
      resolve(finished);
    };
    try {
      send(request, headers, url, remove, set).then(answered).catch(failed);
    } catch {
      failed();
    }
  });
}

/** Whether it is an answer at all: the runtime hands on what a backend sent, also 103, 099 and a 101 that is no WebSocket. */
function isFinal({ status, webSocket }) {
  return status === 101 ? Boolean(webSocket) : status >= 200 && status <= 999;
}

function send(request, headers, url, remove, set) {
  if (remove !== "") for (const name of remove.split("\n")) headers.delete(name);
  const fields = set.split("\n");
  for (let i = 0; i + 1 < fields.length; i += 2) headers.set(fields[i], fields[i + 1]);
  const { method, body } = request;
  // Fetch takes a body for GET and HEAD only with the Request that it came in.
  if (body !== null && (method === "GET" || method === "HEAD")) {
    return fetch(new Request(url, request), { headers, redirect: "manual" });
  }
  // Else the request itself is never the init: its `cf` would be copied along, which is dear, and its
  // `redirect` says "follow".
  return fetch(url, { method, headers, body, redirect: "manual" });
}

/** Takes off what the answer's Connection names (RFC 9110, section 7.6.1), and makes the route's edits. */
function finish(answer, edits, backendMs, totalMs) {
  const connection = answer.headers.get("connection");
  if (edits === "" && connection === null) return answer;
  // A WebSocket goes back whole; a status that no Response can be made with goes back as it is.
  if (answer.status === 101 || answer.status > 599) return answer;
  const bodiless = NULL_BODY.includes(answer.status);
  // Some backends send one all the same; no Response can be made with it.
  if (bodiless) answer.body?.cancel().catch(() => {});
  const edited = new Response(bodiless ? null : answer.body, answer);
  if (connection !== null) {
    for (const name of connection.split(",")) {
      const trimmed = name.trim();
      if (/^[\w!#$%&'*+.^`|~-]+$/.test(trimmed)) edited.headers.delete(trimmed);
    }
    edited.headers.delete("connection");
  }
  apply(edited.headers, edits);
  if (edits.startsWith("t", 2)) {
    edited.headers.append("server-timing", `gateway;dur=${totalMs - backendMs}, backend;dur=${backendMs}`);
  }
  return edited;
}

/** `edits` is three flags (replace CORS, vary, timing) and then lines of names and values. */
function apply(headers, edits) {
  if (edits === "") return;
  const lines = edits.split("\n");
  if (edits.startsWith("c")) {
    for (const name of [...headers.keys()]) if (name.startsWith("access-control-")) headers.delete(name);
  }
  if (edits.startsWith("v", 1)) headers.append("vary", "Origin");
  for (let i = 1; i + 1 < lines.length; i += 2) headers.set(lines[i], lines[i + 1]);
}

/** Made of data alone: the wasm instance that sent the request may be gone when its answer fails. */
function explain(problem, edits, requestId) {
  const headers = new Headers({
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-request-id": requestId,
  });
  apply(headers, edits);
  return new Response(JSON.stringify({ ...problem, instance: requestId }), { status: problem.status, headers });
}

/** A response of our own. `fields` are lines of names and values. */
export function answer(status, fields, body) {
  const headers = new Headers();
  const lines = fields.split("\n");
  for (let i = 0; i + 1 < lines.length; i += 2) headers.append(lines[i], lines[i + 1]);
  return new Response(body, { status, headers });
}

/** Loads under way that requests wait for: name → what to call when they end. */
const waiting = new Map();

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
      waiting.get(name)?.delete(hear);
      resolve(undefined);
    }, atMost);
    if (!waiting.has(name)) waiting.set(name, new Set());
    waiting.get(name).add(hear);
  });
}

/** Tells all who wait for the load of that name that it has ended, and whether well. */
export function land(name, well) {
  const hearers = waiting.get(name);
  waiting.delete(name);
  for (const hear of hearers ?? []) hear(well);
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
export async function getDocument(url, token, etag, timeout, maxBytes) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), timeout);
  try {
    const headers = { accept: "application/json" };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (etag !== undefined) headers["if-none-match"] = etag;
    const response = await fetch(url, { headers, redirect: "manual", signal: controller.signal });
    const { status } = response;
    if (status < 200 || status > 299) {
      await response.body?.cancel();
      return { status, body: new Uint8Array() };
    }
    return { status, body: await readAtMost(response.body, maxBytes), etag: response.headers.get("etag") ?? undefined };
  } catch (error) {
    throw new Error(controller.signal.aborted ? `no answer within ${timeout} ms` : String(error?.message ?? error));
  } finally {
    clearTimeout(timer);
  }
}

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
      throw new Error(`the answer is over ${maxBytes} bytes`);
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

/** Imported keys by thumbprint and algorithm. Plain values of the runtime: no request owns them. */
const importedKeys = new Map();
const MAX_IMPORTED_KEYS = 256;

/** true, false, or undefined where the key cannot be used. */
export async function verifySignature(id, jwkJson, algorithmJson, signature, data) {
  const algorithm = JSON.parse(algorithmJson);
  let key = importedKeys.get(id);
  if (key === undefined) {
    try {
      key = await crypto.subtle.importKey("jwk", JSON.parse(jwkJson), algorithm, false, ["verify"]);
    } catch {
      return undefined;
    }
    if (importedKeys.size >= MAX_IMPORTED_KEYS) importedKeys.clear();
    importedKeys.set(id, key);
  }
  return crypto.subtle.verify(algorithm, key, signature, new TextEncoder().encode(data));
}

export function randomBytes(length) {
  return crypto.getRandomValues(new Uint8Array(length));
}
