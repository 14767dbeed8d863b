// Customers and keys of the project's files, in the KV of this machine. A gateway with a ledger is told of them as an operator
// would tell it, so that they count at once; without one they are written to KV.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { filesOf } from "./compile.mjs";
import { Failure } from "./failure.mjs";
import { ask } from "./subcommand.mjs";

/** @import { Project } from "./project.mjs" */
/** @import { Runtime } from "./runtime.mjs" */

/**
 * An entry of KV.
 * @typedef {{ key: string, value: string, metadata?: unknown }} Entry
 */

const LEDGER = "LEDGER";
const KV = "POINTSMAN_KV";
/** The ledger takes no more in one commit. */
const MOST_EDITS = 500;
/** What the folder held when it was last brought in, beside the rest of the local state. */
const NOTE = "pointsman-data.json";

/**
 * What KV should hold by the files of a folder; none where there is no such folder.
 * @param {Project} project
 * @param {string} folder
 * @returns {Promise<Entry[]>}
 */
export async function entriesOf(project, folder) {
  if (!existsSync(join(project.root, folder))) return [];
  const args = ["entries", folder, "--gateway", project.gateway, ...filesOf(project)];
  const { code, out, err } = await ask(args, { cwd: project.root });
  if (code !== 0) throw new Failure(`${folder}/ has faults`, { advice: err.trim().split("\n") });
  return JSON.parse(out);
}

/** @type {(text: string) => string} */
const digest = (text) => createHash("sha256").update(text).digest("hex");

/**
 * Brings the local KV in line with the entries: what they have is written, what they had the last time and have no more is
 * deleted, and what else stands there stays.
 * @param {Runtime} runtime
 * @param {string} persist
 * @param {Entry[]} entries
 * @returns {Promise<{ written: number, deleted: number }>}
 */
export async function bringIn(runtime, persist, entries) {
  const file = join(persist, NOTE);
  /** @type {Record<string, string>} */
  const before = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  const now = Object.fromEntries(entries.map(({ key, value }) => [key, digest(value)]));
  const changed = entries.filter(({ key }) => before[key] !== now[key]);
  const gone = Object.keys(before).filter((key) => !(key in now));
  if (changed.length + gone.length > 0) await write(runtime, changed, gone);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(now));
  return { written: changed.length, deleted: gone.length };
}

/**
 * @param {Runtime} runtime
 * @param {Entry[]} changed
 * @param {string[]} gone
 */
export async function write({ miniflare, objects }, changed, gone) {
  if (!objects.includes(LEDGER)) {
    const kv = await miniflare.getKVNamespace(KV);
    for (const { key, value, metadata } of changed) await kv.put(key, value, { metadata });
    for (const key of gone) await kv.delete(key);
    return;
  }
  const edits = [...changed.map(putOf), ...gone.map(removeOf)];
  const namespace = await miniflare.getDurableObjectNamespace(LEDGER);
  const ledger = /** @type {{ commit(json: string): Promise<string> }} */ (
    /** @type {unknown} */ (namespace.get(namespace.idFromName("ledger")))
  );
  for (let first = 0; first < edits.length; first += MOST_EDITS) {
    const part = edits.slice(first, first + MOST_EDITS);
    // The same edits twice within a day would be one, and the entry may have been changed in between.
    const operation = digest(`${Date.now()} ${JSON.stringify(part)}`).slice(0, 32);
    const answer = JSON.parse(
      await ledger.commit(JSON.stringify({ operation, actor: "pointsman start", edits: part })),
    );
    if (answer.error) throw refused(answer, part);
  }
}

/** @type {(key: string) => boolean} */
const isKey = (key) => key.startsWith("key:");
/** @type {(key: string) => string} */
const digestOf = (key) => key.slice("key:".length);
/** @type {(key: string) => string} */
const idOf = (key) => key.slice("customer:".length);

/** @type {(entry: Entry) => Record<string, unknown>} */
const putOf = ({ key, value }) =>
  isKey(key)
    ? { edit: "putKey", digest: digestOf(key), json: value }
    : { edit: "putCustomer", id: idOf(key), json: value };

/** @type {(key: string) => Record<string, unknown>} */
const removeOf = (key) =>
  isKey(key) ? { edit: "removeKey", digest: digestOf(key) } : { edit: "removeCustomer", id: idOf(key) };

/**
 * @param {{ error: string, message?: string, edit?: number, faults?: { pointer: string, message: string }[] }} answer
 * @param {Record<string, unknown>[]} edits
 */
function refused({ error, message, edit, faults = [] }, edits) {
  const at = edit === undefined ? undefined : edits[edit];
  const who = at && `${at.id ?? at.digest}`;
  return new Failure(`the ledger does not take ${who ?? "the entries"}: ${message ?? error}`, {
    advice: faults.map(({ pointer, message }) => `${pointer || "the record"} ${message}`),
  });
}
