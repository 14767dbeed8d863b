import { audit } from "../audit.js";
import { customerClaim } from "../configuration.js";
import { checkCustomer, customerEntry, isCustomerId, refreshMembers } from "../core.js";
import { hasLedger, openRecords } from "../records.js";
import { linkToChanges } from "./audit.js";
import { change, isToBeReadAgain, notDone, operationIn, refusal, shownWith, wasIn } from "./changing.js";
import { customerFields, faultInForm, recordOf, valuesOf, valuesTyped } from "./customer-form.js";
import { AT, customerDone, hasSource, linkTo, list, stateOf, urlsOf, whose } from "./customer-list.js";
import { keyTable } from "./key-list.js";
import { show } from "./layout.js";
import { box, facts, form, html, json, summary } from "./parts.js";
import { usageOf } from "./usage.js";
import { whenWritten } from "./when.js";

/** @import { ContentfulStatusCode } from "hono/utils/http-status" */
/** @import { App, Content, Ctx, CustomerEntry, CustomerText, CustomerValues, FormFault, Records, StoredCustomer } from "../types.d.ts" */

/**
 * The entry that the address names, or a page that says why there is none.
 * @param {Ctx} c
 * @returns {Promise<{ records: Records, entry: StoredCustomer, missing?: undefined } | { records: Records, entry?: undefined, missing: Response | Promise<Response> }>}
 */
async function find(c) {
  const id = c.req.query("id") ?? "";
  const records = await openRecords(c.get("settings"));
  const entry = isCustomerId(id) ? await records.customer(id) : undefined;
  if (entry) return { records, entry };
  return { records, missing: showMissing(c, records, id) };
}

/**
 * @param {Ctx} c
 * @param {Records} records
 * @param {string} id
 * @param {Content} [usage] what was seen of it all the same
 */
function showMissing(c, records, id, usage = "") {
  const what =
    records.kind === "ledger"
      ? html`There is no customer <code>${id}</code>. It may have been removed.`
      : html`KV holds no customer <code>${id}</code>. It may have been removed, or KV has not carried it here yet.`;
  const content = html`<p>${what}</p><p><a href="${AT}">All customers</a></p>${usage}`;
  return show(c, { status: 404, title: "No such customer", at: AT, content });
}

/**
 * The page of a customer. Figures lead here too, for customers of whom no record tells (any more).
 * @param {Ctx} c
 */
async function showCustomer(c) {
  const { records, entry, missing } = await find(c);
  if (entry) return showOne(c, records, { entry });
  const id = c.req.query("id") ?? "";
  if (!isCustomerId(id) || c.get("settings").metrics === undefined) return missing;
  return showMissing(c, records, id, await usageOf(c, "/customer", { id }, { customer: id }));
}

const apiWarning = () =>
  box(
    "warning",
    html`<p><strong>This record is the config API's.</strong> Each refresh may change it. Saving this form makes a record of your own, without the refresh's notes (${refreshMembers().map((name, i) => html`${i > 0 ? ", " : ""}<code>${name}</code>`)}). Your record counts before what the config API says, and no refresh changes it. To let the config API decide again, remove your record here.</p>`,
  );

/**
 * @param {Ctx} c
 * @param {{ values: CustomerValues, faults?: FormFault[], fresh?: boolean, entry?: StoredCustomer, operation?: string }} parts
 */
function editor(c, { values, faults = [], fresh = true, entry, operation }) {
  const { configuration } = c.get("settings");
  const ofApi = Boolean(entry?.ofApi);
  const isNew = entry === undefined;
  const action = isNew ? "/customers/new" : linkTo(entry.id);
  const fields = customerFields({
    values,
    faults,
    isNew,
    ofApi,
    shown: shownWith(entry?.was, operation),
    configuration,
  });
  return html`${summary(faults, { fresh })}${ofApi ? apiWarning() : ""}
    ${form(c.get("session").csrf, action, html`${fields}<p class="actions"><button>${isNew ? "Create customer" : "Save"}</button> <a href="${AT}">Cancel</a></p>`, html` novalidate`)}`;
}

/**
 * What the config API says comes back, as long as somebody asks it; so there is nothing to remove.
 * @type {(c: Ctx, entry: CustomerEntry) => boolean}
 */
const isRemovable = (c, entry) => !entry.ofApi || !hasSource(c);

/**
 * @param {Ctx} c
 * @param {Records} records
 * @param {{ entry: StoredCustomer, values?: CustomerValues, faults?: FormFault[], status?: ContentfulStatusCode, operation?: string }} parts
 */
async function showOne(c, records, { entry, values = valuesOf(entry.record), faults, status = 200, operation }) {
  const { csrf } = c.get("session");
  const found = faults ?? entry.findings.map((finding) => faultInForm(finding));
  const broken =
    entry.customer === null &&
    box(
      "warning",
      html`<p><strong>The gateway cannot use this record as it is.</strong> Requests of this customer get 500, or go on with an older good one. Saving this form writes a good one.</p>`,
    );
  const mine = entry.customer && !entry.ofApi;
  const off = entry.customer?.disabled;
  const usage = await usageOf(c, "/customer", { id: entry.id }, { customer: entry.id });
  // The ledger has what the config API says without an entry of KV.
  const isInKv = !entry.ofApi || records.kind === "kv";
  const content = html`${customerDone(c, records)}${refusal(records)}${broken}
    ${facts([
      ["State", stateOf(entry)],
      ["Whose", whose(entry)],
      ["Fetched", entry.record?.fetchedAt ? whenWritten(String(entry.record.fetchedAt)) : undefined],
      ["KV entry", isInKv ? html`<code>${entry.name}</code>` : undefined],
    ])}
    <div class="actions">
      ${mine && form(csrf, linkTo(entry.id, "/customer/switch"), html`${shownWith(entry.was)}<button name="to" value="${off ? "on" : "off"}">${off ? "Enable" : "Disable"}</button>`)}
      ${isRemovable(c, entry) && html`<a class="button danger" href="${linkTo(entry.id, "/customer/remove")}">Remove …</a>`}
      <a class="button" href="/keys?${new URLSearchParams({ by: "customer", text: entry.id })}">Its keys</a>
      ${hasLedger(c.get("settings")) ? linkToChanges(customerEntry(entry.id)) : ""}
    </div>
    ${usage}
    <h2>Edit</h2>
    ${editor(c, { values, faults: found, fresh: Boolean(faults), entry, operation })}
    <h2>The record</h2>
    ${json(entry.record ?? entry.text)}
    ${
      entry.beside &&
      html`<h2>What the config API says</h2>
      <p>This record does not count while your record exists.${records.kind === "kv" ? html` Its name in KV is <code>${entry.beside.name}</code>.` : ""}</p>
      ${json(entry.beside.record ?? entry.beside.text)}`
    }`;
  return show(c, { title: entry.id, at: AT, status, faulty: faults !== undefined && faults.length > 0, content });
}

/** @param {Ctx} c */
async function create(c) {
  const { allowHttp } = c.get("settings");
  const records = await openRecords(c.get("settings"));
  const values = valuesTyped(c.get("form"));
  const id = values.customerId.trim();
  const { record, rows } = recordOf(values, id);
  const { findings } = checkCustomer(JSON.stringify(record), id, allowHttp);
  const faults = findings.map((finding) => faultInForm(finding, rows));
  const operation = operationIn(c);
  const there = faults.length === 0 ? await records.customer(id) : undefined;
  // The ledger knows whether it is this very form that has made the customer.
  const isTaken = there !== undefined && (there.ofApi || records.kind === "kv");
  if (isTaken) faults.push(there.ofApi ? OF_API : TAKEN);
  if (faults.length > 0) return showNew(c, records, { values, faults, status: 422, operation });
  const outcome = await change(c, records, [{ put: customerEntry(id), record, was: "" }]);
  if (!outcome.done && outcome.why === "changed")
    return showNew(c, records, { values, faults: [TAKEN], status: 422, operation });
  if (!outcome.done) {
    const { fault, status } = notDone(outcome);
    return showNew(c, records, { values, faults: [fault], status, operation });
  }
  audit(c.get("who"), "create", customerEntry(id));
  return c.redirect(`${linkTo(id)}&done=created`, 303);
}

const TAKEN = { id: "customerId", label: "Customer id", what: "is taken: this customer is there already" };
const OF_API = {
  id: "customerId",
  label: "Customer id",
  what: "is known to the config API: open that customer, and take the record over",
};

/**
 * @param {Ctx} c
 * @param {Records} records
 * @param {{ values?: CustomerValues, faults?: FormFault[], status?: ContentfulStatusCode, operation?: string }} [parts]
 */
function showNew(c, records, { values = valuesOf(), faults = [], status = 200, operation } = {}) {
  const content = html`${refusal(records)}${editor(c, { values, faults, operation })}`;
  return show(c, { title: "New customer", at: AT, status, faulty: faults.length > 0, content });
}

/** @param {Ctx} c */
async function edit(c) {
  const { allowHttp } = c.get("settings");
  const { records, entry, missing } = await find(c);
  if (missing) return missing;
  const values = valuesTyped(c.get("form"));
  const { record, rows } = recordOf(values, entry.id);
  const { findings } = checkCustomer(JSON.stringify(record), entry.id, allowHttp);
  const faults = findings.map((finding) => faultInForm(finding, rows));
  if (entry.ofApi && !values.takeOver) {
    faults.push({ id: "takeOver", label: "Take over", what: "must be ticked: saving makes this record your own" });
  }
  const operation = operationIn(c);
  if (faults.length > 0) return showOne(c, records, { entry, values, faults, status: 422, operation });
  const name = customerEntry(entry.id);
  const keeps = { name, expires: entry.expires };
  const outcome = await change(c, records, [{ put: name, record, was: wasIn(c), keeps }]);
  if (!outcome.done) {
    const { fault, status } = notDone(outcome);
    const now = (isToBeReadAgain(outcome) && (await records.customer(entry.id))) || entry;
    const again =
      outcome.why === "changed" ? [{ what: `${fault.what} Send the form again to write it over.` }] : [fault];
    const same = outcome.why === "changed" ? undefined : operation;
    return showOne(c, records, { entry: now, values, faults: again, status, operation: same });
  }
  audit(c.get("who"), entry.ofApi ? "take over" : "edit", name);
  return c.redirect(`${linkTo(entry.id)}&done=saved`, 303);
}

/** @param {Ctx} c */
async function switchOnOff(c) {
  const { records, entry, missing } = await find(c);
  if (missing) return missing;
  if (entry.record === undefined || entry.customer === null || entry.ofApi)
    return showOne(c, records, {
      entry,
      faults: [{ what: "Only a good record of your own can be switched: use the form." }],
      status: 422,
    });
  const off = c.get("form").get("to") === "off";
  const notOurs = ["disabled", ...refreshMembers()];
  const rest = Object.fromEntries(Object.entries(entry.record).filter(([name]) => !notOurs.includes(name)));
  const name = customerEntry(entry.id);
  const keeps = { name, expires: entry.expires };
  const record = off ? { ...rest, disabled: true } : rest;
  const outcome = await change(c, records, [{ put: name, record, was: wasIn(c), keeps }]);
  if (!outcome.done) {
    const { fault, status } = notDone(outcome);
    const now = (isToBeReadAgain(outcome) && (await records.customer(entry.id))) || entry;
    return showOne(c, records, { entry: now, faults: [fault], status });
  }
  audit(c.get("who"), off ? "disable" : "enable", name);
  return c.redirect(`${linkTo(entry.id)}&done=${off ? "disabled" : "enabled"}`, 303);
}

const NOTHING_OF_YOURS = {
  what: "There is no record of yours: only the config API knows this customer, and what it says would come back. To refuse the customer, take the record over and disable it.",
};

/**
 * @param {Ctx} c
 * @param {Records} records
 * @param {StoredCustomer} entry
 * @param {{ faults?: FormFault[], status?: ContentfulStatusCode, operation?: string }} [parts]
 */
async function showRemoval(c, records, entry, { faults = [], status = 200, operation } = {}) {
  const { found, more } = await records.keysOf(entry.id);
  const content = html`${refusal(records)}${summary(faults)}
    <p>This deletes your record of the customer, <code>${customerEntry(entry.id)}</code>. ${
      entry.beside
        ? html`What the config API says of this customer counts again from then on: ${stateOf(entry.beside)} ${urlsOf(entry.beside).join(", ")}.`
        : hasSource(c)
          ? "Where the config API lists this customer, what it says counts."
          : "Its callers get 403 then, or go on to the next rule where a rule says so."
    } To refuse it for certain, disable it instead.</p>
    <h2>Keys that name this customer</h2>
    <p>They stay. A key's <code>${customerClaim(c.get("settings").configuration)}</code> says whose it is.${more ? " There are more keys than were looked at, so this list may lack some." : ""}</p>
    ${keyTable(found, "Keys of this customer", "No key names it.")}
    ${form(c.get("session").csrf, linkTo(entry.id, "/customer/remove"), html`${shownWith(entry.was, operation)}<p class="actions"><button class="danger">Remove ${entry.id}</button> <a href="${linkTo(entry.id)}">Cancel</a></p>`)}`;
  return show(c, { title: `Remove ${entry.id}?`, at: AT, status, faulty: faults.length > 0, content });
}

/** @param {Ctx} c */
async function askToRemove(c) {
  const { records, entry, missing } = await find(c);
  if (missing) return missing;
  if (!isRemovable(c, entry)) return showOne(c, records, { entry, faults: [NOTHING_OF_YOURS], status: 422 });
  return showRemoval(c, records, entry);
}

/**
 * A form that is sent twice finds no record the second time, and was carried out all the same.
 * @param {Ctx} c
 */
async function remove(c) {
  const { records, entry, missing } = await find(c);
  const id = c.req.query("id") ?? "";
  const isInKv = records.kind === "kv";
  if (missing && (isInKv || !isCustomerId(id))) return missing;
  if (isInKv && entry && !isRemovable(c, entry))
    return showOne(c, records, { entry, faults: [NOTHING_OF_YOURS], status: 422 });
  const outcome = await change(c, records, [{ remove: customerEntry(id), was: wasIn(c) }]);
  if (!outcome.done) {
    const now = isToBeReadAgain(outcome) ? await records.customer(id) : entry;
    if (!now) return missing ?? (await find(c)).missing ?? c.redirect(AT, 303);
    if (!isRemovable(c, now)) return showOne(c, records, { entry: now, faults: [NOTHING_OF_YOURS], status: 422 });
    const { fault, status } = notDone(outcome);
    const operation = outcome.why === "unknown" ? operationIn(c) : undefined;
    return showRemoval(c, records, now, { faults: [fault], status, operation });
  }
  if (entry) audit(c.get("who"), "remove", customerEntry(id));
  const returned = entry?.beside !== undefined || entry?.ofApi;
  return c.redirect(returned ? `${linkTo(id)}&done=returned` : `${AT}?done=removed`, 303);
}

/** @param {App} app */
export function customers(app) {
  app.get(AT, list);
  app.get("/customers/new", async (c) => showNew(c, await openRecords(c.get("settings"))));
  app.post("/customers/new", create);
  app.get("/customer", showCustomer);
  app.post("/customer", edit);
  app.post("/customer/switch", switchOnOff);
  app.get("/customer/remove", askToRemove);
  app.post("/customer/remove", remove);
}
