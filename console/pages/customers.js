import { audit } from "../audit.js";
import { customerClaim } from "../configuration.js";
import { checkCustomer, customerEntry, isCustomerId, refreshMembers } from "../core.js";
import { readCustomer, readCustomers } from "../customer-entries.js";
import { digestOf } from "../encoding.js";
import { write } from "../store.js";
import { customerFields, faultInForm, recordOf, valuesOf, valuesTyped } from "./customer-form.js";
import { keysOfCustomer, keyTable } from "./key-list.js";
import { show } from "./layout.js";
import { box, facts, form, html, json, summary, table } from "./parts.js";

/** @import { ContentfulStatusCode } from "hono/utils/http-status" */
/** @import { App, Content, Ctx, CustomerEntry, CustomerText, CustomerValues, FormFault, Reach } from "../types.d.ts" */

const AT = "/customers";
const PAGE = 50;
/** @type {Record<string, string>} */
const DONE = {
  created: "Created.",
  saved: "Saved.",
  disabled: "Disabled.",
  enabled: "Enabled.",
  removed: "Removed.",
  returned: "Removed. What the config API says of this customer counts again.",
};
const LATER =
  "KV takes a minute or more to carry a change everywhere; isolates use the old record for [customers] fresh after that.";

/** @type {(id: string, path?: string) => string} */
const linkTo = (id, path = "/customer") => `${path}?${new URLSearchParams({ id })}`;
/** @type {(c: Ctx) => Content} */
const done = (c) => {
  const said = DONE[c.req.query("done") ?? ""];
  return said && box("good", html`<p role="status"><strong>${said}</strong> ${LATER}</p>`);
};

/**
 * What customers are read with.
 * @type {(c: Ctx) => Reach}
 */
const reach = (c) => {
  const { store, allowHttp, configuration } = c.get("settings");
  return { store, allowHttp, hasSource: Boolean(configuration.customers?.source) };
};

/** @param {CustomerText} entry */
function stateOf({ record, customer }) {
  if (customer === null) return html`<span class="state bad">cannot be used</span>`;
  if (record?.gone) return html`<span class="state off">gone from the list</span>`;
  return customer.disabled ? html`<span class="state off">disabled</span>` : html`<span class="state on">on</span>`;
}

/** @type {(entry: CustomerEntry) => string} */
const whose = ({ ofApi, beside }) =>
  ofApi ? "config API" : beside ? "own record, before the config API's" : "own record";
/** @type {(entry: CustomerText) => string[]} */
const urlsOf = ({ customer }) => (customer?.backends ?? []).map(({ url }) => url);

/** @param {Ctx} c */
async function list(c) {
  const own = reach(c);
  const [prefix, cursor] = [c.req.query("prefix") ?? "", c.req.query("cursor")];
  const of = own.hasSource && c.req.query("of") === "api" ? "api" : "own";
  const page = await readCustomers(own, { ofApi: of === "api", begin: prefix, cursor, limit: PAGE });
  /** @type {(more: Record<string, string>) => string} */
  const link = (more) => `${AT}?${new URLSearchParams({ ...(of === "api" && { of }), prefix, ...more })}`;
  const rows = page.customers.map((entry) => [
    html`<a href="${linkTo(entry.id)}">${entry.id}</a>`,
    stateOf(entry),
    html`${urlsOf(entry).map((url) => html`<div class="url">${url}</div>`)}`,
    whose(entry),
  ]);
  const next = page.cursor && link({ cursor: page.cursor });
  const choose = html`<label for="of">Known to</label>
        <select id="of" name="of">${[
          ["own", "operators"],
          ["api", "the config API"],
        ].map(
          ([name, label]) => html`<option value="${name}"${name === of ? html` selected` : ""}>${label}</option>`,
        )}</select>`;
  const content = html`${done(c)}
    <div class="bar">
      <form method="get" action="${AT}" role="search" class="inline">
        ${own.hasSource && choose}
        <label for="prefix">Id begins with</label>
        <input id="prefix" name="prefix" value="${prefix}" autocapitalize="off" spellcheck="false">
        <button>Search</button>
      </form>
      <a class="button" href="/customers/new">New customer</a>
    </div>
    ${table({ caption: of === "api" ? "What the config API says" : "Customers in KV", columns: ["Customer id", "State", "Backends", "Whose"], rows, none: prefix ? "No customer's id begins so." : "KV holds no customers." })}
    <nav class="pager" aria-label="Pages">${cursor && html`<a href="${link({})}">First page</a>`}${next && html`<a href="${next}">Next page</a>`}</nav>`;
  return show(c, { title: "Customers", at: AT, content });
}

/**
 * The entry that the address names, or a page that says why there is none.
 * @param {Ctx} c
 * @returns {Promise<{ entry: CustomerEntry, missing?: undefined } | { entry?: undefined, missing: Response | Promise<Response> }>}
 */
async function find(c) {
  const id = c.req.query("id") ?? "";
  const entry = isCustomerId(id) ? await readCustomer(reach(c), id) : undefined;
  if (entry) return { entry };
  const content = html`<p>KV holds no customer <code>${id}</code>. It may have been removed, or KV has not carried it here yet.</p><p><a href="${AT}">All customers</a></p>`;
  return { missing: show(c, { status: 404, title: "No such customer", at: AT, content }) };
}

const apiWarning = () =>
  box(
    "warning",
    html`<p><strong>This record is the config API's.</strong> Each refresh may change it. Saving this form makes a record of your own, without the refresh's notes (${refreshMembers().map((name, i) => html`${i > 0 ? ", " : ""}<code>${name}</code>`)}). Your record counts before what the config API says, and no refresh changes it. To let the config API decide again, remove your record here.</p>`,
  );

/**
 * @param {Ctx} c
 * @param {{ values: CustomerValues, faults?: FormFault[], fresh?: boolean, entry?: CustomerEntry, was?: string }} parts
 */
function editor(c, { values, faults = [], fresh = true, entry, was }) {
  const { configuration } = c.get("settings");
  const ofApi = Boolean(entry?.ofApi);
  const isNew = entry === undefined;
  const action = isNew ? "/customers/new" : linkTo(entry.id);
  const fields = customerFields({ values, faults, isNew, ofApi, was, configuration });
  return html`${summary(faults, { fresh })}${ofApi ? apiWarning() : ""}
    ${form(c.get("session").csrf, action, html`${fields}<p class="actions"><button>${isNew ? "Create customer" : "Save"}</button> <a href="${AT}">Cancel</a></p>`, html` novalidate`)}`;
}

/**
 * What the config API says comes back, as long as somebody asks it; so there is nothing to remove.
 * @type {(c: Ctx, entry: CustomerEntry) => boolean}
 */
const isRemovable = (c, entry) => !entry.ofApi || !reach(c).hasSource;

/**
 * @param {Ctx} c
 * @param {{ entry: CustomerEntry, values?: CustomerValues, faults?: FormFault[], status?: ContentfulStatusCode, was?: string }} parts
 */
async function showOne(c, { entry, values = valuesOf(entry.record), faults, status = 200, was }) {
  const { csrf } = c.get("session");
  const digest = was ?? (await digestOf(entry.text));
  const found = faults ?? entry.findings.map((finding) => faultInForm(finding));
  const broken =
    entry.customer === null &&
    box(
      "warning",
      html`<p><strong>The gateway cannot use this record as it is.</strong> Requests of this customer get 500, or go on with an older good one. Saving this form writes a good one.</p>`,
    );
  const mine = entry.customer && !entry.ofApi;
  const off = entry.customer?.disabled;
  const content = html`${done(c)}${broken}
    ${facts([
      ["State", stateOf(entry)],
      ["Whose", whose(entry)],
      ["Fetched", entry.record?.fetchedAt ? String(entry.record.fetchedAt) : undefined],
      ["KV entry", html`<code>${entry.name}</code>`],
    ])}
    <div class="actions">
      ${mine && form(csrf, linkTo(entry.id, "/customer/switch"), html`<input type="hidden" name="was" value="${digest}"><button name="to" value="${off ? "on" : "off"}">${off ? "Enable" : "Disable"}</button>`)}
      ${isRemovable(c, entry) && html`<a class="button danger" href="${linkTo(entry.id, "/customer/remove")}">Remove …</a>`}
      <a class="button" href="/keys?${new URLSearchParams({ by: "customer", text: entry.id })}">Its keys</a>
    </div>
    <h2>Edit</h2>
    ${editor(c, { values, faults: found, fresh: Boolean(faults), entry, was: digest })}
    <h2>The record in KV</h2>
    ${json(entry.record ?? entry.text)}
    ${
      entry.beside &&
      html`<h2>What the config API says</h2>
      <p>This record does not count while your record exists. Its name in KV is <code>${entry.beside.name}</code>.</p>
      ${json(entry.beside.record ?? entry.beside.text)}`
    }`;
  return show(c, { title: entry.id, at: AT, status, faulty: faults !== undefined && faults.length > 0, content });
}

/** @param {Ctx} c */
async function create(c) {
  const { store, allowHttp } = c.get("settings");
  const values = valuesTyped(c.get("form"));
  const id = values.customerId.trim();
  const { record, rows } = recordOf(values, id);
  const { findings } = checkCustomer(JSON.stringify(record), id, allowHttp);
  const faults = findings.map((finding) => faultInForm(finding, rows));
  const there = faults.length === 0 ? await readCustomer(reach(c), id) : undefined;
  if (there) {
    const what = there.ofApi
      ? "is known to the config API: open that customer, and take the record over"
      : "is taken: KV holds this customer already";
    faults.push({ id: "customerId", label: "Customer id", what });
  }
  if (faults.length > 0) return showNew(c, values, faults);
  await write(store, customerEntry(id), record);
  audit(c.get("who"), "create", customerEntry(id));
  return c.redirect(`${linkTo(id)}&done=created`, 303);
}

/** @type {(c: Ctx, values?: CustomerValues, faults?: FormFault[]) => Response | Promise<Response>} */
const showNew = (c, values = valuesOf(), faults = []) =>
  show(c, {
    title: "New customer",
    at: AT,
    status: faults.length > 0 ? 422 : 200,
    faulty: faults.length > 0,
    content: editor(c, { values, faults }),
  });

const CHANGED = {
  what: "The record was changed by somebody else since this page was loaded. What KV holds now stands below; what you typed is still here. Send the form again to write it over.",
};

/** @param {Ctx} c */
async function edit(c) {
  const { store, allowHttp } = c.get("settings");
  const { entry, missing } = await find(c);
  if (missing) return missing;
  const typed = c.get("form");
  const values = valuesTyped(typed);
  const { record, rows } = recordOf(values, entry.id);
  const { findings } = checkCustomer(JSON.stringify(record), entry.id, allowHttp);
  const faults = findings.map((finding) => faultInForm(finding, rows));
  if (entry.ofApi && !values.takeOver) {
    faults.push({ id: "takeOver", label: "Take over", what: "must be ticked: saving makes this record your own" });
  }
  const now = await digestOf(entry.text);
  if (typed.get("was") !== now) faults.unshift(CHANGED);
  // What was wrong before is shown for as long as the form is not good; the digest is the new one in any case.
  if (faults.length > 0)
    return showOne(c, { entry, values, faults, status: faults[0] === CHANGED ? 409 : 422, was: now });
  await write(store, customerEntry(entry.id), record);
  audit(c.get("who"), entry.ofApi ? "take over" : "edit", customerEntry(entry.id));
  return c.redirect(`${linkTo(entry.id)}&done=saved`, 303);
}

/** @param {Ctx} c */
async function switchOnOff(c) {
  const { entry, missing } = await find(c);
  if (missing) return missing;
  if (c.get("form").get("was") !== (await digestOf(entry.text)))
    return showOne(c, {
      entry,
      faults: [{ what: "The record was changed by somebody else since the page was loaded: nothing was done." }],
      status: 409,
    });
  if (entry.record === undefined || entry.customer === null || entry.ofApi)
    return showOne(c, {
      entry,
      faults: [{ what: "Only a good record of your own can be switched: use the form." }],
      status: 422,
    });
  const off = c.get("form").get("to") === "off";
  const notOurs = ["disabled", ...refreshMembers()];
  const rest = Object.fromEntries(Object.entries(entry.record).filter(([name]) => !notOurs.includes(name)));
  await write(c.get("settings").store, customerEntry(entry.id), off ? { ...rest, disabled: true } : rest);
  audit(c.get("who"), off ? "disable" : "enable", customerEntry(entry.id));
  return c.redirect(`${linkTo(entry.id)}&done=${off ? "disabled" : "enabled"}`, 303);
}

const NOTHING_OF_YOURS = {
  what: "KV holds no record of yours: only the config API knows this customer, and what it says would come back. To refuse the customer, take the record over and disable it.",
};

/** @param {Ctx} c */
async function askToRemove(c) {
  const { entry, missing } = await find(c);
  if (missing) return missing;
  if (!isRemovable(c, entry)) return showOne(c, { entry, faults: [NOTHING_OF_YOURS], status: 422 });
  const settings = c.get("settings");
  const { found, more } = await keysOfCustomer(settings, entry.id);
  const content = html`
    <p>This deletes <code>${customerEntry(entry.id)}</code> from KV. ${
      entry.beside
        ? html`What the config API says of this customer counts again from then on: ${stateOf(entry.beside)} ${urlsOf(entry.beside).join(", ")}.`
        : reach(c).hasSource
          ? "Where the config API lists this customer, what it says counts."
          : "Its callers get 403 then, or go on to the next rule where a rule says so."
    } To refuse it for certain, disable it instead.</p>
    <h2>Keys that name this customer</h2>
    <p>They stay. A key's <code>${customerClaim(settings.configuration)}</code> says whose it is.${more ? " There are more keys than were looked at, so this list may lack some." : ""}</p>
    ${keyTable(found, "Keys of this customer", "No key names it.")}
    ${form(c.get("session").csrf, linkTo(entry.id, "/customer/remove"), html`<p class="actions"><button class="danger">Remove ${entry.id}</button> <a href="${linkTo(entry.id)}">Cancel</a></p>`)}`;
  return show(c, { title: `Remove ${entry.id}?`, at: AT, content });
}

/** @param {Ctx} c */
async function remove(c) {
  const { entry, missing } = await find(c);
  if (missing) return missing;
  if (!isRemovable(c, entry)) return showOne(c, { entry, faults: [NOTHING_OF_YOURS], status: 422 });
  await c.get("settings").store.delete(customerEntry(entry.id));
  audit(c.get("who"), "remove", customerEntry(entry.id));
  return c.redirect(entry.beside ? `${linkTo(entry.id)}&done=returned` : `${AT}?done=removed`, 303);
}

/** @param {App} app */
export function customers(app) {
  app.get(AT, list);
  app.get("/customers/new", (c) => showNew(c));
  app.post("/customers/new", create);
  app.get("/customer", async (c) => {
    const { entry, missing } = await find(c);
    return missing ?? showOne(c, { entry });
  });
  app.post("/customer", edit);
  app.post("/customer/switch", switchOnOff);
  app.get("/customer/remove", askToRemove);
  app.post("/customer/remove", remove);
}
