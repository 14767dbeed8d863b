// What the ledger asks of the outside: which operation of KV each of its jobs is, and what it is told of that.
import { split } from "./ledger_frames.js";

/** @import { makeStore } from "./ledger_kv.js" */

/** Past what the location has kept, as far as KV allows. */
const SHORTEST_CACHE_SECONDS = 30;
/** What one page of a listing has at most. */
const PAGE = 1000;

/**
 * A job as crates/pointsman-ledger/src/jobs.rs has it; `job` says which members it has.
 * @typedef {object} Job
 * @property {"write" | "readBytes" | "readTexts" | "writeBytes" | "delete" | "list"} job
 * @property {string} name
 * @property {string | null} value
 * @property {string | null} sha256
 * @property {number | null} expiration
 * @property {number} number
 * @property {string[]} names
 * @property {string} prefix
 * @property {string | null} cursor
 * @property {Uint8Array} bytes
 */

/** @typedef {{ done: object, bytes?: Uint8Array }} Outcome */

/**
 * The jobs that the wasm hands out: for each its JSON and its bytes.
 * @param {Uint8Array} frames
 * @returns {Job[]}
 */
export function readJobs(frames) {
  const parts = split(frames);
  const jobs = [];
  for (let at = 0; at < parts.length; at += 2) {
    // Copied, since the frames may be a view of memory that moves.
    const bytes = parts[at + 1].slice();
    jobs.push({ ...JSON.parse(new TextDecoder().decode(parts[at])), bytes });
  }
  return jobs;
}

/** @type {(outcome: object) => outcome is { result: any }} */
const isWell = (outcome) => "result" in outcome;

/**
 * Does a job, and says what came of it; never rejected.
 * @param {ReturnType<typeof makeStore>} store
 * @param {Job} job
 * @returns {Promise<Outcome>}
 */
export async function carryOut(store, job) {
  switch (job.job) {
    case "write":
      return { done: { job: "write", name: job.name, number: job.number, error: await write(store, job) } };
    case "writeBytes": {
      const outcome = await store.put(job.name, job.bytes, {});
      return { done: { job: "writeBytes", name: job.name, well: isWell(outcome) } };
    }
    case "delete":
      return { done: { job: "delete", name: job.name, well: isWell(await store.delete(job.name)) } };
    case "readBytes": {
      const outcome = await store.bytes(job.name, SHORTEST_CACHE_SECONDS);
      const well = isWell(outcome);
      const bytes = well ? (outcome.result ?? undefined) : undefined;
      return { done: { job: "readBytes", name: job.name, well }, bytes };
    }
    case "readTexts": {
      const outcome = await store.texts(job.names, SHORTEST_CACHE_SECONDS);
      const texts = isWell(outcome) ? outcome.result : null;
      return { done: { job: "readTexts", names: job.names, texts } };
    }
    case "list":
      return { done: { job: "list", prefix: job.prefix, cursor: job.cursor, ...(await list(store, job)) } };
  }
}

/**
 * What went wrong with a write; null where nothing did.
 * @param {ReturnType<typeof makeStore>} store
 * @param {Job} job
 */
async function write(store, { name, value, sha256, expiration }) {
  const keeps = { ...(expiration !== null && { expiration }), ...(sha256 !== null && { metadata: { sha256 } }) };
  const outcome = await (value === null ? store.delete(name) : store.put(name, new TextEncoder().encode(value), keeps));
  return "failed" in outcome ? outcome.failed : null;
}

/**
 * @param {ReturnType<typeof makeStore>} store
 * @param {Job} job
 */
async function list(store, { prefix, cursor }) {
  const outcome = await store.list(prefix, cursor ?? undefined, PAGE);
  if (!isWell(outcome)) return { entries: null, next: null };
  /** @type {import("./ledger_kv.js").Page} */
  const page = outcome.result;
  const entries = page.entries.map(({ name, expiration, metadata }) => ({
    name,
    expiration: expiration ?? null,
    sha256: digestIn(metadata),
  }));
  return { entries, next: page.cursor ?? null };
}

/**
 * The digest that the metadata of an entry says its value has; null where it says none.
 * @param {unknown} metadata
 */
function digestIn(metadata) {
  const sha256 = /** @type {{ sha256?: unknown } | null | undefined} */ (metadata)?.sha256;
  return typeof sha256 === "string" ? sha256 : null;
}
