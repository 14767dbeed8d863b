// The list of keys: found by whom they stand for, by the ledger's search where it can, else looked through.
import { mintsKeys } from "../configuration.js";
import { readKey } from "../key-entries.js";
import { openRecords } from "../records.js";
import { search } from "../store.js";
import { listedFrom, refusal } from "./changing.js";
import { heading, howMany, offsetIn, pager } from "./found.js";
import { keyTable, shown } from "./key-list.js";
import { AT, keyDone } from "./key-page.js";
import { show } from "./layout.js";
import { html } from "./parts.js";

/** @import { Configuration, Content, Ctx, FindOrder, FoundPage, KeyEntry, Records, StoredText } from "../types.d.ts" */

/** Keys of a page. */
const PAGE = 50;
/** Of keys that are looked through for one page: so many at a time, so many times. A read of KV has a hundred values at most. */
const AT_ONCE = { kv: 100, ledger: 500 };
const MOST_TIMES = 20;
const DAY = 86_400_000;
const SOON = 30 * DAY;

/** @typedef {"subject" | "customer" | "name" | "digest"} SearchBy */

/** @type {[name: SearchBy, label: string][]} */
const BY = [
  ["subject", "Subject"],
  ["customer", "Customer"],
  ["name", "Name"],
  ["digest", "Digest"],
];

/** @typedef {"" | "soon" | "expired" | "disabled" | "broken"} StateFilter */

/** @type {[name: StateFilter, label: string][]} */
const STATES = [
  ["", "any"],
  ["soon", "expires within 30 days"],
  ["expired", "expired"],
  ["disabled", "disabled"],
  ["broken", "cannot be used"],
];

/** @type {Record<StateFilter, (entry: KeyEntry, now: number) => boolean>} */
const HAS_STATE = {
  "": () => true,
  soon: ({ key }, now) => key?.state === "active" && typeof key.expiresAt === "number" && key.expiresAt <= now + SOON,
  expired: ({ key }, now) => key?.state === "expired" || (typeof key?.expiresAt === "number" && key.expiresAt <= now),
  disabled: ({ key }) => key?.state === "disabled",
  broken: ({ key }) => key === null,
};

/** @typedef {{ by: SearchBy, text: string, state: StateFilter }} Wanted */

/** @type {Record<SearchBy, (entry: KeyEntry) => string>} */
const TEXTS = {
  subject: (entry) => shown(entry.record?.subject),
  customer: (entry) => entry.customer ?? "",
  name: (entry) => shown(entry.record?.name),
  digest: (entry) => entry.digest,
};

/**
 * Keys that match, as many as are found by looking through so many: { found, cursor, looked }.
 * @param {Records} records
 * @param {Configuration} configuration
 * @param {Wanted & { cursor: string | undefined }} order
 */
function lookThrough(records, configuration, { by, text, state, cursor }) {
  const [wanted, now] = [text.toLowerCase(), Date.now()];
  // Digests are what entries are named by, so their beginnings can be listed.
  const isBeginning = by === "digest" && /^[0-9a-f]{1,64}$/.test(wanted);
  /** @type {(entry: StoredText) => KeyEntry | undefined} */
  const matches = (entry) => {
    const key = readKey(entry, configuration, now);
    const isMeant = wanted === "" || isBeginning || TEXTS[by](key).toLowerCase().includes(wanted);
    return isMeant && HAS_STATE[state](key, now) ? key : undefined;
  };
  const [begin, limit] = [isBeginning ? wanted : "", AT_ONCE[records.kind]];
  const page = (/** @type {string | undefined} */ from) => records.keyPage({ begin, cursor: from, limit });
  return search(page, { cursor, matches, enough: PAGE, most: MOST_TIMES });
}

/**
 * Some of the keys whose digests begin so.
 * @param {Records} records
 * @param {Configuration} configuration
 * @param {string} begin
 */
export async function keysThatBegin(records, configuration, begin) {
  const { found } = await lookThrough(records, configuration, {
    by: "digest",
    text: begin,
    state: "",
    cursor: undefined,
  });
  return found;
}

/**
 * What the list is to show, from its address.
 * @param {Ctx} c
 * @returns {Wanted}
 */
function asked(c) {
  const [by] = BY.find(([name]) => name === c.req.query("by")) ?? BY[0];
  const [state] = STATES.find(([name]) => name === c.req.query("state")) ?? STATES[0];
  return { by, state, text: (c.req.query("text") ?? "").trim() };
}

/** @type {(name: string, options: [value: string, label: string][], chosen: string) => Content} */
const select = (name, options, chosen) =>
  html`<select id="${name}" name="${name}">${options.map(([value, label]) => html`<option value="${value}"${value === chosen ? html` selected` : ""}>${label}</option>`)}</select>`;

/**
 * @param {Ctx} c
 * @param {Records} records
 * @param {Wanted} wanted
 */
const bar = (c, records, { by, text, state }) => html`${keyDone(c, records)}${refusal(records)}
    <div class="bar">
      <form method="get" action="${AT}" role="search" class="inline">
        <label for="by">Search by</label>
        ${select("by", BY, by)}
        <label for="text" class="sr">What it contains</label>
        <input id="text" name="text" type="search" value="${text}" autocapitalize="off" spellcheck="false">
        <label for="state">State</label>
        ${select("state", STATES, state)}
        <button>Search</button>
      </form>
      ${mintsKeys(c.get("settings").configuration) ? html`<a class="button" href="/keys/new">New key</a>` : ""}
    </div>
    <p class="hint">Only digests are stored. No page can show a key that was made before.</p>`;

/** @type {(wanted: Wanted) => Record<string, string>} */
const queryOf = ({ by, text, state }) => ({ by, ...(text && { text }), ...(state && { state }) });

/** @param {Wanted} wanted */
function captionOf({ by, text, state }) {
  const [, label] = STATES.find(([name]) => name === state) ?? STATES[0];
  const which = text ? `Keys whose ${by} contains “${text}”` : "All keys";
  return state ? `${which}: ${label}` : which;
}

/** @param {Ctx} c */
export async function listKeys(c) {
  const records = await openRecords(c.get("settings"));
  const wanted = asked(c);
  const order = {
    text: wanted.text,
    descending: c.req.query("order") === "descending",
    offset: offsetIn(c),
    limit: PAGE,
  };
  const found = wanted.by === "name" || wanted.state ? undefined : await records.findKeys?.(wanted.by, order);
  return found === undefined ? showLookedThrough(c, records, wanted) : showFound(c, records, wanted, order, found);
}

/** @type {Record<Exclude<SearchBy, "name">, "Subject" | "Customer" | "Name or digest">} */
const SORTED = { subject: "Subject", customer: "Customer", digest: "Name or digest" };

/**
 * @param {Ctx} c
 * @param {Records} records
 * @param {Wanted} wanted
 * @param {FindOrder} order
 * @param {FoundPage<KeyEntry>} found
 */
function showFound(c, records, wanted, order, found) {
  const query = queryOf(wanted);
  const column = wanted.by === "name" ? undefined : SORTED[wanted.by];
  const heads = column && { [column]: heading(column, AT, query, order) };
  const what = wanted.by === "customer" ? "keys that name a customer" : "keys";
  const none = wanted.text ? `No key’s ${wanted.by} contains that.` : "There are no keys.";
  const content = html`${bar(c, records, wanted)}
    ${howMany(found, order, what)}
    ${keyTable(found.entries, captionOf(wanted), none, heads)}
    ${pager(AT, { ...query, ...(order.descending && { order: "descending" }) }, order, found)}
    ${listedFrom(records)}`;
  return show(c, { title: "Keys", at: AT, content });
}

/**
 * What no index finds: names and states, and everything in KV.
 * @param {Ctx} c
 * @param {Records} records
 * @param {Wanted} wanted
 */
async function showLookedThrough(c, records, wanted) {
  const cursor = c.req.query("cursor");
  const {
    found,
    cursor: next,
    looked,
  } = await lookThrough(records, c.get("settings").configuration, { ...wanted, cursor });
  // What ends first is what somebody has to see to first.
  if (wanted.state === "soon") found.sort((a, b) => (a.key?.expiresAt ?? 0) - (b.key?.expiresAt ?? 0));
  /** @type {(more: Record<string, string>) => string} */
  const link = (more) => `${AT}?${new URLSearchParams({ ...queryOf(wanted), ...more })}`;
  const most = AT_ONCE[records.kind] * MOST_TIMES;
  const isSearch = wanted.text !== "" || wanted.state !== "";
  const hint =
    isSearch &&
    html`<p class="hint">${records.kind === "kv" ? "KV counts and finds nothing by itself, so keys" : "Names and states are in no index, so keys"} are looked through, ${most.toLocaleString("en").replaceAll(",", "\u202f")} at a time.</p>`;
  const content = html`${bar(c, records, wanted)}${hint}
    ${keyTable(found, captionOf(wanted), isSearch ? "None of those that were looked at." : "There are no keys.")}
    ${listedFrom(records)}
    <nav class="pager" aria-label="Pages">${cursor && html`<a href="${link({})}">From the beginning</a>`}${next && html`<span>${looked} entries looked at.</span> <a href="${link({ cursor: next })}">Go on</a>`}</nav>`;
  return show(c, { title: "Keys", at: AT, content });
}
