// What the ledger asks of the outside: which operation of KV each of its jobs is, and how that is told.
import { split } from "./ledger_frames.js";

/** @import { Keeps, Outcome, Store } from "./ledger_kv.js" */

/** Past what the location has kept, as far as KV allows. */
const SHORTEST_CACHE_SECONDS = 30;
/** KV lists no more names at once. */
const NAMES_A_PAGE = 1000;

/**
 * What is to be done. `id` is the ledger's own, and handed back as it is.
 * @typedef {{ id: unknown } & (
 *   | { do: "put", name: string } & Keeps
 *   | { do: "delete", name: string }
 *   | { do: "texts", names: string[] }
 *   | { do: "digest", name: string }
 *   | { do: "list", prefix: string, cursor?: string, most?: number }
 * )} Task
 */

/** @typedef {{ task: Task, value: Uint8Array }} Job */

/**
 * The jobs that the ledger gives out: each is a task as JSON, and then the value that is to be written, which is empty for
 * other tasks. The values are copied: they are views of an answer that all jobs share.
 * @param {Uint8Array} bytes
 * @returns {Job[]}
 */
export function readJobs(bytes) {
  const parts = split(bytes);
  const text = new TextDecoder();
  return Array.from({ length: parts.length / 2 }, (_, index) => ({
    task: JSON.parse(text.decode(parts[index * 2])),
    value: parts[index * 2 + 1].slice(),
  }));
}

/**
 * Carries a job out, and says what came of it: JSON.
 * @param {Store} store
 * @param {Job} job
 */
export async function carryOut(store, { task, value }) {
  return JSON.stringify({ id: task.id, ...(await outcomeOf(store, task, value)) });
}

/**
 * @param {Store} store
 * @param {Task} task
 * @param {Uint8Array} value
 * @returns {Promise<Outcome<unknown>>}
 */
async function outcomeOf(store, task, value) {
  switch (task.do) {
    case "put":
      return store.put(task.name, value, keepsOf(task));
    case "delete":
      return store.delete(task.name);
    case "texts":
      return store.texts(task.names, SHORTEST_CACHE_SECONDS);
    case "digest":
      return digest(await store.bytes(task.name, SHORTEST_CACHE_SECONDS));
    case "list":
      return store.list(task.prefix, task.cursor, task.most ?? NAMES_A_PAGE);
    default:
      // A task of a later version of the ledger's wasm, which is deployed together with this module.
      return { failed: "unavailable" };
  }
}

/**
 * KV takes no empty ones.
 * @param {Keeps} task
 * @returns {Keeps}
 */
const keepsOf = ({ expiration, metadata }) => ({
  ...(expiration !== undefined && { expiration }),
  ...(metadata !== undefined && { metadata }),
});

/**
 * What was read, told by its digest in hexadecimal: WebCrypto is many times as quick as the wasm. Null for nothing.
 * @param {Outcome<Uint8Array<ArrayBuffer> | null>} read
 * @returns {Promise<Outcome<string | null>>}
 */
async function digest(read) {
  if (!("result" in read)) return read;
  if (read.result === null) return { result: null };
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", read.result));
  return { result: Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("") };
}
