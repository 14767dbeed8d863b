// One incident with all for whom it is: each customer, key, origin, rule …, since when each.
import { askBreakdown, askFigures } from "../usage/api.js";
import { incidentsIn, runOf } from "../usage/incidents.js";
import { bars, spark } from "./chart.js";
import {
  estimated,
  figures,
  LABELS,
  lackingMetrics,
  number,
  percent,
  scopeOf,
  spanLinks,
  spanOf,
  valueLink,
} from "./figures.js";
import { incidentCard, incidentName, incidentPath, UNVERIFIED } from "./incident-cards.js";
import { show } from "./layout.js";
import { html, table } from "./parts.js";
import { when } from "./when.js";

/** @import { App, BreakdownRow, Configuration, Content, Ctx, Dimension, Metrics } from "../types.d.ts" */
/** @import { Incident } from "../usage/incidents.js" */
/** @import { Scope } from "./incident-cards.js" */
/** @import { Span } from "./figures.js" */

const AT = "/incident";

/** Of these there are many: each is asked for by itself, so that none is lost among what goes with it. */
const MANY = /** @type {const} */ (["customer", "claimedCustomer", "key", "origin"]);
/** Of these there are few. */
const FEW = /** @type {const} */ (["route", "rule", "backend", "issuer", "version"]);
/** In the order of the page. */
const TABLES = [...MANY, ...FEW];
/** The most rows of an answer. */
const MOST_ROWS = 10_000;
/** Rows of a table. */
const SHOWN = 50;

/** What may narrow the page down. */
const SCOPES = /** @type {const} */ (["customer", "claimedCustomer", "key"]);

/**
 * Which incident an address names; undefined where it names none.
 * @param {Ctx} c
 */
function asked(c) {
  const [status, reason] = [c.req.query("status") ?? "", c.req.query("reason") ?? ""];
  if (!/^[45]\d\d$/.test(status) || !/^\w{0,64}$/.test(reason)) return undefined;
  /** @type {Scope} */
  const scope = {};
  for (const name of SCOPES) {
    const value = c.req.query(name);
    if (value) scope[name] = value;
  }
  return { status: Number(status), reason, scope, isByTime: c.req.query("order") === "since" };
}

/**
 * @param {Metrics} metrics
 * @param {Span} span
 * @param {{ status: number, reason: string, scope: Scope }} which
 */
async function askAll(metrics, span, { status, reason, scope }) {
  const where = Object.fromEntries(Object.entries({ reason, ...scope }).map(([name, value]) => [name, [value]]));
  const question = { ...scopeOf(metrics, span, where), every: span.step, limit: MOST_ROWS, codes: true };
  const ask = async (/** @type {readonly Dimension[]} */ along) => {
    const { rows, cut } = await askBreakdown(metrics, { ...question, only: "failing", along: ["reason", ...along] });
    return { rows: rows.filter(({ code }) => code === status), cut };
  };
  const [{ sampled }, few, ...many] = await Promise.all([
    // A count along dimensions does not say whether points were left out.
    askFigures(metrics, { ...scopeOf(metrics, span, where), only: "failing" }),
    ask(FEW),
    ...MANY.map((name) => ask([name])),
  ]);
  const answers = new Map(/** @type {Dimension[]} */ (TABLES).map((name, i) => [name, many[i] ?? few]));
  return { few, many, answers, sampled };
}

/**
 * The values of one dimension.
 * @param {BreakdownRow[]} rows
 * @param {Dimension} name
 * @param {Span} span
 * @param {boolean} isByTime those that began last come first
 */
function valuesOf(rows, name, span, isByTime) {
  const groups = Map.groupBy(rows, (row) => row[name] ?? "");
  groups.delete("");
  const values = [...groups].map(([value, own]) => ({ value, ...runOf(own, span) }));
  return values.sort(
    (a, b) => (isByTime && (Number(a.isOver) - Number(b.isOver) || b.since - a.since)) || b.requests - a.requests,
  );
}

/**
 * A heading that the rows can be sorted by.
 * @type {(name: string, isSorted: boolean, path: string, says: string) => Content}
 */
const sortable = (name, isSorted, path, says) =>
  isSorted
    ? html`${name} <span aria-hidden="true">▼</span><span class="sr">, sorted ${says}</span>`
    : html`<a href="${path}">${name}<span class="sr">: sort ${says}</span></a>`;

/**
 * A table of the values of one dimension; nothing where there are none.
 * @param {Dimension} by
 * @param {{ rows: BreakdownRow[], cut: boolean }} found
 * @param {{ which: { status: number, reason: string, scope: Scope, isByTime: boolean }, span: Span, total: number, configuration: Configuration }} page
 */
function tableOf(by, { rows, cut }, { which, span, total, configuration }) {
  const { isByTime, scope } = which;
  const values = valuesOf(rows, by, span, isByTime);
  if (values.length === 0 || scope[by] !== undefined) return "";
  const label = LABELS[by] ?? by;
  const link = (/** @type {Record<string, string>} */ more) => `${incidentPath(which, span, scope, more)}#by-${by}`;
  const shown = values.slice(0, SHOWN);
  const all = shown.map(({ value, requests, since, last, isOver, isFromBefore, series }) => [
    valueLink(configuration, by, value, undefined),
    html`${number(requests)} <span class="dim">${percent(requests, total)}</span>`,
    isFromBefore ? html`<span class="dim">before this span</span>` : when(since * 1000),
    isOver ? html`${when(last * 1000)} <span class="dim">over</span>` : "goes on",
    spark(series),
  ]);
  const columns = [
    label,
    sortable("Requests", !isByTime, link({}), "by requests"),
    sortable("Since", isByTime, link({ order: "since" }), "by since when"),
    "Until",
    "Over time",
  ];
  const first = values.length > shown.length ? `, the first ${SHOWN} of ${number(values.length)}` : "";
  const caption = `By ${label.toLowerCase()}${first}`;
  return html`<section class="${which.status >= 500 ? "error" : "refused"}"><h2 id="by-${by}">${label}</h2>
    ${by === "claimedCustomer" && html`<p class="hint">${UNVERIFIED}</p>`}
    ${table({ caption, columns, rows: all, kind: "numbers" })}
    ${cut && html`<p class="hint">There are more than were looked at: those with the most requests are here.</p>`}</section>`;
}

/**
 * The incident with what the questions about its many customers, keys and origins say of it.
 * @param {Incident} incident
 * @param {{ rows: BreakdownRow[] }[]} many
 * @param {Span} span
 * @returns {Incident}
 */
function joined(incident, many, span) {
  const all = [...many.flatMap(({ rows }) => incidentsIn(rows, span).slice(0, 1)), incident];
  const [about, newcomers] = [all.flatMap((one) => one.about), all.flatMap((one) => one.newcomers)];
  return { ...incident, about, newcomers };
}

/**
 * @param {Incident} incident
 * @param {Span} span
 */
function chart({ status, series }, { since, step, words }) {
  const times = series.map((_, i) => since + i * step);
  const kind = status >= 500 ? "error" : "refused";
  const name = status >= 500 ? "Errors" : "Refused";
  return bars({ id: "requests", title: `Of these ${words}`, times, step, series: [{ name, kind, values: series }] });
}

/** @type {(c: Ctx) => Response | Promise<Response>} */
const unknown = (c) =>
  show(c, {
    status: 404,
    title: "No such incident",
    at: "/",
    content: html`<p>This address names no incident. <a href="/">Overview</a> has those that there are.</p>`,
  });

/** @type {(app: App) => void} */
export const incidentPages = (app) => void app.get(AT, page);

/** @param {Ctx} c */
async function page(c) {
  const which = asked(c);
  if (which === undefined) return unknown(c);
  const { metrics, configuration } = c.get("settings");
  const title = incidentName(which);
  if (metrics === undefined) return show(c, { title, at: "/", content: lackingMetrics(c.get("settings")) });
  const { scope, isByTime } = which;
  const span = spanOf(c);
  /** @type {Record<string, string>} */
  const query = { status: String(which.status), ...(which.reason && { reason: which.reason }), ...scope };
  const of = Object.entries(scope).map(
    ([name, value]) =>
      html`<p>Only of ${LABELS[/** @type {Dimension} */ (name)]} ${valueLink(configuration, /** @type {Dimension} */ (name), value, undefined)}. <a href="${incidentPath(which, span, {})}">Of all</a></p>`,
  );
  const top = html`${of}${spanLinks(span, AT, { ...query, ...(isByTime && { order: "since" }) })}`;
  const { got, failed } = await figures(() => askAll(metrics, span, which));
  if (got === undefined) return show(c, { title, at: "/", content: html`${top}${failed}` });
  const [incident] = incidentsIn(got.few.rows, span);
  if (incident === undefined)
    return show(c, {
      title,
      at: "/",
      content: html`${top}<p class="none">No such request was seen ${span.words}.</p>`,
    });
  const found = TABLES.map((by) =>
    tableOf(by, got.answers.get(by) ?? got.few, { which, span, total: incident.requests, configuration }),
  );
  const card = incidentCard(joined(incident, got.many, span), configuration, span, scope, true);
  const content = html`${top}<ol class="incidents">${card}</ol>${estimated(got.sampled)}${chart(incident, span)}${found}`;
  return show(c, { title, at: "/", content });
}
