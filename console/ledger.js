// The ledger by the operator's endpoint of the gateway: how it is, what it has, and changes that are made there.
import { askLedger } from "./gateway.js";
import { isObject } from "./json.js";

/** @import { Change, FindOrder, JsonObject, LookedAt, Order, Outcome, Said, Settings, TrailLine } from "./types.d.ts" */

/** The ledger did not show what it was asked for. The message is for operators. */
export class LedgerFailure extends Error {
  name = "LedgerFailure";
}

/**
 * How the ledger is: `on`, `switchedOff` by an operator, or why it cannot be used, as a sentence.
 * @param {Settings} settings
 * @returns {Promise<{ is: "on", isTakingIn: boolean } | { is: "switchedOff" } | { is: "unusable", why: string }>}
 */
export async function ledgerState(settings) {
  // A ledger that nobody has asked yet looks around when something is wanted of it, and not for its status.
  const said = await askLedger(settings, "customers&limit=1");
  if (said.status === 200 && isObject(said.json)) return { is: "on", isTakingIn: said.json.takenIn !== true };
  if (errorIn(said) !== "off") return { is: "unusable", why: silence(said) };
  const { json } = await askLedger(settings, "");
  if (!isObject(json)) return { is: "unusable", why: silence(said) };
  if (json.switchedOff === true) return { is: "switchedOff" };
  return {
    is: "unusable",
    why: `The ledger is off: ${typeof json.off === "string" ? json.off : "it does not say why"}.`,
  };
}

/** @param {Said} said */
const errorIn = (said) => (isObject(said.json) && typeof said.json.error === "string" ? said.json.error : undefined);

/**
 * What an answer says that shows nothing.
 * @param {Said} said
 */
function silence(said) {
  if (said.failed !== undefined) return "The ledger does not answer.";
  if (said.status === 401)
    return "The gateway does not take the console’s operator secret (OPERATOR_SECRET): it must be the one of [operator] in gateway.toml.";
  if (said.status === 404)
    return "The gateway has nothing at the path of [operator] ledger: deploy gateway and console with the same gateway.toml.";
  return `The ledger does not answer: the gateway says ${said.status}.`;
}

/**
 * @param {Settings} settings
 * @param {string} query
 * @returns {Promise<JsonObject>}
 */
async function look(settings, query) {
  const said = await askLedger(settings, query);
  if (said.status === 200 && isObject(said.json)) return said.json;
  throw new LedgerFailure(errorIn(said) === "off" ? "The ledger is off." : silence(said));
}

/** @type {(members: Record<string, string | number | undefined>) => string} */
const queryOf = (members) =>
  new URLSearchParams(
    Object.entries(members).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  ).toString();

/**
 * One record, by the name of its entry in KV.
 * @param {Settings} settings
 * @param {string} name
 */
export const lookAtRecord = async (settings, name) =>
  /** @type {LookedAt} */ (/** @type {unknown} */ (await look(settings, queryOf({ record: name }))));

/**
 * A page of keys or of customers.
 * @param {Settings} settings
 * @param {{ of: "keys" | "customers", customer?: string, prefix?: string, behind: string | undefined, limit: number }} order
 */
export const lookAtPage = async (settings, { of, ...order }) =>
  /** @type {{ records: LookedAt[], next?: string }} */ (
    /** @type {unknown} */ (await look(settings, `${of}&${queryOf(order)}`))
  );

/**
 * A page of what a search finds, with how many; undefined while the ledger builds the search's index.
 * @param {Settings} settings
 * @param {"id" | "subject" | "customer" | "digest"} by
 * @param {FindOrder} order
 */
export async function searchLedger(settings, by, { text, descending, offset, limit }) {
  const order = descending ? "descending" : undefined;
  const said = await askLedger(settings, queryOf({ search: by, text, order, offset, limit }));
  if (errorIn(said) === "index") return undefined;
  // A gateway of before there was a search shows its ledger's state in its place.
  if (said.status === 200 && isObject(said.json) && Array.isArray(said.json.records))
    return /** @type {{ records: LookedAt[], matching: number, total: number }} */ (/** @type {unknown} */ (said.json));
  if (said.status === 200) return undefined;
  throw new LedgerFailure(errorIn(said) === "off" ? "The ledger is off." : silence(said));
}

/**
 * A page of the audit trail, newest first.
 * @param {Settings} settings
 * @param {{ name: string | undefined, actor: string | undefined, before: string | undefined, limit: number }} order
 */
export const lookAtTrail = async (settings, order) =>
  /** @type {{ lines: TrailLine[], next?: number }} */ (
    /** @type {unknown} */ (await look(settings, `trail&${queryOf(order)}`))
  );

/** What `was` of a record is that has this version. @param {number} version */
export const wasOf = (version) => `v${version}`;

/** @param {string} was */
const versionIn = (was) => (/^v\d{1,15}$/.test(was) ? Number(was.slice(1)) : undefined);

/**
 * @param {Change} change
 * @param {string} keyBegin how names of keys begin
 * @param {string} customerBegin
 * @param {number} expected
 */
function editOf(change, keyBegin, customerBegin, expected) {
  const name = change.put ?? change.remove ?? "";
  const isKey = name.startsWith(keyBegin);
  const of = isKey ? { digest: name.slice(keyBegin.length) } : { id: name.slice(customerBegin.length) };
  const kind = isKey ? "Key" : "Customer";
  if (change.put === undefined) return { edit: `remove${kind}`, ...of, expected };
  const expires = change.keeps?.expires;
  return { edit: `put${kind}`, ...of, json: JSON.stringify(change.record), expires, expected };
}

/**
 * The body of a commit; undefined where a form was shown with the state of another store.
 * @param {Order} order
 * @param {{ key: string, customer: string }} begin how names of entries begin
 */
export function commitOf({ operation, actor, from, changes }, begin) {
  const edits = [];
  for (const change of changes) {
    const expected = change.was === "" ? 0 : versionIn(change.was);
    if (expected === undefined) return undefined;
    edits.push(editOf(change, begin.key, begin.customer, expected));
  }
  return JSON.stringify({ operation, actor, from, edits });
}

/** Calls of one commit at most: the operation's id lets it happen once. */
const TRIES = 2;

/**
 * Makes a commit. One whose answer was lost is made once more.
 * @param {Settings} settings
 * @param {string} commit
 * @returns {Promise<Outcome>}
 */
export async function sendCommit(settings, commit) {
  /** @type {Said} */
  let said = { failed: "" };
  for (let tried = 0; tried < TRIES; tried++) {
    said = await askLedger(settings, "", commit);
    if (said.status === 200 || errorIn(said) !== undefined) break;
  }
  return outcomeOf(said);
}

/**
 * @param {Said} said
 * @returns {Outcome}
 */
export function outcomeOf(said) {
  const error = errorIn(said);
  if (said.status === 200 && error === undefined) return { done: true };
  if (error === "changed") return { done: false, why: "changed" };
  if (error === "operationReused") return { done: false, why: "again" };
  if (error === "off") return { done: false, why: "refused", what: "The ledger is off, or about to be." };
  if (error === "hostTaken") return { done: false, why: "refused", what: hostTaken(said.json) };
  if (error === "invalid") return { done: false, why: "refused", what: faultsIn(said.json) };
  // Whoever was refused before the ledger was asked has changed nothing.
  const isRefused = said.status !== undefined && said.status >= 400 && said.status < 500;
  return { done: false, why: isRefused ? "refused" : "unknown", what: silence(said) };
}

/** @param {unknown} json */
function hostTaken(json) {
  const { host, customer } = /** @type {{ host?: string, customer?: string }} */ (json);
  return `${host} is a host of the customer ${customer}: take it away there first.`;
}

/** @param {unknown} json */
function faultsIn(json) {
  const { faults } = /** @type {{ faults?: { pointer: string, message: string }[] }} */ (json);
  const all = (faults ?? []).map(({ pointer, message }) => `${pointer || "the record"} ${message}`);
  return `The ledger does not take the record: ${all.join("; ")}.`;
}
