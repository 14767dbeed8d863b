// The traffic of one customer or of one key, on its page.
import { ask } from "../usage/api.js";
import { incidentsIn } from "../usage/incidents.js";
import { faults, isAskable, lastUse } from "../usage/questions.js";
import { askSeries, figures, incidentList, lackingMetrics, overview, spanLinks, spanOf } from "./figures.js";
import { html } from "./parts.js";
import { when } from "./when.js";

/** @import { Fault } from "../usage/incidents.js" */
/** @import { Content, Ctx, JsonObject, Metrics } from "../types.d.ts" */
/** @import { Span } from "./figures.js" */

/** So long points are kept, in seconds. */
const KEPT = 90 * 86_400;
/** Digits of a key's digest that a point has. */
export const KEY_DIGITS = 16;

/**
 * When it was last used, or since when no use was seen: points may be left out, so that nobody knows of "never".
 * @param {JsonObject | undefined} row
 * @param {number} since
 */
function lastUsed(row, since) {
  const last = Number(row?.last ?? 0);
  const sampled = Number(row?.sampled ?? 1) > 1;
  if (last > 0 && Number(row?.requests ?? 0) > 0)
    return html`<p><strong>Last used</strong> ${when(last * 1000)}${sampled ? html` <span class="dim">or later: the platform left points out</span>` : ""}.</p>`;
  return html`<p><strong>No use seen</strong> since ${when(since * 1000)}, which is how long points are kept.</p>`;
}

/**
 * @param {Metrics} metrics
 * @param {{ customer?: string, key?: string }} where
 * @param {Span} span
 */
async function askAll(metrics, where, span) {
  const { dataset } = metrics;
  const scope = { dataset, since: span.since, until: span.until, where };
  const ever = { ...scope, since: span.until - KEPT };
  // Whoever was refused is no customer yet; what the credential says tells whose it may be.
  const { customer } = where;
  const asClaimed =
    customer === undefined ? [] : ask(metrics, faults({ ...scope, where: { unverified: customer } }, span.step));
  const [series, [last], claimed] = await Promise.all([
    askSeries(metrics, scope, span),
    ask(metrics, lastUse(ever)),
    asClaimed,
  ]);
  const refused = incidentsIn(/** @type {Fault[]} */ (/** @type {unknown} */ (claimed)), span);
  return { series, last, refused, since: ever.since };
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
  if (!Object.values(where).every(isAskable))
    return html`${heading}<p class="none">This id has a character that questions to the figures cannot hold.</p>`;
  const span = spanOf(c);
  const { got, failed } = await figures(() => askAll(metrics, where, span));
  if (got === undefined) return html`${heading}${failed}`;
  const refused =
    got.refused.length > 0
      ? html`<h3>Refused, as callers that say they are this customer</h3>${incidentList({ incidents: got.refused, isCut: false }, configuration, span)}`
      : "";
  return html`${heading}${lastUsed(got.last, got.since)}${spanLinks(span, path, query)}
    ${overview(got.series.series, span)}
    ${incidentList(got.series, configuration, span)}
    ${refused}`;
}
