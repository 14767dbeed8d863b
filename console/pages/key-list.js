// Keys as they are listed, by whom they stand for.
import { entryOfDigest } from "../core.js";
import { readKey } from "../key-entries.js";
import { search } from "../store.js";
import { html, table } from "./parts.js";

/** @import { KeyEntry, Settings, StoredText } from "../types.d.ts" */

/** Of keys that are looked through for one page: 100 at a time, so many times. */
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
    html`<span class="time">${shown(entry.record?.expiresAt ?? undefined) || "never"}</span>`,
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
 * @param {Pick<Settings, "store" | "configuration">} settings
 * @param {{ by: SearchBy, text: string, cursor: string | undefined, enough?: number }} order
 */
export function findKeys({ store, configuration }, { by, text, cursor, enough = ENOUGH }) {
  // Digests are what entries are named by, so their beginnings can be listed.
  const named = by === "digest" && /^[0-9a-f]{1,64}$/.test(text.toLowerCase());
  const isMeant = named ? () => true : matcher(by, text);
  /** @type {(entry: StoredText) => KeyEntry | undefined} */
  const read = (entry) => {
    const key = readKey(entry, configuration);
    return isMeant(key) ? key : undefined;
  };
  return search(store, {
    prefix: entryOfDigest(named ? text.toLowerCase() : ""),
    cursor,
    matches: read,
    enough,
    most: MOST_PAGES,
  });
}

/**
 * Keys whose claims name this customer: { found, more } where more keys were there than were looked at.
 * @param {Pick<Settings, "store" | "configuration">} settings
 * @param {string} id
 */
export async function keysOfCustomer({ store, configuration }, id) {
  /** @type {(entry: StoredText) => KeyEntry | undefined} */
  const matches = (entry) => {
    const key = readKey(entry, configuration);
    return key.customer === id ? key : undefined;
  };
  const { found, cursor } = await search(store, {
    prefix: entryOfDigest(""),
    matches,
    enough: Infinity,
    most: MOST_PAGES,
  });
  return { found, more: Boolean(cursor) };
}
