// The first page: what goes wrong, since when and for whom; then the traffic over time and by what it is made of.
import { askFigures } from "../usage/api.js";
import {
  askIncidents,
  askOverTime,
  figures,
  lackingMetrics,
  number,
  overview,
  percent,
  scopeOf,
  secondsOf,
  spanLinks,
  spanOf,
  valueLink,
} from "./figures.js";
import { incidentList } from "./incident-cards.js";
import { show } from "./layout.js";
import { html, table } from "./parts.js";
import { when } from "./when.js";

/** @import { App, Configuration, Content, Ctx, Dimension, Figures, Metrics } from "../types.d.ts" */
/** @import { Span } from "./figures.js" */

const AT = "/";

/** @type {{ by: Dimension, title: string, column: string, none: string }[]} */
const TABLES = [
  { by: "customer", title: "By customer", column: "Customer", none: "no customer" },
  { by: "backend", title: "By backend", column: "Backend", none: "no backend was called" },
  { by: "rule", title: "By rule", column: "Rule", none: "no rule" },
  { by: "reason", title: "By reason", column: "Reason", none: "none: answered by a backend" },
  { by: "version", title: "By configuration", column: "Configuration", none: "unknown" },
];
/** Rows of each. */
const ROWS = 20;

/**
 * @param {{ rows: Figures[], cut: boolean }} found
 * @param {(typeof TABLES)[number]} of
 * @param {Configuration} configuration
 */
function tableOf({ rows, cut }, { by, title, column, none }, configuration) {
  const millis = (/** @type {number | undefined} */ value) => (value === undefined ? "–" : number(value));
  const all = rows.map((row) => {
    const name = row.name ? valueLink(configuration, by, row.name, undefined) : html`<span class="dim">${none}</span>`;
    /** @type {Content[]} */
    const cells = [
      name,
      number(row.requests),
      html`${number(row.errors)} <span class="dim">${percent(row.errors, row.requests)}</span>`,
      html`${number(row.refused)} <span class="dim">${percent(row.refused, row.requests)}</span>`,
      `${millis(row.durationP50)} / ${millis(row.durationP95)} ms`,
    ];
    // A configuration counts from its first request on.
    return by === "version" ? [...cells, when(secondsOf(row.firstSeen) * 1000)] : cells;
  });
  const columns = [column, "Requests", "Errors", "Refusals", "Half / 95 % faster than"];
  const caption = `${title}, those with the most errors first${cut ? `; the first ${ROWS}` : ""}`;
  return html`<h2>${title}</h2>${table({ caption, columns: by === "version" ? [...columns, "First seen"] : columns, rows: all, none: "No request was seen.", kind: "numbers" })}`;
}

/**
 * @param {Metrics} metrics
 * @param {Span} span
 */
async function askAll(metrics, span) {
  const scope = scopeOf(metrics, span);
  const [wrong, overTime, ...tables] = await Promise.all([
    askIncidents(metrics, span),
    askOverTime(metrics, span),
    ...TABLES.map(({ by }) => askFigures(metrics, { ...scope, by, order: "errors", limit: ROWS })),
  ]);
  return { wrong, overTime, tables };
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
    <section aria-labelledby="wrong"><h2 id="wrong">What goes wrong</h2>${incidentList(got.wrong, configuration, span)}</section>
    <section aria-labelledby="traffic"><h2 id="traffic">Traffic</h2>${overview(got.overTime, span)}</section>
    ${got.tables.map((found, i) => tableOf(found, TABLES[i], configuration))}
    <p class="hint">A point is there some seconds after its request. Times are in UTC.</p>`;
  return show(c, { title: "Overview", at: AT, content });
}

/** @type {(app: App) => void} */
export const overviewPages = (app) => void app.get(AT, page);
