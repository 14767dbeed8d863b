// How long an old state may go on counting, as the gateway states it.
import { isObject } from "../json.js";
import { html, table, tree } from "./parts.js";

/** @import { Content, Html } from "../types.d.ts" */

/** @typedef {{ id: string, within_ms: number, while_down_ms: number }} Bound */

/** @type {Record<string, string>} */
const CHANGES = {
  api_key_revoked: "a revoked API key stops",
  token_expired: "a token of the issuer that has expired stops",
  issuer_key_withdrawn: "a key that the issuer withdrew stops",
  issuer_key_added: "a key that the issuer added works",
  customer_changed: "a changed or removed customer counts",
};
/** @type {[unit: string, milliseconds: number][]} */
const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

/**
 * 90000 as 1 m 30 s.
 * @param {number} milliseconds
 */
export function span(milliseconds) {
  let rest = milliseconds;
  const parts = UNITS.map(([unit, factor]) => {
    const count = Math.floor(rest / factor);
    rest -= count * factor;
    return count > 0 && `${count} ${unit}`;
  });
  return parts.filter(Boolean).join(" ") || "0 s";
}

/**
 * @param {Bound} bound
 * @returns {Content[]}
 */
function row({ id, within_ms: within, while_down_ms: whileDown }) {
  const [, kind = "", of] = /^([^:]*):?(.*)$/s.exec(id) ?? [];
  const what = CHANGES[kind] ?? kind.replaceAll("_", " ");
  return [of ? `${what} (${of})` : what, span(within), span(whileDown)];
}

/**
 * @param {unknown} bound
 * @returns {bound is Bound}
 */
const isKnown = (bound) =>
  isObject(bound) &&
  typeof bound.id === "string" &&
  Number.isFinite(bound.within_ms) &&
  Number.isFinite(bound.while_down_ms) &&
  Object.keys(bound).length === 3;

/**
 * A table of those; as they come where they are none that this console knows.
 * @type {(list: unknown) => Html}
 */
export const bounds = (list) =>
  Array.isArray(list) && list.every(isKnown)
    ? table({
        caption: "How long a change takes at the most",
        columns: ["Change", "Within", "While its source cannot be reached"],
        rows: list.map(row),
      })
    : html`${tree(list)}`;
