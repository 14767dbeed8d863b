// What pages about traffic have in common: the span that is shown, the figures over time, incidents, and where figures lead.
import { ask, UsageFailure } from "../usage/api.js";
import { incidentsIn } from "../usage/incidents.js";
import { faults, MOST_FAULTS, overTime } from "../usage/questions.js";
import { bars, lines, spark } from "./chart.js";
import { box, html } from "./parts.js";
import { reasonLink } from "./reasons.js";
import { when } from "./when.js";

/** @import { About, Fault, Incident } from "../usage/incidents.js" */
/** @import { Dimension, Scope } from "../usage/questions.js" */
/** @import { Configuration, Content, Ctx, Html, JsonObject, Metrics, Settings } from "../types.d.ts" */

/** Spans that can be chosen, in seconds. */
export const SPANS = /** @type {const} */ ({
  hour: { label: "Last hour", words: "in the last hour", seconds: 3600, step: 60 },
  day: { label: "Last day", words: "in the last day", seconds: 86_400, step: 1800 },
  week: { label: "Last week", words: "in the last week", seconds: 7 * 86_400, step: 10_800 },
});
/** @typedef {keyof typeof SPANS} SpanName */
/** @typedef {{ name: SpanName, words: string, since: number, until: number, step: number }} Span In seconds since 1970. */

/**
 * The span that the address names. It begins with a whole step, so that no bar is cut.
 * @param {Ctx} c
 * @param {number} [now] in milliseconds
 * @returns {Span}
 */
export function spanOf(c, now = Date.now()) {
  const asked = c.req.query("span") ?? "";
  const name = /** @type {SpanName} */ (Object.hasOwn(SPANS, asked) ? asked : "hour");
  const { seconds, step, words } = SPANS[name];
  const until = Math.floor(now / 1000) + 1;
  const since = Math.floor((until - seconds) / step) * step;
  return { name, words, since, until, step };
}

/**
 * Links to the other spans.
 * @param {Span} span
 * @param {string} path
 * @param {Record<string, string>} [query]
 */
export const spanLinks = (span, path, query = {}) =>
  html`<nav aria-label="Span" class="spans"><ul>${Object.entries(SPANS).map(
    ([name, { label }]) =>
      html`<li><a href="${path}?${new URLSearchParams({ ...query, span: name })}"${name === span.name ? html` aria-current="true"` : ""}>${label}</a></li>`,
  )}</ul></nav>`;

/**
 * What must be set before figures can be asked; undefined where all is.
 * @param {Settings} settings
 */
export function lackingMetrics({ metrics, metricsLacks }) {
  if (metrics !== undefined) return undefined;
  return box(
    "note",
    html`<p><strong>Here would be figures of the traffic.</strong> To be set yet: ${metricsLacks.map((name, i) => html`${i > 0 ? ", " : ""}<code>${name}</code>`)}. The gateway needs the binding <code>METRICS</code>, a dataset of Workers Analytics Engine; <code>docs/metrics.md</code> and <code>docs/console.md</code> say how. All other pages work without.</p>`,
  );
}

/**
 * Asks, and gives what came or a box that says why nothing did.
 * @template T
 * @param {() => Promise<T>} asks
 * @returns {Promise<{ got: T, failed?: undefined } | { got?: undefined, failed: Html }>}
 */
export async function figures(asks) {
  try {
    return { got: await asks() };
  } catch (error) {
    if (!(error instanceof UsageFailure)) throw error;
    return { failed: box("warning", html`<p><strong>There are no figures now.</strong> ${error.message}</p>`) };
  }
}

/** @typedef {{ requests: number, errors: number, refusals: number, sampled: number, p50: number, p95: number }} Counted */

/**
 * Figures over time and what goes wrong.
 * @param {Metrics} metrics
 * @param {Scope} scope
 * @param {Span} span
 */
export async function askSeries(metrics, scope, span) {
  const [series, bad] = await Promise.all([
    ask(metrics, overTime(scope, span.step)),
    ask(metrics, faults(scope, span.step)),
  ]);
  return {
    series: /** @type {(Counted & { at: number })[]} */ (/** @type {unknown} */ (series)),
    incidents: incidentsIn(/** @type {Fault[]} */ (/** @type {unknown} */ (bad)), span),
    isCut: bad.length >= MOST_FAULTS,
  };
}

/** @type {(value: number) => string} */
export const number = (value) => Math.round(value).toLocaleString("en");
/** @type {(part: number, whole: number) => string} */
export const percent = (part, whole) => {
  if (whole <= 0 || part <= 0) return "0 %";
  const share = (100 * part) / whole;
  return share < 0.1 ? "< 0.1 %" : `${share.toFixed(share < 10 ? 1 : 0)} %`;
};

/** @param {Counted[]} rows */
function sumsOf(rows) {
  const sum = (/** @type {"requests" | "errors" | "refusals"} */ name) =>
    rows.reduce((total, row) => total + row[name], 0);
  return { requests: sum("requests"), errors: sum("errors"), refusals: sum("refusals") };
}

/**
 * The charts of a span, and its sums.
 * @param {(Counted & { at: number })[]} rows
 * @param {Span} span
 */
export function overview(rows, { since, until, step, words }) {
  const byTime = new Map(rows.map((row) => [row.at, row]));
  const times = Array.from({ length: Math.ceil((until - since) / step) }, (_, i) => since + i * step);
  /** @type {(of: (row: Counted) => number) => number[]} */
  const values = (of) => times.map((at) => (byTime.has(at) ? of(/** @type {Counted} */ (byTime.get(at))) : 0));
  const { requests, errors, refusals } = sumsOf(rows);
  const sampled = Math.max(1, ...rows.map((row) => row.sampled));
  return html`
    <ul class="tiles">
      <li><span class="what">Requests</span> <strong>${number(requests)}</strong></li>
      <li class="${errors > 0 ? "bad" : ""}"><span class="what">Errors (5xx)</span> <strong>${number(errors)}</strong> <span class="dim">${percent(errors, requests)}</span></li>
      <li><span class="what">Refusals</span> <strong>${number(refusals)}</strong> <span class="dim">${percent(refusals, requests)}</span></li>
    </ul>
    ${sampled > 1 ? html`<p class="hint">These figures are estimates: the platform kept as few as one of ${number(sampled)} requests, and each stands for those that it left out.</p>` : ""}
    ${
      requests === 0
        ? html`<p class="none">No request was seen ${words}.</p>`
        : html`${bars({
            id: "requests",
            title: `Requests ${words}`,
            times,
            step,
            series: [
              {
                name: "Answered",
                kind: "good",
                values: values((row) => Math.max(0, row.requests - row.errors - row.refusals)),
              },
              { name: "Refused", kind: "refused", values: values((row) => row.refusals) },
              { name: "Errors", kind: "error", values: values((row) => row.errors) },
            ],
          })}
    ${lines({
      id: "latency",
      title: `Time to the answer ${words}`,
      times,
      step,
      unit: " ms",
      has: times.map((at) => byTime.has(at)),
      series: [
        { name: "Half are faster than", kind: "p50", values: values((row) => row.p50) },
        { name: "95 % are faster than", kind: "p95", values: values((row) => row.p95) },
      ],
    })}`
    }`;
}

/** @type {Partial<Record<Dimension, string>>} */
const LABELS = {
  customer: "Customer",
  unverified: "Unverified customer",
  route: "Route",
  rule: "Rule",
  backend: "Backend",
  origin: "Origin",
  auth: "Signed in by",
  key: "Key",
  configuration: "Configuration",
};

/**
 * Where the rules of a route stand on the Rules page.
 * @param {Configuration} configuration
 * @param {string} route its name as points have it
 */
export function routeAnchor({ routes = [] }, route) {
  const index = routes.findIndex(({ name, path }) => (name ?? path) === route);
  return index < 0 ? undefined : `/rules#route-${index + 1}`;
}

/** @type {(id: string) => Html} */
export const customerLink = (id) => html`<a href="/customer?${new URLSearchParams({ id })}">${id}</a>`;
/** @type {(digits: string) => Html} */
export const keyLink = (digits) =>
  html`<a href="/key/of?${new URLSearchParams({ begin: digits })}"><code>${digits}…</code></a>`;

/**
 * A value of a point, as a link to the page that explains it.
 * @param {Configuration} configuration
 * @param {Dimension} name
 * @param {string} value
 * @param {string | undefined} route
 * @returns {Content}
 */
export function valueLink(configuration, name, value, route) {
  if (name === "customer" || name === "unverified") return customerLink(value);
  if (name === "key") return keyLink(value);
  if (name === "reason") return reasonLink(value);
  if (name === "backend" && configuration.backends?.[value])
    return html`<a href="/rules#backend-${value}">${value}</a>`;
  const anchor =
    name === "route"
      ? routeAnchor(configuration, value)
      : name === "rule"
        ? routeAnchor(configuration, route ?? "")
        : undefined;
  if (anchor) return html`<a href="${anchor}">${value}</a>`;
  return name === "configuration" || name === "origin" ? html`<code>${value}</code>` : value;
}

/** Why a backend answers with an error: the gateway has no reason then. */
const BY_BACKEND = "the backend’s own answer";

/**
 * @param {Incident} incident
 * @param {Configuration} configuration
 */
function incidentCard({ status, reason, requests, since, last, isOver, isFromBefore, series, about }, configuration) {
  const route = about.find(({ name }) => name === "route")?.values[0]?.value;
  /** @param {About} one */
  const line = ({ name, values, more }) =>
    html`<div><dt>${LABELS[name]}</dt><dd>${values.map(
      ({ value, share }, i) =>
        html`${i > 0 ? ", " : ""}${valueLink(configuration, name, value, route)} <span class="dim">${percent(share, 1)}</span>`,
    )}${more > 0 ? html` <span class="dim">and ${number(more)} more</span>` : ""}${name === "unverified" ? html` <span class="dim">(as the refused credential says; nobody vouches for it)</span>` : ""}</dd></div>`;
  const time = html`${isFromBefore ? "since before this span, from " : isOver ? "from " : "since "}${when(since * 1000)}${isOver ? html` to ${when(last * 1000)}` : ""}`;
  return html`<li class="incident ${isOver ? "over" : status >= 500 ? "error" : "refused"}">
    <h3>${status} ${reason ? reasonLink(reason) : BY_BACKEND}${isOver ? html` <span class="dim">over</span>` : ""}</h3>
    <p><strong>${number(requests)}</strong> requests, ${time} ${spark(series)}</p>
    <dl class="facts">${about.map(line)}</dl>
  </li>`;
}

/** Incidents that are shown at once. */
const SHOWN = 8;

/**
 * What goes wrong, the greatest first.
 * @param {{ incidents: Incident[], isCut: boolean }} found
 * @param {Configuration} configuration
 * @param {Span} span
 */
export function incidentList({ incidents, isCut }, configuration, { words }) {
  if (incidents.length === 0) return html`<p class="none">Nothing was refused, and nothing failed ${words}.</p>`;
  const rest = incidents.slice(SHOWN);
  /** @type {(list: Incident[]) => Html} */
  const cards = (list) => html`<ol class="incidents">${list.map((one) => incidentCard(one, configuration))}</ol>`;
  return html`${cards(incidents.slice(0, SHOWN))}
    ${rest.length > 0 ? html`<details><summary>${rest.length} more</summary>${cards(rest)}</details>` : ""}
    ${isCut ? html`<p class="hint">There are more kinds of them than were looked at: these are the most frequent ones.</p>` : ""}`;
}

/** @type {(rows: JsonObject[]) => Counted[]} */
export const counted = (rows) => /** @type {Counted[]} */ (/** @type {unknown} */ (rows));
