// The first page: what goes wrong, since when and for whom; then the traffic over time and by what it is made of.
import { ask } from "../usage/api.js";
import { byDimension } from "../usage/questions.js";
import {
  askSeries,
  counted,
  figures,
  incidentList,
  lackingMetrics,
  number,
  overview,
  percent,
  spanLinks,
  spanOf,
  valueLink,
} from "./figures.js";
import { show } from "./layout.js";
import { html, table } from "./parts.js";
import { when } from "./when.js";

/** @import { Dimension, Scope } from "../usage/questions.js" */
/** @import { App, Configuration, Content, Ctx, JsonObject, Metrics } from "../types.d.ts" */
/** @import { Span } from "./figures.js" */

const AT = "/";

/** @type {{ by: Dimension[], title: string, columns: string[], none: string }[]} */
const TABLES = [
  { by: ["customer"], title: "By customer", columns: ["Customer"], none: "no customer" },
  { by: ["backend"], title: "By backend", columns: ["Backend"], none: "no backend was called" },
  { by: ["route", "rule"], title: "By rule", columns: ["Route", "Rule"], none: "no rule" },
  { by: ["configuration"], title: "By configuration", columns: ["Configuration"], none: "unknown" },
];

/**
 * @param {JsonObject[]} rows
 * @param {(typeof TABLES)[number]} of
 * @param {Configuration} configuration
 */
function tableOf(rows, { by, title, columns, none }, configuration) {
  const all = counted(rows).map((row, i) => {
    const of = rows[i];
    const value = (/** @type {Dimension} */ name) => String(of[name] ?? "");
    const cells = by.map((name) =>
      value(name) === ""
        ? html`<span class="dim">${none}</span>`
        : valueLink(configuration, name, value(name), value("route")),
    );
    /** @type {Content[]} */
    const figuresOfRow = [
      number(row.requests),
      html`${number(row.errors)} <span class="dim">${percent(row.errors, row.requests)}</span>`,
      html`${number(row.refusals)} <span class="dim">${percent(row.refusals, row.requests)}</span>`,
      `${number(row.p50)} / ${number(row.p95)} ms`,
      // A configuration counts from its first request on.
      ...(by[0] === "configuration" ? [when(Number(of.first) * 1000)] : []),
    ];
    return [...cells, ...figuresOfRow];
  });
  const heads = [...columns, "Requests", "Errors", "Refusals", "Half / 95 % faster than"];
  if (by[0] === "configuration") heads.push("First seen");
  return html`<h2>${title}</h2>${table({ caption: `${title}, those with the most errors first`, columns: heads, rows: all, none: "No request was seen.", kind: "numbers" })}`;
}

/**
 * @param {Metrics} metrics
 * @param {Span} span
 */
async function askAll(metrics, span) {
  /** @type {Scope} */
  const scope = { dataset: metrics.dataset, since: span.since, until: span.until };
  const [series, ...tables] = await Promise.all([
    askSeries(metrics, scope, span),
    ...TABLES.map(({ by }) => ask(metrics, byDimension(scope, by))),
  ]);
  return { series, tables };
}

const ELSEWHERE = html`<ul>
  <li><a href="/customers">Customers</a> and <a href="/keys">keys</a>: who may call, and how</li>
  <li><a href="/audit">Audit</a>: who changed what</li>
  <li><a href="/rules">Rules</a>: where requests go</li>
  <li><a href="/explain">Explain</a>: what would become of a request, and why</li>
  <li><a href="/health">Health</a>: how an isolate of the gateway is</li>
</ul>`;

/** @param {Ctx} c */
async function page(c) {
  const { metrics, configuration } = c.get("settings");
  const lacking = lackingMetrics(c.get("settings"));
  if (metrics === undefined) return show(c, { title: "Overview", at: AT, content: html`${lacking}${ELSEWHERE}` });
  const span = spanOf(c);
  const { got, failed } = await figures(() => askAll(metrics, span));
  if (got === undefined)
    return show(c, { title: "Overview", at: AT, content: html`${spanLinks(span, AT)}${failed}${ELSEWHERE}` });
  const content = html`${spanLinks(span, AT)}
    <section aria-labelledby="wrong"><h2 id="wrong">What goes wrong</h2>${incidentList(got.series, configuration, span)}</section>
    <section aria-labelledby="traffic"><h2 id="traffic">Traffic</h2>${overview(got.series.series, span)}</section>
    ${got.tables.map((rows, i) => tableOf(rows, TABLES[i], configuration))}
    <p class="hint">A point is there some seconds after its request. Times are in UTC.</p>`;
  return show(c, { title: "Overview", at: AT, content });
}

/** @type {(app: App) => void} */
export const overviewPages = (app) => void app.get(AT, page);
