// Keys as they are listed, by whom they stand for.
import { customerClaim } from "../configuration.js";
import { readObject } from "../record/json.js";
import { claimAt, faultsOfKey, PREFIX, stateOfKey } from "../record/key.js";
import { search } from "../store.js";
import { html, table } from "./parts.js";

/** Of keys that are looked through for one page: 100 at a time, so many times. */
const MOST_PAGES = 20;
export const ENOUGH = 50;

/** An entry as the gateway would read it: { digest, text, record?, faults }. */
export function readKey({ name, text }) {
  const { value, what } = readObject(text);
  return {
    digest: name.slice(PREFIX.length),
    text,
    record: value,
    faults: value ? faultsOfKey(value) : [{ at: "", what }],
  };
}

const shown = (value) => (value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value));

export const customerOf = (entry, configuration) => shown(claimAt(entry.record?.claims, customerClaim(configuration)));

export function stateOf({ record, faults }, now = Date.now()) {
  if (faults.length > 0) return html`<span class="state bad">cannot be used</span>`;
  const state = stateOfKey(record, now);
  return html`<span class="state ${state === "on" ? "on" : "off"}">${state}</span>`;
}

export const linkTo = (digest, path = "/key") => `${path}?${new URLSearchParams({ digest })}`;

/** What is shown of a digest where there is no room for it. */
const short = (digest) => `${digest.slice(0, 12)}…`;

export function keyTable(entries, configuration, caption, none) {
  const rows = entries.map((entry) => [
    html`<a href="${linkTo(entry.digest)}" title="${entry.digest}">${shown(entry.record?.name) || html`<code>${short(entry.digest)}</code>`}</a>`,
    shown(entry.record?.subject),
    customerOf(entry, configuration),
    stateOf(entry),
    html`<span class="time">${shown(entry.record?.expiresAt ?? undefined) || "never"}</span>`,
  ]);
  return table({ caption, columns: ["Name or digest", "Subject", "Customer", "State", "Ends"], rows, none });
}

export const BY = [
  ["subject", "Subject"],
  ["customer", "Customer"],
  ["name", "Name"],
  ["digest", "Digest"],
];

/** Whether an entry is what was searched for. */
function matcher(by, text, configuration) {
  const wanted = text.toLowerCase();
  const of = {
    subject: (entry) => shown(entry.record?.subject),
    customer: (entry) => customerOf(entry, configuration),
    name: (entry) => shown(entry.record?.name),
    digest: (entry) => entry.digest,
  }[by];
  return (entry) => wanted === "" || of(entry).toLowerCase().includes(wanted);
}

/** Keys that match: { found, cursor, looked }. */
export function findKeys({ store, configuration }, { by, text, cursor, enough = ENOUGH }) {
  // Digests are what entries are named by, so their beginnings can be listed.
  const named = by === "digest" && /^[0-9a-f]{1,64}$/.test(text.toLowerCase());
  const matches = named ? () => true : matcher(by, text, configuration);
  const read = (entry) => {
    const key = readKey(entry);
    return matches(key) ? key : undefined;
  };
  return search(store, {
    prefix: PREFIX + (named ? text.toLowerCase() : ""),
    cursor,
    matches: read,
    enough,
    most: MOST_PAGES,
  });
}

/** Keys whose claims name this customer: { found, more } where more keys were there than were looked at. */
export async function keysOfCustomer({ store, configuration }, id) {
  const matches = (entry) => {
    const key = readKey(entry);
    return customerOf(key, configuration) === id ? key : undefined;
  };
  const { found, cursor } = await search(store, { prefix: PREFIX, matches, enough: Infinity, most: MOST_PAGES });
  return { found, more: Boolean(cursor) };
}
