// The traffic of one customer or of one key, on its page.
import { askFigures } from "../usage/api.js";
import {
  askIncidents,
  askOverTime,
  figures,
  lackingMetrics,
  overview,
  secondsOf,
  spanLinks,
  spanOf,
} from "./figures.js";
import { incidentList } from "./incident-cards.js";
import { html } from "./parts.js";
import { when } from "./when.js";

/** @import { Content, Ctx, Figures, Metrics } from "../types.d.ts" */
/** @import { Span } from "./figures.js" */

/** So long points are kept, in seconds; a day less, so that none is asked for that is about to go. */
const KEPT = 89 * 86_400;
/** Digits of a key's digest that a point has. */
export const KEY_DIGITS = 16;

/**
 * When it was last used, or since when no use was seen: points may be left out, so that nobody knows of "never".
 * @param {Figures | undefined} row
 * @param {number} since
 */
function lastUsed(row, since) {
  const last = secondsOf(row?.lastLetIn);
  if (last > 0)
    return html`<p><strong>Last used</strong> ${when(last * 1000)}${row?.sampled ? html` <span class="dim">or later: the platform left points out</span>` : ""}.</p>`;
  const refused =
    row && row.requests > 0
      ? html` Since then only refused requests came, the last ${when(secondsOf(row.lastSeen) * 1000)}.`
      : "";
  return html`<p><strong>No use seen</strong> since ${when(since * 1000)}, which is how long points are kept.${refused}</p>`;
}

/**
 * @param {Metrics} metrics
 * @param {{ customer?: string, key?: string }} who
 * @param {Span} span
 */
async function askAll(metrics, { customer, key }, span) {
  const where = { ...(customer !== undefined && { customer: [customer] }), ...(key !== undefined && { key: [key] }) };
  const since = span.until - KEPT;
  const [wrong, overTime, ever, claimed] = await Promise.all([
    askIncidents(metrics, span, where),
    askOverTime(metrics, span, where),
    askFigures(metrics, { dataset: metrics.dataset, from: since, until: span.until, where }),
    // Whoever was refused is no customer yet; what the credential says tells whose it may be.
    customer === undefined ? undefined : askIncidents(metrics, span, { claimedCustomer: [customer] }),
  ]);
  return { wrong, overTime, last: ever.rows[0], claimed, since };
}

/**
 * A page's section about the traffic of whom it is about.
 * @param {Ctx} c
 * @param {string} path of the page
 * @param {Record<string, string>} query of the page
 * @param {{ customer?: string, key?: string }} where
 * @returns {Promise<Content>}
 */
export async function usageOf(c, path, query, where) {
  const { metrics, configuration } = c.get("settings");
  const heading = html`<h2 id="usage">Usage</h2>`;
  if (metrics === undefined) return html`${heading}${lackingMetrics(c.get("settings"))}`;
  const span = spanOf(c);
  const { got, failed } = await figures(() => askAll(metrics, where, span));
  if (got === undefined) return html`${heading}${failed}`;
  const { claimed, wrong, overTime, last, since } = got;
  const refused =
    claimed && claimed.incidents.length > 0
      ? html`<h3>Refused, as callers that say they are this customer</h3>${incidentList(claimed, configuration, span, { claimedCustomer: where.customer })}`
      : "";
  return html`${heading}${lastUsed(last, since)}${spanLinks(span, path, query)}
    ${overview(overTime, span)}
    ${incidentList(wrong, configuration, span, where)}
    ${refused}`;
}
