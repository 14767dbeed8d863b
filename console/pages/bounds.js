// How long an old state may go on counting, as the gateway states it.
import { spoken } from "../how-soon.js";
import { isObject } from "../json.js";
import { html, table, tree } from "./parts.js";

/** @import { Content, Html } from "../types.d.ts" */

/** @typedef {{ id: string, within_ms: number, while_down_ms: number }} Bound */

/** @type {Record<string, string>} */
const CHANGES = {
  api_key_revoked: "a revoked API key stops",
  token_revoked: "a revoked token stops",
  token_expired: "a token of the issuer that has expired stops",
  issuer_key_withdrawn: "a key that the issuer withdrew stops",
  issuer_key_added: "a key that the issuer added works",
  customer_changed: "a changed or removed customer counts",
};
/**
 * @param {Bound} bound
 * @returns {Content[]}
 */
function row({ id, within_ms: within, while_down_ms: whileDown }) {
  const [, kind = "", of] = /^([^:]*):?(.*)$/s.exec(id) ?? [];
  const what = CHANGES[kind] ?? kind.replaceAll("_", " ");
  return [of ? `${what} (${of})` : what, spoken(within), spoken(whileDown)];
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
