// What operators ask the ledger over HTTP. The core has compared their secret before anything here is called.
import { ledger } from "./directory.js";

/** @import { Bindings } from "./directory.js" */
/** @import { Incoming } from "./glue.js" */

/** Five hundred edits of usual length are far below this. */
const MOST_BYTES = 4 << 20;
/** Lines of the audit trail in one answer. */
const AUDIT_LINES = 1000;

/** The status of each of the ledger's refusals. */
const STATUSES = new Map([
  ["request", 400],
  ["invalid", 422],
  ["changed", 409],
  ["operationReused", 409],
  ["tooManyRevocations", 409],
  ["tooManyEdits", 413],
  ["off", 503],
]);

/**
 * What the ledger says: JSON and the status that goes with it.
 * @param {Bindings} env
 * @param {Incoming} incoming
 * @param {string} op `status`, `audit` or `commit`
 * @param {number} behind the change behind which the trail is told
 * @returns {Promise<{ status: number, text: string }>}
 */
export async function operate(env, { request }, op, behind) {
  const object = ledger(env);
  if (op === "status") return { status: 200, text: await object.status() };
  if (op === "audit") return { status: 200, text: await object.audit(behind, AUDIT_LINES) };
  const body = await readBody(request);
  if (body === undefined) return { status: 413, text: JSON.stringify({ error: "tooLarge", most_bytes: MOST_BYTES }) };
  const text = await object.commit(body);
  /** @type {{ error?: string }} */
  const { error } = JSON.parse(text);
  return { status: error === undefined ? 200 : (STATUSES.get(error) ?? 500), text };
}

/**
 * The text of a body; undefined where it is longer than any that is meant.
 * @param {Request} request
 */
async function readBody(request) {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MOST_BYTES) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
