// Instants on pages: how far away, and the exact one in UTC.
import { millisOf } from "../core.js";
import { isInstant, relative, utc } from "../dates.js";
import { html } from "./parts.js";

/** @import { Html } from "../types.d.ts" */

/**
 * An instant in milliseconds since 1970: "in 3 days", with the exact one under it.
 * @param {number} at
 * @param {number} [now]
 * @returns {Html}
 */
export function when(at, now = Date.now()) {
  if (!isInstant(at)) return html`<span class="dim">at an unknown time</span>`;
  return html`<time datetime="${new Date(at).toISOString()}" title="${utc(at)}">${relative(at, now)}</time> <span class="time dim">${utc(at)}</span>`;
}

/**
 * The same in a line of text: "in 3 days (2026-12-31 23:59:59 UTC)".
 * @param {number} at
 * @param {number} [now]
 */
export const whenInText = (at, now = Date.now()) =>
  isInstant(at) ? `${relative(at, now)} (${utc(at)})` : "at an unknown time";

/**
 * The same of an instant as somebody wrote it; what is none stays as it is.
 * @param {string} text
 */
export function whenWritten(text) {
  const at = millisOf(text);
  return at === undefined ? html`<code>${text}</code>` : when(at);
}
