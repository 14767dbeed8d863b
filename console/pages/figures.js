// What pages about traffic have in common: the span that is shown, the figures over time, and where figures lead.
import { millisOf } from "../core.js";
import { askBreakdown, askFigures, UsageFailure } from "../usage/api.js";
import { ALONG, incidentsIn } from "../usage/incidents.js";
import { bars, lines } from "./chart.js";
import { box, html } from "./parts.js";
import { reasonLink } from "./reasons.js";

/** @import { Configuration, Content, Ctx, Dimension, Figures, Html, Metrics, Question, Settings } from "../types.d.ts" */

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

/** Rows of errors and refusals that are looked at. */
const MOST_FAILING = 5000;
/** Steps of one span, with a part of one at either end. */
const MOST_STEPS = 1000;

/**
 * Which requests of a span.
 * @param {Metrics} metrics
 * @param {Span} span
 * @param {Question["where"]} [where]
 * @returns {Question}
 */
export const scopeOf = ({ dataset }, { since, until }, where) => ({ dataset, from: since, until, where });

/**
 * What fails and is refused in a span, put together.
 * @param {Metrics} metrics
 * @param {Span} span
 * @param {Question["where"]} [where]
 */
export async function askIncidents(metrics, span, where) {
  const scope = scopeOf(metrics, span, where);
  const more = { every: span.step, only: /** @type {const} */ ("failing"), limit: MOST_FAILING };
  const { rows, cut } = await askBreakdown(metrics, { ...scope, ...more, along: ALONG, codes: true });
  return { incidents: incidentsIn(rows, span), isCut: cut };
}

/**
 * Figures over time.
 * @param {Metrics} metrics
 * @param {Span} span
 * @param {Question["where"]} [where]
 */
export const askOverTime = (metrics, span, where) =>
  askFigures(metrics, { ...scopeOf(metrics, span, where), every: span.step, limit: MOST_STEPS });

/** @type {(value: number) => string} */
export const number = (value) => Math.round(value).toLocaleString("en");
/** @type {(part: number, whole: number) => string} */
export const percent = (part, whole) => {
  if (whole <= 0 || part <= 0) return "0 %";
  const share = (100 * part) / whole;
  return share < 0.1 ? "< 0.1 %" : `${share.toFixed(share < 10 ? 1 : 0)} %`;
};

/** @param {Figures[]} rows */
function sumsOf(rows) {
  const sum = (/** @type {"requests" | "errors" | "refused"} */ name) =>
    rows.reduce((total, row) => total + row[name], 0);
  return { requests: sum("requests"), errors: sum("errors"), refusals: sum("refused") };
}

/** An instant of the figures in seconds since 1970. @param {string | undefined} text */
export const secondsOf = (text) => Math.floor((millisOf(text ?? "") ?? 0) / 1000);

/** @type {Figures} */
const NOTHING = { requests: 0, errors: 0, refused: 0, sampled: false };

/**
 * Says that figures are estimates, where they are.
 * @param {boolean} sampled
 */
export const estimated = (sampled) =>
  sampled &&
  html`<p class="hint">These figures are estimates: of so many requests the platform keeps a sample, and each one stands for those that it left out.</p>`;

/**
 * The charts of a span, and its sums.
 * @param {{ rows: Figures[], sampled: boolean }} found
 * @param {Span} span
 */
export function overview({ rows, sampled }, { since, until, step, words }) {
  const byTime = new Map(rows.map((row) => [secondsOf(row.bucket), row]));
  const times = Array.from({ length: Math.ceil((until - since) / step) }, (_, i) => since + i * step);
  /** @type {(of: (row: Figures) => number) => number[]} */
  const values = (of) => times.map((at) => of(byTime.get(at) ?? NOTHING));
  const { requests, errors, refusals } = sumsOf(rows);
  return html`
    <ul class="tiles">
      <li><span class="what">Requests</span> <strong>${number(requests)}</strong></li>
      <li class="${errors > 0 ? "bad" : ""}"><span class="what">Errors (5xx)</span> <strong>${number(errors)}</strong> <span class="dim">${percent(errors, requests)}</span></li>
      <li><span class="what">Refusals</span> <strong>${number(refusals)}</strong> <span class="dim">${percent(refusals, requests)}</span></li>
    </ul>
    ${estimated(sampled)}
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
                values: values((row) => Math.max(0, row.requests - row.errors - row.refused)),
              },
              { name: "Refused", kind: "refused", values: values((row) => row.refused) },
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
        { name: "Half are faster than", kind: "p50", values: values((row) => row.durationP50 ?? 0) },
        { name: "95 % are faster than", kind: "p95", values: values((row) => row.durationP95 ?? 0) },
      ],
    })}`
    }`;
}

/** What each dimension is called. @type {Partial<Record<Dimension, string>>} */
export const LABELS = {
  customer: "Customer",
  claimedCustomer: "Unverified customer",
  route: "Route",
  rule: "Rule",
  backend: "Backend",
  origin: "Origin",
  issuer: "Credential",
  key: "Key",
  version: "Configuration",
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

/**
 * Where a rule stands: in the route that is named, else in the first that has a rule of this name.
 * @param {Configuration} configuration
 * @param {string} rule
 * @param {string | undefined} route
 */
function ruleAnchor({ routes = [] }, rule, route) {
  const has = (/** @type {import("../types.d.ts").Route} */ { rules }) => rules.some(({ name }) => name === rule);
  const named = routes.findIndex((one) => (one.name ?? one.path) === route && has(one));
  const index = named < 0 ? routes.findIndex(has) : named;
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
  if (name === "customer" || name === "claimedCustomer") return customerLink(value);
  if (name === "key") return keyLink(value);
  if (name === "reason") return reasonLink(value);
  if (name === "backend" && configuration.backends?.[value])
    return html`<a href="/rules#backend-${value}">${value}</a>`;
  const anchor =
    name === "route"
      ? routeAnchor(configuration, value)
      : name === "rule"
        ? ruleAnchor(configuration, value, route)
        : undefined;
  if (anchor) return html`<a href="${anchor}">${value}</a>`;
  return name === "version" || name === "origin" ? html`<code>${value}</code>` : value;
}
