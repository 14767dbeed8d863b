// Keys as they are listed, by whom they stand for.
import { html, table } from "./parts.js";
import { when } from "./when.js";

/** @import { Content, KeyEntry } from "../types.d.ts" */

/** @type {(value: unknown) => string} */
export const shown = (value) => (value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value));

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
 * @param {{ Subject?: Content, Customer?: Content, "Name or digest"?: Content }} [heads] of columns, in place of their names
 */
export function keyTable(entries, caption, none, heads = {}) {
  const rows = entries.map((entry) => [
    html`<a href="${linkTo(entry.digest)}" title="${entry.digest}">${shown(entry.record?.name) || html`<code>${short(entry.digest)}</code>`}</a>`,
    stateOf(entry),
    shown(entry.record?.subject),
    entry.customer ?? "",
    endOf(entry),
  ]);
  return table({
    caption,
    columns: [
      heads["Name or digest"] ?? "Name or digest",
      "State",
      heads.Subject ?? "Subject",
      heads.Customer ?? "Customer",
      "Ends",
    ],
    rows,
    none,
  });
}
