import { admission, methods, notes, places, targets } from "../configuration.js";
import { askBreakdown } from "../usage/api.js";
import { filledIn, variablesOf } from "../variables.js";
import { inWords } from "../words.js";
import { compact } from "./chart.js";
import { figures } from "./figures.js";
import { show } from "./layout.js";
import { html, table } from "./parts.js";
import { mayFallThrough, picture } from "./picture.js";

/** @import { App, BreakdownRow, Content, Ctx, Html, Limit, Metrics, Route, Rule, Target } from "../types.d.ts" */
/** @import { Variable } from "../variables.js" */
/** @import { Flow } from "./picture.js" */

const AT = "/rules";

/**
 * @param {Target} target
 * @returns {Content}
 */
function targetInWords({ to, share }) {
  const text =
    typeof to === "object"
      ? `answer ${to.deny}, no backend is called`
      : to === "customer"
        ? "the customer’s own backend"
        : html`backend <a href="#backend-${to}">${to}</a>`;
  return share ? html`${share}: ${text}` : text;
}

/** @type {(rule: Rule) => Html} */
const ruleInWords = (
  rule,
) => html`<li><strong>${rule.name}</strong>: ${rule.when === undefined ? "always" : `if ${inWords(rule.when)}`}
  <ul>${targets(rule).map((target) => html`<li>→ ${targetInWords(target)}</li>`)}${notes(rule).map((note) => html`<li>${note}</li>`)}</ul></li>`;

/** @type {(limit: Limit) => string} */
const limitName = (limit) =>
  typeof limit === "string"
    ? limit
    : Array.isArray(limit)
      ? limit.map(limitName).join(" or ")
      : `${limit.use}${limit.when ? ` (if ${inWords(limit.when)})` : ""}`;

/**
 * @param {Route} route
 * @param {number} index
 * @param {Flow} [flow]
 */
function routeSection(route, index, flow) {
  const id = `route-${index + 1}`;
  const more = [
    route.require && `Callers must fulfil: ${inWords(route.require)}.`,
    route.rewrite && `The path becomes ${route.rewrite}.`,
    route.limits && `Limits: ${route.limits.map(limitName).join(", ")}.`,
    route.max_body && `Bodies up to ${route.max_body}.`,
    route.cors && `CORS: ${route.cors}.`,
    route.shadow_rules !== undefined &&
      route.shadow_rules.length > 0 &&
      `${route.shadow_rules.length} shadow rules are tried beside these and change nothing.`,
  ].filter(Boolean);
  return html`<section aria-labelledby="${id}" class="route">
    <h2 id="${id}"><code>${route.path}</code>${route.name ? html` <span class="dim">${route.name}</span>` : ""}</h2>
    <p class="hint">${methods(route).join(", ")} · ${admission(route)}</p>
    ${picture(route, id, flow)}
    <details><summary>In words</summary>
      <ol>${route.rules.map(ruleInWords)}${
        mayFallThrough(route)
          ? html`<li>Otherwise
  <ul><li>→ answer 403, no backend is called</li></ul></li>`
          : ""
      }</ol>
      ${more.length > 0 ? html`<ul>${more.map((text) => html`<li>${text}</li>`)}</ul>` : ""}
    </details>
  </section>`;
}

/**
 * Which routes' rules lead to a backend.
 * @type {(name: string, routes: Route[]) => string[]}
 */
const usesOf = (name, routes) =>
  routes.flatMap((route) =>
    route.rules
      .filter((rule) => targets(rule).some(({ to }) => to === name))
      .map((rule) => `${route.path}: ${rule.name}`),
  );

/** So long a time the traffic on the arrows is of, in seconds. */
const TRAFFIC = 3600;
/** Ways of requests that are looked at. */
const MOST_WAYS = 5000;

/**
 * Requests of the last hour by where rules led them: what stands on a route's arrows.
 * @param {Metrics} metrics
 * @returns {Promise<(route: Route) => Flow>}
 */
async function flows({ dataset, ...metrics }) {
  const until = Math.floor(Date.now() / 1000) + 1;
  const question = { dataset, from: until - TRAFFIC, until, limit: MOST_WAYS };
  const { rows } = await askBreakdown(
    { dataset, ...metrics },
    { ...question, along: ["route", "rule", "backend", "reason"] },
  );
  return ({ name, path }) =>
    (rule, to) => {
      const isOn = (/** @type {BreakdownRow} */ row) =>
        row.route === (name ?? path) &&
        (rule === undefined
          ? row.reason === "no_rule_matched"
          : row.rule === rule && (typeof to === "object" || row.backend === to));
      return compact(rows.reduce((total, row) => total + (isOn(row) ? row.requests : 0), 0));
    };
}

/**
 * A place, with what its variables say.
 * @param {string} place
 * @param {Variable[]} variables
 */
function placeInWords(place, variables) {
  const filled = filledIn(place, variables);
  return filled === place
    ? html`<div class="url">${place}</div>`
    : html`<div class="url">${filled}</div><div class="url dim">${place}</div>`;
}

/** @type {(variable: Variable) => Content[]} */
const variableRow = ({ name, uses, value }) => [
  html`<code>${name}</code>`,
  value !== undefined ? html`<span class="url">${value}</span>` : html`<span class="dim">not known here</span>`,
  html`${uses.map((use) => html`<div><code>${use}</code></div>`)}`,
];

/** @param {Ctx} c */
async function page(c) {
  const { configuration, metrics } = c.get("settings");
  const routes = configuration.routes ?? [];
  const variables = variablesOf(configuration, c.env).filter(({ why }) => why !== "secret");
  const { got: flowOf, failed } = metrics ? await figures(() => flows(metrics)) : {};
  const backends = Object.entries(configuration.backends ?? {}).map(([name, backend]) => [
    html`<span id="backend-${name}">${name}</span>`,
    html`${places(backend).map((place) => placeInWords(place, variables))}`,
    html`${usesOf(name, routes).map((use) => html`<div>${use}</div>`)}`,
  ]);
  const conditions = Object.entries(configuration.conditions ?? {}).map(([name, condition]) => [
    name,
    inWords(condition),
  ]);
  const content = html`
    <p>Where the configuration sends requests: its routes, the rules of each in the order in which they are tried, and what each leads to. It is the <code>gateway.toml</code> that this console was built with. <code>\${NAME}</code> is a variable of the gateway${variables.length > 0 ? html`: <a href="#variables">what they say</a>` : ""}.</p>
    <nav aria-label="Routes" class="toc"><ul>${routes.map((route, i) => html`<li><a href="#route-${i + 1}">${route.path}</a></li>`)}<li><a href="#backends">Backends</a></li></ul></nav>
    ${failed ?? ""}${flowOf && html`<p class="hint">The numbers on the arrows are the requests of the last hour.</p>`}
    ${routes.map((route, i) => routeSection(route, i, flowOf?.(route)))}
    <section aria-labelledby="backends"><h2 id="backends">Backends</h2>${table({ caption: "Backends and the rules that lead to them", columns: ["Backend", "Where", "Rules"], rows: backends })}</section>
    ${conditions.length > 0 ? html`<section aria-labelledby="conditions"><h2 id="conditions">Named conditions</h2>${table({ caption: "Named conditions", columns: ["Name", "Holds where"], rows: conditions })}</section>` : ""}
    ${variables.length > 0 ? html`<section aria-labelledby="variables"><h2 id="variables">Variables</h2>${table({ caption: "Variables of the gateway, as far as the console knows them", columns: ["Variable", "Value", "Used by"], rows: variables.map(variableRow) })}<p class="hint">The console knows what stands in <code>[env.console.vars]</code> under the same name. Secrets, and variables that may be one, are left out.</p></section>` : ""}`;
  return show(c, { title: "Rules", at: AT, content });
}

/** @type {(app: App) => void} */
export const rules = (app) => void app.get(AT, page);
