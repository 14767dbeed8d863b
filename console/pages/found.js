// Pages of what a search found: how many there are, which stand here, and the ways to the other pages.
import { html } from "./parts.js";

/** @import { Content, Ctx, FindOrder, FoundPage, Html } from "../types.d.ts" */

/** @type {(number: number) => string} */
const inDigits = (number) => number.toLocaleString("en").replaceAll(",", "\u202f");

/** So many entries an address says are before the page. @param {Ctx} c */
export function offsetIn(c) {
  const text = c.req.query("offset") ?? "";
  return /^\d{1,9}$/.test(text) ? Number(text) : 0;
}

/**
 * "12 of 100 000 customers", and which of them stand on the page.
 * @param {Pick<FoundPage<unknown>, "matching" | "total" | "entries">} found
 * @param {FindOrder} order
 * @param {string} what in the plural
 */
export function howMany({ matching, total, entries }, { text, offset }, what) {
  const count = text ? `${inDigits(matching)} of ${inDigits(total)} ${what}` : `${inDigits(total)} ${what}`;
  const which = entries.length < matching && entries.length > 0;
  return html`<p role="status" class="count"><strong>${count}</strong>${which ? `, ${inDigits(offset + 1)} to ${inDigits(offset + entries.length)} here` : ""}</p>`;
}

/**
 * The head of the column that the list is sorted by: a link that turns the order round.
 * @param {string} name
 * @param {string} at the list's path
 * @param {Record<string, string>} query the address's members, without the order and the page
 * @param {Pick<FindOrder, "descending">} order
 * @returns {Html}
 */
export function heading(name, at, query, { descending }) {
  const turned = new URLSearchParams({ ...query, ...(!descending && { order: "descending" }) }).toString();
  const [sign, says] = descending ? ["▼", "last first"] : ["▲", "first to last"];
  return html`<a href="${at}${turned && `?${turned}`}">${name} <span aria-hidden="true">${sign}</span><span class="sr">, sorted ${says}; turn round</span></a>`;
}

/**
 * The pages before and behind. Filter and order stay.
 * @param {string} at the list's path
 * @param {Record<string, string>} query
 * @param {FindOrder} order
 * @param {Pick<FoundPage<unknown>, "matching" | "entries">} found
 * @returns {Content}
 */
export function pager(at, query, { offset, limit }, { matching }) {
  /** @type {(to: number) => string} */
  const link = (to) => `${at}?${new URLSearchParams({ ...query, ...(to > 0 && { offset: String(to) }) })}`;
  const last = Math.max(0, Math.floor((matching - 1) / limit) * limit);
  const [before, behind] = [Math.max(0, Math.min(offset - limit, last)), offset + limit];
  if (offset === 0 && behind >= matching) return "";
  return html`<nav class="pager" aria-label="Pages">
    ${offset > 0 && html`<a href="${link(0)}">First page</a> <a href="${link(before)}" rel="prev">Previous page</a>`}
    ${behind < matching && html`<a href="${link(behind)}" rel="next">Next page</a> <a href="${link(last)}">Last page</a>`}
  </nav>`;
}
