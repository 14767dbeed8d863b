// Keys that are disabled, enabled, rolled and revoked.
import { audit } from "../audit.js";
import { customerClaim, prefixes } from "../configuration.js";
import { checkKey, entryOfDigest, millisOf } from "../core.js";
import { instantTyped } from "../dates.js";
import { endAfterGrace, endThatLiesAhead, isUsable } from "../key-entries.js";
import { change, isToBeReadAgain, notDone, operationIn, refusal, shownWith, wasIn } from "./changing.js";
import { endField, endTyped, faultInForm, recordEdited, valuesTyped } from "./key-form.js";
import { linkTo, stateOf } from "./key-list.js";
import { AT, find, isDigest, mint, nameOf, reveal, sentAlready, showOne } from "./key-page.js";
import { show } from "./layout.js";
import { box, choice, facts, form, html, summary, tree } from "./parts.js";
import { when, whenInText } from "./when.js";

/** @import { ContentfulStatusCode } from "hono/utils/http-status" */
/** @import { Ctx, FormFault, Records, StoredKey, UsableKeyEntry, Version } from "../types.d.ts" */

/** @typedef {UsableKeyEntry & Version} GoodKey */

/** @param {Ctx} c */
export async function switchOnOff(c) {
  const { records, entry, missing } = await find(c);
  if (missing) return missing;
  if (!isUsable(entry)) return showOne(c, records, { entry, status: 422 });
  const name = entryOfDigest(entry.digest);
  const off = c.get("form").get("to") === "off";
  const { disabled, ...rest } = entry.record;
  const record = off ? { ...rest, disabled: true } : rest;
  const outcome = await change(c, records, [{ put: name, record, was: wasIn(c), keeps: { ...entry, name } }]);
  if (!outcome.done) {
    const { fault, status } = notDone(outcome);
    const now = (isToBeReadAgain(outcome) && (await records.key(entry.digest))) || entry;
    return showOne(c, records, { entry: now, faults: [fault], status });
  }
  audit(c.get("who"), off ? "disable key" : "enable key", name);
  return c.redirect(`${linkTo(entry.digest)}&done=${off ? "disabled" : "enabled"}`, 303);
}

/**
 * Saves what the form of a key holds.
 * @param {Ctx} c
 */
export async function edit(c) {
  const { configuration } = c.get("settings");
  const { records, entry, missing } = await find(c);
  if (missing) return missing;
  if (!isUsable(entry)) return showOne(c, records, { entry, status: 422 });
  const values = valuesTyped(c.get("form"));
  const { record, faults } = recordEdited(entry.record, values, configuration);
  const { findings } = checkKey(JSON.stringify(record), customerClaim(configuration), Date.now());
  faults.push(...findings.map(faultInForm));
  const operation = operationIn(c);
  if (faults.length > 0) return showOne(c, records, { entry, values, faults, status: 422, operation });
  const name = entryOfDigest(entry.digest);
  const outcome = await change(c, records, [{ put: name, record, was: wasIn(c), keeps: { ...entry, name } }]);
  if (!outcome.done) {
    const { fault, status } = notDone(outcome);
    const now = (isToBeReadAgain(outcome) && (await records.key(entry.digest))) || entry;
    const isChanged = outcome.why === "changed";
    const again = isChanged ? [{ what: `${fault.what} Send the form again to write it over.` }] : [fault];
    return showOne(c, records, {
      entry: now,
      values,
      faults: again,
      status,
      operation: isChanged ? undefined : operation,
    });
  }
  audit(c.get("who"), "edit key", name);
  return c.redirect(`${linkTo(entry.digest)}&done=saved`, 303);
}

/** @typedef {{ grace: string, prefix: string, expiresAt: string }} RollValues */

const HOUR = 3_600_000;
/**
 * How long an old key may go on.
 * @type {{ name: string, label: string, millis: number }[]}
 */
const GRACES = [
  { name: "0s", label: "at once", millis: 0 },
  { name: "1h", label: "in an hour", millis: HOUR },
  { name: "24h", label: "in a day", millis: 24 * HOUR },
  { name: "7d", label: "in a week", millis: 7 * 24 * HOUR },
  { name: "30d", label: "in 30 days", millis: 30 * 24 * HOUR },
];

/**
 * @param {Ctx} c
 * @param {Records} records
 * @param {GoodKey} entry
 * @param {RollValues} values
 * @param {{ faults?: FormFault[], status?: ContentfulStatusCode, operation?: string }} [parts]
 */
function showRoll(c, records, entry, values, { faults = [], status = 200, operation } = {}) {
  /** @type {(id: string) => string | undefined} */
  const fault = (id) => faults.find((one) => one.id === id)?.what;
  const known = prefixes(c.get("settings").configuration);
  const content = html`${refusal(records)}${summary(faults)}
    <p>Makes a new key with the record of <a href="${linkTo(entry.digest)}">${nameOf(entry)}</a>, and lets the old key expire, never later than it would have expired anyway.</p>
    ${entry.key.state === "disabled" ? box("warning", html`<p>The old key is disabled and stays so. The new one will work.</p>`) : ""}
    ${form(
      c.get("session").csrf,
      linkTo(entry.digest, "/key/roll"),
      html`${shownWith(entry.was, operation)}
        ${choice({ id: "grace", label: "The old key ends", value: values.grace, options: GRACES.map(({ name, label }) => [name, label]), fault: fault("grace"), hint: entry.key.expiresAt === null ? "As it is, it has no end." : `As it is, it ends ${whenInText(entry.key.expiresAt)}.` })}
        ${choice({ id: "prefix", label: "Prefix of the new key", value: values.prefix, options: known.map((prefix) => [prefix, `${prefix}_…`]), fault: fault("prefix"), hint: "The record does not tell the old one's." })}
        ${endField(values.expiresAt, fault("expiresAt"), "The new key ends")}
        <p class="actions"><button>Roll the key</button> <a href="${linkTo(entry.digest)}">Cancel</a></p>`,
      html` novalidate`,
    )}`;
  return show(c, { title: `Roll ${nameOf(entry)}`, at: AT, status, faulty: faults.length > 0, content });
}

/** @param {Ctx} c */
export async function askToRoll(c) {
  const { records, entry, missing } = await find(c);
  if (missing) return missing;
  if (!isUsable(entry)) return showOne(c, records, { entry, status: 422 });
  return showRoll(c, records, entry, {
    grace: "24h",
    prefix: prefixes(c.get("settings").configuration)[0],
    expiresAt: endThatLiesAhead(entry, Date.now()),
  });
}

/**
 * What is wrong with what was typed.
 * @param {Ctx} c
 * @param {RollValues} values
 * @param {number} now
 */
function faultsOf(c, { grace, prefix, expiresAt }, now) {
  /** @type {FormFault[]} */
  const faults = [];
  if (!GRACES.some(({ name }) => name === grace))
    faults.push({ id: "grace", label: "The old key ends", what: "must be one of the list" });
  if (!prefixes(c.get("settings").configuration).includes(prefix))
    faults.push({ id: "prefix", label: "Prefix", what: "must be one of [api_keys] prefixes" });
  const end = expiresAt && millisOf(instantTyped(expiresAt));
  if (expiresAt && end === undefined)
    faults.push({
      id: "expiresAt",
      label: "The new key ends",
      what: "must be a date and a time in UTC, such as 2026-12-31 23:59:59",
    });
  else if (end && end <= now) faults.push({ id: "expiresAt", label: "The new key ends", what: "must lie ahead" });
  return faults;
}

/**
 * In KV the new key is stored before the old one gets its end: whatever fails between, one of them works.
 * @type {(once: (id: string) => boolean) => (c: Ctx) => Promise<Response>}
 */
export const roller = (once) => async (c) => {
  const { records, entry, missing } = await find(c);
  if (missing) return missing;
  if (!isUsable(entry)) return showOne(c, records, { entry, status: 422 });
  const now = Date.now();
  const typed = c.get("form");
  const values = {
    grace: typed.get("grace") ?? "",
    prefix: typed.get("prefix") ?? "",
    expiresAt: endTyped(typed.get("expiresAt") ?? "", endThatLiesAhead(entry, now)),
  };
  const faults = faultsOf(c, values, now);
  const grace = GRACES.find(({ name }) => name === values.grace);
  if (!grace || faults.length > 0) return showRoll(c, records, entry, values, { faults, status: 422 });
  const operation = operationIn(c);
  if (!operation) return sentAlready(c);

  const { disabled, expiresAt, ...rest } = entry.record;
  const record = {
    ...rest,
    ...(values.expiresAt && { expiresAt: values.expiresAt }),
    createdAt: new Date(now).toISOString(),
  };
  const own = { name: entryOfDigest(entry.digest), expires: entry.expires };
  const made = mint(values.prefix);
  // An end that KV itself gives the old key is one of the key, unless another was typed.
  const keeps = values.expiresAt === endThatLiesAhead(entry, now) ? own : undefined;
  const oldEnd = endAfterGrace(entry, now, grace.millis);
  const was = wasIn(c);
  // The ledger knows for all isolates which forms were sent; of those that change KV this isolate alone does.
  if (records.kind === "kv" && records.refuses === undefined && was === entry.was && !once(operation))
    return sentAlready(c);
  const outcome = await change(c, records, [
    { put: made.name, record, was: "", keeps },
    { put: own.name, record: { ...entry.record, expiresAt: oldEnd }, was, keeps: own },
  ]);
  if (!outcome.done) {
    if (outcome.why === "again") return sentAlready(c);
    const { fault, status } = notDone(outcome);
    const shown = isToBeReadAgain(outcome) ? await records.key(entry.digest) : entry;
    if (!shown || !isUsable(shown)) return showOne(c, records, { entry: shown ?? entry, faults: [fault], status });
    const same = outcome.why === "changed" ? undefined : operation;
    return showRoll(c, records, shown, values, { faults: [fault], status, operation: same });
  }
  audit(c.get("who"), "roll key: new", made.name);
  audit(c.get("who"), "roll key: old", own.name);
  return reveal(c, records, {
    ...made,
    title: "Key rolled",
    more: html`<p>The <a href="${linkTo(entry.digest)}">old key</a> ends ${when(millisOf(oldEnd) ?? now)}.</p>`,
  });
};

/**
 * @param {Ctx} c
 * @param {Records} records
 * @param {StoredKey} entry
 * @param {{ faults?: FormFault[], status?: ContentfulStatusCode, operation?: string }} [parts]
 */
function showRevoke(c, records, entry, { faults = [], status = 200, operation } = {}) {
  const content = html`${refusal(records)}${summary(faults)}
    <p>This deletes the key's record. It cannot be taken back: the key is stored nowhere, and a new one is another key. To stop it for a while, disable it instead.</p>
    ${facts([
      ["Subject", entry.record && tree(entry.record.subject)],
      ["State", stateOf(entry)],
      ["KV entry", html`<code class="break">${entryOfDigest(entry.digest)}</code>`],
    ])}
    ${form(c.get("session").csrf, linkTo(entry.digest, "/key/revoke"), html`${shownWith(entry.was, operation)}<p class="actions"><button class="danger">Revoke</button> <a href="${linkTo(entry.digest)}">Cancel</a></p>`)}`;
  return show(c, { title: `Revoke ${nameOf(entry)}?`, at: AT, status, faulty: faults.length > 0, content });
}

/** @param {Ctx} c */
export async function askToRevoke(c) {
  const { records, entry, missing } = await find(c);
  return missing ?? showRevoke(c, records, entry);
}

/**
 * A form that is sent twice finds no key the second time, and was carried out all the same.
 * @param {Ctx} c
 */
export async function revoke(c) {
  const { records, entry, missing } = await find(c);
  const digest = c.req.query("digest") ?? "";
  if (missing && (records.kind === "kv" || !isDigest(digest))) return missing;
  const name = entryOfDigest(digest);
  const outcome = await change(c, records, [{ remove: name, was: wasIn(c) }]);
  if (!outcome.done) {
    const now = isToBeReadAgain(outcome) ? await records.key(digest) : entry;
    if (!now) return missing ?? (await find(c)).missing ?? c.redirect(AT, 303);
    const { fault, status } = notDone(outcome);
    const operation = outcome.why === "unknown" ? operationIn(c) : undefined;
    return showRevoke(c, records, now, { faults: [fault], status, operation });
  }
  if (entry) audit(c.get("who"), "revoke key", name);
  return c.redirect(`${AT}?done=revoked`, 303);
}
