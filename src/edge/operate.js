// What is asked of the ledger over HTTP: by operators, whose secret the core has compared before anything here is called, and
// by whoever has a root key, which the ledger itself looks at.
import description from "pointsman:api";
import { ledger } from "./directory.js";
import { addLastUsed, takeLastUsed } from "./last_used.js";
import { lookIn } from "./operate_look.js";

/** @import { Bindings } from "./directory.js" */
/** @import { Settings } from "./last_used.js" */
/** @import { Incoming } from "./glue.js" */
/** @import { Ledger } from "./ledger.js" */
/** @import { Managed, Reply } from "./ledger_management.js" */

/**
 * What is answered. `fields` are values of the answer's fields, a line each, in the order of `FIELDS`. Where `changed` is there,
 * the config API is asked anew for these customers, and what comes of that is the answer.
 * @typedef {{ status: number, text: string, fields: string, changed?: string }} Said
 */
/** @typedef {Parameters<Ledger["act"]>[0]} Act */

/** Five hundred edits of usual length are far below this. */
const MOST_BYTES = 4 << 20;
/** A report that shows no root key is one of a scanner, which says few words of each key. */
const MOST_SIGNED_BYTES = 1 << 20;
/** A longer body is read only when the ledger has taken the credential. */
const READ_AT_ONCE = 64 << 10;
/** In place of a body that is no UTF-8: it is no JSON either, and says why. */
const NO_TEXT = "the body is no UTF-8";
/** Lines of the audit trail in one answer. */
const AUDIT_LINES = 1000;
/** The fields that an answer may set; `src/edge/platform.rs` has the same list. */
const FIELDS = ["content-type", "etag", "location", "www-authenticate", "allow", "retry-after", "idempotent-replayed"];

/** The status of each of the ledger's refusals. */
const STATUSES = new Map([
  ["request", 400],
  ["invalid", 422],
  ["changed", 409],
  ["hostTaken", 409],
  ["operationReused", 409],
  ["tooManyRevocations", 409],
  ["revocationsAlive", 409],
  ["tooManyEdits", 413],
  ["off", 503],
  ["name", 400],
  ["cursor", 400],
  ["index", 503],
]);

/** What operators may ask for by `?do=`, and what the ledger calls it. @type {Map<string, Act>} */
const ACTIONS = new Map([
  ["accept-removals", "acceptRemovals"],
  ["restored", "restored"],
  ["off", "off"],
  ["on", "on"],
]);
const CUSTOMERS_CHANGED = "customers-changed";

/**
 * Hands a request to the ledger.
 * @param {Bindings & Settings} env
 * @param {Incoming} incoming
 * @param {string | undefined} base the path below which the management API is, where the request is for it
 * @param {string} requestId
 * @returns {Promise<Said>}
 */
export async function askOperator(env, incoming, base, requestId) {
  const object = ledger(env);
  return base === undefined ? operate(object, incoming) : manage(object, incoming, base, requestId, env);
}

/** @param {number} status @param {string} text @param {Record<string, string>} [fields] @returns {Said} */
const say = (status, text, fields = {}) => ({ status, text, fields: FIELDS.map((name) => fields[name]).join("\n") });

/** @param {number} status @param {string} message */
const unreadable = (status, message) => say(status, JSON.stringify({ error: "unreadable", message }));

/**
 * What operators do with the ledger itself.
 * @param {Pick<Ledger, "status" | "audit" | "look" | "commit" | "act">} object
 * @param {Incoming} incoming
 * @returns {Promise<Said>}
 */
export async function operate(object, incoming) {
  const { method, request } = incoming;
  const query = new URL(request.url).search.slice(1);
  const isRead = method === "GET" || method === "HEAD";
  if (isRead && query.startsWith("audit=")) {
    const behind = query.slice("audit=".length);
    if (!/^\d{1,15}$/.test(behind))
      return unreadable(400, "audit must be the number of a change, 0 for all that are kept");
    return say(200, await object.audit(Number(behind), AUDIT_LINES));
  }
  const look = isRead ? lookIn(new URLSearchParams(query)) : undefined;
  if (look?.fault !== undefined) return unreadable(400, look.fault);
  if (look !== undefined) return judged(await object.look(JSON.stringify(look)));
  if (isRead) return say(200, await object.status());
  if (method !== "POST")
    return say(405, JSON.stringify({ error: "method", message: "use GET, HEAD or POST" }), {
      allow: "GET, HEAD, POST",
    });
  const body = await bodyOf(incoming);
  if (body === undefined) return say(413, JSON.stringify({ error: "tooLarge", most_bytes: MOST_BYTES }));
  if (!query.startsWith("do=")) return judged(await object.commit(body));
  const asked = query.slice("do=".length);
  if (asked === CUSTOMERS_CHANGED) return { ...say(200, ""), changed: body };
  const act = ACTIONS.get(asked);
  if (act === undefined)
    return unreadable(400, `do must be one of ${[CUSTOMERS_CHANGED, ...ACTIONS.keys()].join(", ")}`);
  return judged(await object.act(act, body || "{}"));
}

/** What the ledger said, with the status that goes with it. @param {string} text */
function judged(text) {
  /** @type {{ error?: string }} */
  const { error } = JSON.parse(text);
  return say(error === undefined ? 200 : (STATUSES.get(error) ?? 500), text);
}

/**
 * The management API. All that decides is in the ledger's wasm.
 * @param {Pick<Ledger, "manage">} object
 * @param {Incoming} incoming
 * @param {string} base
 * @param {string} requestId
 * @param {Settings} [settings]
 * @returns {Promise<Said>}
 */
export async function manage(object, incoming, base, requestId, settings = {}) {
  const { method, request, fields } = incoming;
  const url = new URL(request.url);
  const isRead = method === "GET" || method === "HEAD";
  const path = url.pathname.slice(base.length);
  const used = isRead ? takeLastUsed(path, url.searchParams) : undefined;
  const field = (/** @type {string} */ name) => fields.get(name) ?? undefined;
  const authorization = field("authorization");
  // Beside a root key a signature counts for nothing.
  const signer = authorization === undefined ? signerIn(field) : undefined;
  const asked = {
    method,
    base,
    path,
    query: [...url.searchParams],
    fields: {
      authorization,
      contentType: field("content-type"),
      ifMatch: field("if-match"),
      ifNoneMatch: field("if-none-match"),
      idempotencyKey: field("idempotency-key"),
    },
    signer,
    address: field("cf-connecting-ip") ?? "",
    requestId,
  };
  const ask = async (/** @type {object} */ more, /** @type {Uint8Array<ArrayBuffer> | undefined} */ bytes) =>
    /** @type {Managed} */ (JSON.parse(await object.manage(JSON.stringify({ ...asked, ...more }), bytes)));
  if (used !== undefined) {
    const managed = await ask({}, undefined);
    if (typeof managed !== "object" || managed.reply === undefined) return told(managed, base);
    return told({ reply: await addLastUsed(settings, used, managed.reply, requestId) }, base);
  }
  // Of whoever shows no credential nothing is read.
  if (isRead || (authorization === undefined && signer === undefined)) return told(await ask({}, undefined), base);
  const most = signer === undefined ? MOST_BYTES : MOST_SIGNED_BYTES;
  const length = Number(field("content-length") ?? Number.NaN);
  if (request.body !== null && !(length <= READ_AT_ONCE)) {
    // To whoever may go on the ledger says that the body is too long, or that it is to be verified.
    const isAhead = !(length > most);
    const first = await ask({ isTooLarge: true, isAhead }, undefined);
    const mayGoOn = first === "verify" || (typeof first === "object" && first.reply?.status === 413);
    if (!isAhead || !mayGoOn) return told(first, base);
  }
  const bytes = await bytesOf(request, most);
  const said = { body: signer === undefined && bytes !== undefined ? textOf(bytes) : "" };
  const isTooLarge = bytes === undefined;
  return told(await ask({ ...said, isTooLarge }, signer === undefined ? undefined : bytes), base);
}

/**
 * Who says to have signed the body.
 * @param {(name: string) => string | undefined} field
 */
function signerIn(field) {
  const [key, signature] = [field("github-public-key-identifier"), field("github-public-key-signature")];
  return key === undefined || signature === undefined ? undefined : { key, signature };
}

/**
 * What the ledger answers to a request to the management API.
 * @param {Managed} managed
 * @param {string} base
 * @returns {Said}
 */
function told(managed, base) {
  if (managed === "description")
    return say(200, description.replace(/"url": ?"[^"]*"/, `"url":${JSON.stringify(base)}`));
  const { reply, changed } = /** @type {{ reply?: Reply, changed?: string[] }} */ (managed);
  if (changed !== undefined) return { ...say(200, ""), changed: JSON.stringify({ customers: changed }) };
  const { status, fields: own, body: document } = /** @type {Reply} */ (reply);
  const type = status < 400 ? "application/json" : "application/problem+json";
  return say(status, JSON.stringify(document), { "content-type": type, ...Object.fromEntries(own) });
}

/**
 * The text of a request's body; undefined where it is longer than any that is meant.
 * @param {Incoming} incoming
 */
async function bodyOf({ request }) {
  const bytes = await bytesOf(request, MOST_BYTES);
  return bytes && textOf(bytes);
}

/**
 * What is no UTF-8 is not repaired: somebody would else be stored under another name.
 * @param {Uint8Array} bytes
 */
function textOf(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return NO_TEXT;
  }
}

/**
 * The bytes of a request's body; undefined where there are more than `most`.
 * @param {Request} request
 * @param {number} most
 */
async function bytesOf({ body }, most) {
  const chunks = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.byteLength;
    if (length > most) return undefined;
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
