// Customers as they are listed and found.
import { openRecords } from "../records.js";
import { done, listedFrom, refusal } from "./changing.js";
import { heading, howMany, offsetIn, pager } from "./found.js";
import { show } from "./layout.js";
import { html, table } from "./parts.js";

/** @import { App, Content, Ctx, CustomerEntry, CustomerText, Records } from "../types.d.ts" */

export const AT = "/customers";
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

/** @type {(c: Ctx, records: Records) => Content} */
export const customerDone = (c, records) => done(c, records, "customers", DONE);

/** @type {(id: string, path?: string) => string} */
export const linkTo = (id, path = "/customer") => `${path}?${new URLSearchParams({ id })}`;
/** @type {(c: Ctx) => boolean} */
export const hasSource = (c) => Boolean(c.get("settings").configuration.customers?.source);

/** @param {CustomerText} entry */
export function stateOf({ record, customer }) {
  if (customer === null) return html`<span class="state bad">cannot be used</span>`;
  if (record?.gone) return html`<span class="state off">gone from the list</span>`;
  return customer.disabled ? html`<span class="state off">disabled</span>` : html`<span class="state on">on</span>`;
}

/** @type {(entry: CustomerEntry) => string} */
export const whose = ({ ofApi, beside }) =>
  ofApi ? "config API" : beside ? "own record, before the config API's" : "own record";
/** @type {(entry: CustomerText) => string[]} */
export const urlsOf = ({ customer }) => (customer?.backends ?? []).map(({ url }) => url);

/** @type {(entry: CustomerEntry) => Content[]} */
const row = (entry) => [
  html`<a href="${linkTo(entry.id)}">${entry.id}</a>`,
  stateOf(entry),
  html`${urlsOf(entry).map((url) => html`<div class="url">${url}</div>`)}`,
  whose(entry),
];

/**
 * The form above the list, with the way to a new customer.
 * @param {Ctx} c
 * @param {Records} records
 * @param {Content} field what is searched for
 * @param {"own" | "api"} of
 */
function bar(c, records, field, of) {
  const choose = html`<label for="of">Known to</label>
        <select id="of" name="of">${[
          ["own", records.kind === "kv" ? "operators" : "the ledger"],
          ["api", records.kind === "kv" ? "the config API" : "the config API, by KV"],
        ].map(
          ([name, label]) => html`<option value="${name}"${name === of ? html` selected` : ""}>${label}</option>`,
        )}</select>`;
  return html`${customerDone(c, records)}${refusal(records)}
    <div class="bar">
      <form method="get" action="${AT}" role="search" class="inline">
        ${hasSource(c) && choose}
        ${field}
        <button>Search</button>
      </form>
      <a class="button" href="/customers/new">New customer</a>
    </div>`;
}

/**
 * What a list is to show, from its address.
 * @param {Ctx} c
 */
const asked = (c) => ({
  of: /** @type {"own" | "api"} */ (hasSource(c) && c.req.query("of") === "api" ? "api" : "own"),
  // "prefix" is what addresses said before there was a search.
  text: (c.req.query("text") ?? c.req.query("prefix") ?? "").trim(),
});

/** @param {Ctx} c */
export async function list(c) {
  const records = await openRecords(c.get("settings"));
  const { of, text } = asked(c);
  const order = { text, descending: c.req.query("order") === "descending", offset: offsetIn(c), limit: PAGE };
  const found = of === "own" ? await records.findCustomers?.(order) : undefined;
  return found === undefined ? listByBeginning(c, records) : listFound(c, records, order, found);
}

/**
 * Customers whose ids have a text in them, with how many there are.
 * @param {Ctx} c
 * @param {Records} records
 * @param {import("../types.d.ts").FindOrder} order
 * @param {import("../types.d.ts").FoundPage<CustomerEntry>} found
 */
function listFound(c, records, order, found) {
  const { text } = order;
  const field = html`<label for="text">Id contains</label>
        <input id="text" name="text" type="search" value="${text}" autocapitalize="off" spellcheck="false">`;
  const query = { ...(text && { text }), ...(order.descending && { order: "descending" }) };
  const content = html`${bar(c, records, field, "own")}
    ${howMany(found, order, "customers")}
    ${table({
      caption: text ? `Customers whose id contains “${text}”` : "Customers",
      columns: [heading("Customer id", AT, text ? { text } : {}, order), "State", "Backends", "Whose"],
      rows: found.entries.map(row),
      none: text ? "No customer’s id contains that." : "There are no customers.",
    })}
    ${pager(AT, query, order, found)}
    ${listedFrom(records)}`;
  return show(c, { title: "Customers", at: AT, content });
}

/**
 * Customers whose ids begin with a text: all that KV can list, and what the config API says.
 * @param {Ctx} c
 * @param {Records} records
 */
async function listByBeginning(c, records) {
  const [{ of, text }, cursor] = [asked(c), c.req.query("cursor")];
  const page = await records.customerPage({ ofApi: of === "api", begin: text, cursor, limit: PAGE });
  /** @type {(more: Record<string, string>) => string} */
  const link = (more) => `${AT}?${new URLSearchParams({ ...(of === "api" && { of }), text, ...more })}`;
  const next = page.cursor && link({ cursor: page.cursor });
  const field = html`<label for="text">Id begins with</label>
        <input id="text" name="text" type="search" value="${text}" autocapitalize="off" spellcheck="false" aria-describedby="how-found">`;
  const why =
    records.kind === "ledger"
      ? "Here customers are found by how their ids begin: what the config API says is listed from KV, and the ledger’s search is not there while its index is being built."
      : "KV lists names by how they begin, and counts none: a search for any part of an id, with totals, needs a ledger.";
  const content = html`${bar(c, records, field, of)}
    <p class="hint" id="how-found">${why}</p>
    ${table({ caption: of === "api" ? "What the config API says" : "Customers", columns: ["Customer id", "State", "Backends", "Whose"], rows: page.customers.map(row), none: text ? "No customer's id begins so." : "There are no customers." })}
    ${listedFrom(of === "api" ? { kind: "kv", isTakingIn: false } : records)}
    <nav class="pager" aria-label="Pages">${cursor && html`<a href="${link({})}">First page</a>`}${next && html`<a href="${next}">Next page</a>`}</nav>`;
  return show(c, { title: "Customers", at: AT, content });
}
