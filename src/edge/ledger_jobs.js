// What the ledger asks of the outside: which operations of KV each of its jobs is, and what it is told of their outcome.

/** @import { Outcome, Store } from "./ledger_kv.js" */

/** Past what the location has kept, as far as KV allows. */
const SHORTEST_CACHE_SECONDS = 30;
/** KV lists no more names at once. */
const NAMES_A_PAGE = 1000;

const HEAD = "directory:head";
const REVOCATIONS = "directory:revocations";
const TOUCHED = "directory:touched";

/**
 * @typedef {object} Write
 * @property {string} name
 * @property {string | null} value nothing to delete the entry
 * @property {string | null} sha256 for its metadata
 * @property {number | null} expiration
 * @property {number} number
 */

/** @typedef {{ prefix: string, cursor: string | null }} List */
/** @typedef {{ put: string } | { readBack: string } | { delete: string }} File */

/**
 * As crates/pointsman-ledger/src/jobs.rs writes it.
 * @typedef {{ write: Write } | { list: List } | { read: string[] } | { file: File }
 *   | "backup" | "readHead" | "readRevocations" | "readTouched"} Job
 */

/**
 * What came of a job, as the ledger reads it, and the bytes that were read.
 * @typedef {{ done: unknown, bytes?: Uint8Array }} Report
 */

/**
 * What a job takes from the ledger when it is carried out: bytes that are too many to stand in each job.
 * @typedef {object} Content
 * @property {(name: string) => Uint8Array | undefined} file
 * @property {() => Uint8Array} tail
 * @property {() => Uint8Array} revocations
 */

/**
 * Carries a job out. Resolves to what the ledger is to be told, or to nothing where it is not to be told: it then gives the
 * same job out again.
 * @param {Store} store
 * @param {Content} content
 * @param {Job} job
 * @returns {Promise<Report | undefined>}
 */
export async function carryOut(store, content, job) {
  if (job === "backup") return backUp(store, content);
  if (job === "readHead") return readBytes(store, HEAD, job);
  if (job === "readRevocations") return readBytes(store, REVOCATIONS, job);
  if (job === "readTouched") return readTouched(store);
  if ("write" in job) return { done: { write: await write(store, job.write) } };
  if ("list" in job) return { done: { list: { job: job.list, page: await list(store, job.list) } } };
  if ("read" in job) return { done: { read: await read(store, job.read) } };
  if ("file" in job) return { done: { file: { job: job.file, ...(await fileOutcome(store, content, job.file)) } } };
  return undefined;
}

/**
 * @param {Store} store
 * @param {Write} write
 */
async function write(store, { name, value, sha256, expiration, number }) {
  const keeps = { ...(expiration !== null && { expiration }), ...(sha256 !== null && { metadata: { sha256 } }) };
  const outcome =
    value === null ? await store.delete(name) : await store.put(name, new TextEncoder().encode(value), keeps);
  return { name, number, ...("failed" in outcome && { error: outcome.failed }) };
}

/**
 * @param {Store} store
 * @param {List} job
 */
async function list(store, { prefix, cursor }) {
  const outcome = await store.list(prefix, cursor ?? undefined, NAMES_A_PAGE);
  if ("failed" in outcome) return null;
  const keys = outcome.result.entries.map(({ name, expiration, metadata }) => ({
    name,
    expiration,
    sha256: digestIn(metadata),
  }));
  return { keys, cursor: outcome.result.cursor };
}

/**
 * The digest that metadata say. They may be whatever somebody has put there.
 * @param {unknown} metadata
 */
function digestIn(metadata) {
  const { sha256 } = /** @type {{ sha256?: unknown }} */ (Object(metadata));
  return typeof sha256 === "string" ? sha256 : undefined;
}

/**
 * @param {Store} store
 * @param {string[]} names
 */
async function read(store, names) {
  const outcome = await store.texts(names, SHORTEST_CACHE_SECONDS);
  return "failed" in outcome ? [] : names.map((name, index) => ({ name, value: outcome.result[index] }));
}

/**
 * What is read back is told by its digest: WebCrypto is many times as quick as the wasm.
 * @param {Store} store
 * @param {Content} content
 * @param {File} file
 */
async function fileOutcome(store, content, file) {
  if ("put" in file) {
    const bytes = content.file(file.put);
    return { ok: bytes !== undefined && isWell(await store.put(file.put, bytes, {})) };
  }
  if ("delete" in file) return { ok: isWell(await store.delete(file.delete)) };
  const outcome = await store.bytes(file.readBack, SHORTEST_CACHE_SECONDS);
  if ("failed" in outcome) return { ok: false };
  return { ok: true, ...(outcome.result !== null && { digest: await hexDigest(outcome.result) }) };
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
async function hexDigest(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Revocations first: whoever begins anew by a head must find what was revoked before it.
 * @param {Store} store
 * @param {Content} content
 */
async function backUp(store, content) {
  const [head, revocations] = [content.tail(), content.revocations()];
  const ok = isWell(await store.put(REVOCATIONS, revocations, {})) && isWell(await store.put(HEAD, head, {}));
  return { done: { backup: { ok } } };
}

/**
 * @param {Store} store
 * @param {string} name
 * @param {Job} job
 * @returns {Promise<Report | undefined>}
 */
async function readBytes(store, name, job) {
  const outcome = await store.bytes(name, SHORTEST_CACHE_SECONDS);
  return "failed" in outcome ? undefined : { done: job, bytes: outcome.result ?? undefined };
}

/**
 * The names that the command line says it has written: a list, as JSON.
 * @param {Store} store
 */
async function readTouched(store) {
  const outcome = await store.texts([TOUCHED], SHORTEST_CACHE_SECONDS);
  if ("failed" in outcome) return undefined;
  return { done: { readTouched: namesIn(outcome.result[0] ?? "[]") } };
}

/**
 * Whatever else stands there names nobody: it only hastens what a pass does anyway.
 * @param {string} text
 * @returns {string[]}
 */
function namesIn(text) {
  try {
    const names = JSON.parse(text);
    return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
  } catch {
    return [];
  }
}

/** @param {Outcome<unknown>} outcome */
const isWell = (outcome) => "result" in outcome;
