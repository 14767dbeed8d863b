// Keys as they are listed, by whom they stand for.
import { readKey } from "../key-entries.js";
import { search } from "../store.js";
import { html, table } from "./parts.js";
import { when } from "./when.js";

/** @import { Configuration, KeyEntry, Records, StoredText } from "../types.d.ts" */

/** Of keys that are looked through for one page: so many at a time, so many times. */
const A_PAGE = 100;
const MOST_PAGES = 20;
export const ENOUGH = 50;

/** @type {(value: unknown) => string} */
const shown = (value) => (value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value));

/** @param {KeyEntry} entry */
export function stateOf({ key }) {
  if (key === null) return html`<span class="state bad">cannot be used</span>`;
  return key.state === "active"
    ? html`<span class="state on">on</span>`
    : html`<span class="state off">${key.state}</span>`;
}

/** @type {(digest: string, path?: string) => string} */
export const linkTo = (digest, path = "/key") => `${path}?${new URLSearchParams({ digest })}`;

/**
 * What is shown of a digest where there is no room for it.
 * @type {(digest: string) => string}
 */
const short = (digest) => `${digest.slice(0, 12)}…`;

/**
 * When a key ends. What is no instant is shown as it is written.
 * @param {KeyEntry} entry
 */
export function endOf({ key, record }) {
  if (typeof key?.expiresAt === "number") return when(key.expiresAt);
  return record?.expiresAt ? html`<code>${shown(record.expiresAt)}</code>` : "never";
}

/**
 * @param {KeyEntry[]} entries
 * @param {string} caption
 * @param {string} none
 */
export function keyTable(entries, caption, none) {
  const rows = entries.map((entry) => [
    html`<a href="${linkTo(entry.digest)}" title="${entry.digest}">${shown(entry.record?.name) || html`<code>${short(entry.digest)}</code>`}</a>`,
    shown(entry.record?.subject),
    entry.customer ?? "",
    stateOf(entry),
    endOf(entry),
  ]);
  return table({ caption, columns: ["Name or digest", "Subject", "Customer", "State", "Ends"], rows, none });
}

/** @typedef {"subject" | "customer" | "name" | "digest"} SearchBy */

/** @type {[name: SearchBy, label: string][]} */
export const BY = [
  ["subject", "Subject"],
  ["customer", "Customer"],
  ["name", "Name"],
  ["digest", "Digest"],
];

/**
 * Whether an entry is what was searched for.
 * @param {SearchBy} by
 * @param {string} text
 * @returns {(entry: KeyEntry) => boolean}
 */
function matcher(by, text) {
  const wanted = text.toLowerCase();
  /** @type {Record<SearchBy, (entry: KeyEntry) => string>} */
  const of = {
    subject: (entry) => shown(entry.record?.subject),
    customer: (entry) => entry.customer ?? "",
    name: (entry) => shown(entry.record?.name),
    digest: (entry) => entry.digest,
  };
  return (entry) => wanted === "" || of[by](entry).toLowerCase().includes(wanted);
}

/**
 * Keys that match: { found, cursor, looked }.
 * @param {Records} records
 * @param {Configuration} configuration
 * @param {{ by: SearchBy, text: string, cursor: string | undefined, enough?: number }} order
 */
export function findKeys(records, configuration, { by, text, cursor, enough = ENOUGH }) {
  // Digests are what entries are named by, so their beginnings can be listed.
  const named = by === "digest" && /^[0-9a-f]{1,64}$/.test(text.toLowerCase());
  const isMeant = named ? () => true : matcher(by, text);
  /** @type {(entry: StoredText) => KeyEntry | undefined} */
  const matches = (entry) => {
    const key = readKey(entry, configuration);
    return isMeant(key) ? key : undefined;
  };
  const begin = named ? text.toLowerCase() : "";
  const page = (/** @type {string | undefined} */ from) => records.keyPage({ begin, cursor: from, limit: A_PAGE });
  return search(page, { cursor, matches, enough, most: MOST_PAGES });
}
