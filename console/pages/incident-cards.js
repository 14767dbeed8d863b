// What goes wrong as cards: how much, since when, for whom; and who is new among those.
import { spark } from "./chart.js";
import { LABELS, number, percent, valueLink } from "./figures.js";
import { html } from "./parts.js";
import { reasonLink } from "./reasons.js";
import { when } from "./when.js";

/** @import { About, Incident, Newcomers } from "../usage/incidents.js" */
/** @import { Configuration, Content, Dimension, Html } from "../types.d.ts" */
/** @import { Span } from "./figures.js" */

/** Whom a page is about; nobody in particular where it is empty. @typedef {Partial<Record<Dimension, string>>} Scope */

/** Why a backend answers with an error: the gateway has no reason then. */
const BY_BACKEND = "the backend’s own answer";
/** Cards that are shown at once. */
const SHOWN = 8;

/** Said beside customers that only a refused credential names. */
export const UNVERIFIED = html`<span class="dim">(as the refused credential says; nobody vouches for it)</span>`;

/**
 * An incident as people call it: "401 api_key_expired".
 * @type {(incident: Pick<Incident, "status" | "reason">) => string}
 */
export const incidentName = ({ status, reason }) => `${status} ${reason || BY_BACKEND}`;

/**
 * The page of an incident, with all for whom it is.
 * @param {Pick<Incident, "status" | "reason">} incident
 * @param {Span} span
 * @param {Scope} scope
 * @param {Record<string, string>} [more]
 */
export const incidentPath = ({ status, reason }, { name }, scope, more = {}) =>
  `/incident?${new URLSearchParams({ status: String(status), ...(reason && { reason }), span: name, ...scope, ...more })}`;

/**
 * Since when, and until when.
 * @param {Pick<Incident, "since" | "last" | "isOver" | "isFromBefore">} incident
 */
function timeOf({ since, last, isOver, isFromBefore }) {
  const from = isFromBefore ? "before this span" : when(since * 1000);
  return isOver ? html`from ${from} to ${when(last * 1000)}` : html`since ${from}`;
}

/** @type {(name: Dimension) => string} */
const labelOf = (name) => LABELS[name] ?? name;

/**
 * @param {Incident} incident
 * @param {Configuration} configuration
 * @param {Span} span
 * @param {Scope} scope
 * @param {boolean} isAlone whether its own page shows it
 */
export function incidentCard(incident, configuration, span, scope, isAlone = false) {
  const { status, reason, requests, isOver, series, about, newcomers } = incident;
  const route = about.find(({ name }) => name === "route")?.values[0]?.value;
  const path = incidentPath(incident, span, scope);
  const name = html`${status} ${reason ? reasonLink(reason) : BY_BACKEND}${isOver && html` <span class="dim">over</span>`}`;
  /** @type {(name: Dimension, more: number) => Content} */
  const others = (name, more) =>
    more > 0 &&
    html` and <a href="${isAlone ? "" : path}#by-${name}">${number(more)} more<span class="sr"> of ${labelOf(name)}</span></a>`;
  /** @type {(one: About) => Html} */
  const line = ({ name, values, more }) =>
    html`<div><dt>${labelOf(name)}</dt><dd>${values.map(
      ({ value, share }, i) =>
        html`${i > 0 ? ", " : ""}${valueLink(configuration, name, value, route)} <span class="dim">${percent(share, 1)}</span>`,
    )}${others(name, more)}${name === "claimedCustomer" && html` ${UNVERIFIED}`}</dd></div>`;
  /** @type {(one: Newcomers) => Html} */
  const news = ({ name, values, more }) =>
    html`<li>${labelOf(name)} ${values.map(
      ({ value, requests, since }, i) =>
        html`${i > 0 ? ", " : ""}${valueLink(configuration, name, value, route)} <span class="dim">${number(requests)} ${requests === 1 ? "request" : "requests"}, since</span> ${when(since * 1000)}`,
    )}${others(name, more)}</li>`;
  return html`<li class="incident ${isOver ? "over" : status >= 500 ? "error" : "refused"}">
    ${isAlone ? html`<h2>${name}</h2>` : html`<h3>${name}</h3>`}
    <p><strong>${number(requests)}</strong> ${requests === 1 ? "request" : "requests"}, ${timeOf(incident)} ${spark(series)}</p>
    ${newcomers.length > 0 && html`<div class="news"><p><strong>New among them</strong></p><ul>${newcomers.map(news)}</ul></div>`}
    <dl class="facts">${about.map(line)}</dl>
    ${!isAlone && html`<p class="more"><a href="${path}">Each of them, since when<span class="sr">: ${incidentName(incident)}</span></a></p>`}
  </li>`;
}

/**
 * What goes wrong, the most telling first.
 * @param {{ incidents: Incident[], isCut: boolean }} found
 * @param {Configuration} configuration
 * @param {Span} span
 * @param {Scope} [scope]
 */
export function incidentList({ incidents, isCut }, configuration, span, scope = {}) {
  if (incidents.length === 0) return html`<p class="none">Nothing was refused, and nothing failed ${span.words}.</p>`;
  const rest = incidents.slice(SHOWN);
  /** @type {(list: Incident[]) => Html} */
  const cards = (list) =>
    html`<ol class="incidents">${list.map((one) => incidentCard(one, configuration, span, scope))}</ol>`;
  return html`${cards(incidents.slice(0, SHOWN))}
    ${rest.length > 0 && html`<details><summary>${rest.length} more</summary>${cards(rest)}</details>`}
    ${isCut && html`<p class="hint">There are more kinds of them than were looked at: these are the most frequent ones.</p>`}`;
}
