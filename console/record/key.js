// Key records, as src/authenticate/api_key.rs reads them (docs/kv-schema.md).
import { checker } from "./checks.js";
import { instantOf } from "./instant.js";
import { isObject } from "./json.js";

/** @import { JsonObject, KeyRecord } from "../types.d.ts" */

export const PREFIX = "key:";
const MEMBERS = ["subject", "claims", "expiresAt", "disabled", "allowedIps", "methods", "name", "createdAt"];

/**
 * All that is wrong with a key's record: [{ at, what }].
 * @param {JsonObject} record
 */
export function faultsOfKey(record) {
  const check = checker(record, MEMBERS);
  if (typeof record.subject !== "string") check.fault("/subject", "must be a text");
  else if (record.subject === "") check.fault("/subject", "must not be empty");
  check.optional("claims", isObject, "must be a JSON object");
  for (const name of ["createdAt", "expiresAt"])
    check.instant(name, "must be an RFC 3339 instant such as 2026-12-31T23:59:59Z");
  check.flag("disabled");
  check.ranges();
  check.methods();
  check.text("name");
  return check.faults;
}

/**
 * "on", "disabled" or "expired", as the gateway would judge a good record now.
 * @param {KeyRecord} record
 * @param {number} now
 */
export function stateOfKey(record, now) {
  if (record.disabled) return "disabled";
  const end = record.expiresAt ? instantOf(record.expiresAt) : undefined;
  return end !== undefined && now >= end ? "expired" : "on";
}

/**
 * What stands at a claim's name, or at a JSON Pointer into the claims; undefined where nothing does.
 * @param {unknown} claims
 * @param {string} path
 * @returns {unknown}
 */
export function claimAt(claims, path) {
  const steps = path.startsWith("/")
    ? path
        .slice(1)
        .split("/")
        .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))
    : [path];
  let value = claims;
  for (const step of steps) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = /** @type {JsonObject} */ (value)[step];
  }
  return value;
}

/**
 * The end that an old key gets when it is rolled: never later than the one it has.
 * @param {KeyRecord} record
 * @param {number} now
 * @param {number} grace
 */
export function endAfterGrace(record, now, grace) {
  const own = record.expiresAt ? instantOf(record.expiresAt) : undefined;
  return own !== undefined && own <= now + grace ? record.expiresAt : new Date(now + grace).toISOString();
}
