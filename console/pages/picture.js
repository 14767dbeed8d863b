// A route as a picture: who comes in, its rules in order, and where each leads. Drawn here; a browser only shows it.
import { admission, methods, notes, targets } from "../configuration.js";
import { inWords } from "../words.js";
import { html } from "./parts.js";

/** @import { Html, Route, Rule, Target } from "../types.d.ts" */
/**
 * How many requests took a way, as text: of a rule to a target, or of no rule; undefined where nobody counts.
 * @typedef {(rule: string | undefined, to: Target["to"] | undefined) => string | undefined} Flow
 */

/**
 * @typedef {{ x: number, width: number }} Column
 * @typedef {{ rule: Rule & { refuses?: boolean }, leads: Target[], y: number }} Row
 */

const COLUMN = { route: { x: 1, width: 216 }, rule: { x: 258, width: 402 }, target: { x: 716, width: 198 } };
const WIDTH = 915;
const ROW = 62;
const GAP = 14;
const BOX = 48;

/** @type {(text: string, length: number) => string} */
const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

/**
 * Two lines in a box; the whole text is its tooltip.
 * @type {(kind: string, column: Column, y: number, lines: [first: string, second: string], whole: string) => Html}
 */
const node = (kind, { x, width }, y, [first, second], whole) => html`<g class="node ${kind}">
  <title>${whole}</title>
  <rect x="${x}" y="${y}" width="${width}" height="${BOX}" rx="7"></rect>
  <text x="${x + 11}" y="${y + (second ? 20 : 29)}" class="first">${cut(first, Math.floor(width / 7.7))}</text>
  ${second ? html`<text x="${x + 11}" y="${y + 37}" class="second">${cut(second, Math.floor(width / 6.5))}</text>` : ""}
</g>`;

/** @type {(id: string, path: string, kind?: string) => Html} */
const arrow = (id, path, kind = "") =>
  html`<path class="edge ${kind}" d="${path}" marker-end="url(#${id}-head)"></path>`;

/**
 * From the right side of one box to the left side of another.
 * @type {(from: Column, fromY: number, to: Column, toY: number) => string}
 */
const across = (from, fromY, to, toY) => {
  const [a, b] = [from.x + from.width, to.x - 2];
  const middle = (a + b) / 2;
  return `M${a} ${fromY}C${middle} ${fromY} ${middle} ${toY} ${b} ${toY}`;
};

/** @type {(to: Target["to"]) => [name: string, about: string]} */
const nameOfTarget = (to) =>
  typeof to === "object"
    ? [`answer ${to.deny}`, "no backend"]
    : to === "customer"
      ? ["customer", "its own backend"]
      : [to, "backend"];

/**
 * Whether callers can pass by the last rule: then they are refused.
 * @type {(route: Route) => boolean}
 */
export const mayFallThrough = (route) => {
  const last = route.rules.at(-1);
  return !last || last.when !== undefined || last.unlisted === "next";
};

/**
 * @param {(Rule & { refuses?: boolean })[]} rules
 * @returns {Row[]}
 */
function laidOut(rules) {
  let y = 1;
  return rules.map((rule) => {
    const leads = targets(rule);
    const placed = { rule, leads, y };
    y += leads.length * ROW + (rules.at(-1) === rule ? 0 : GAP - (ROW - BOX));
    return placed;
  });
}

/**
 * The requests on an arrow.
 * @param {string | undefined} text
 * @param {number} y where the arrow ends
 */
const flowOn = (text, y) =>
  text === undefined
    ? ""
    : html`<text x="${COLUMN.target.x - 8}" y="${y - 6}" text-anchor="end" class="flow">${text}</text>`;

/**
 * One rule's box, its arrows and where they lead.
 * @param {string} id
 * @param {Row} row
 * @param {Row | undefined} next
 * @param {Flow} flow
 */
function ruleParts(id, { rule, leads, y }, next, flow) {
  const middle = y + BOX / 2;
  const listed = rule.unlisted === "next" ? " and the customer is listed" : "";
  const second =
    rule.when === undefined && !listed
      ? "always"
      : `if ${rule.when === undefined ? "" : inWords(rule.when)}${listed}`.replace("if  and", "if");
  const whole = [`${rule.name}: ${second}`, ...notes(rule)].join("; ");
  const down = COLUMN.rule.x + 22;
  return html`${leads.map(({ to, share }, i) => {
    const at = y + i * ROW;
    const [first, about] = nameOfTarget(to);
    const line = share ? `${share} of the callers` : about;
    const kind = typeof to === "object" ? "deny" : to === "customer" ? "customer" : "backend";
    return html`${arrow(id, across(COLUMN.rule, middle, COLUMN.target, at + BOX / 2))}${node(kind, COLUMN.target, at, [first, line], `${first}: ${line}`)}${flowOn(flow(rule.name, to), at + BOX / 2)}`;
  })}
  ${next ? html`${arrow(id, `M${down} ${y + BOX}V${next.y - 2}`, "else")}` : ""}
  ${node("rule", COLUMN.rule, y, [rule.name, second], whole)}`;
}

/**
 * The picture of one route. `id` tells it from others on the page.
 * @param {Route} route
 * @param {string} id
 * @param {Flow} [flow]
 */
export function picture(route, id, flow = () => undefined) {
  const fallen = mayFallThrough(route) ? [{ name: "no rule", refuses: true, deny: 403 }] : [];
  const rows = laidOut([...route.rules, ...fallen]);
  const last = rows[rows.length - 1];
  const height = last.y + (last.leads.length - 1) * ROW + BOX + 2;
  const middle = 1 + BOX / 2;
  const who = admission(route);
  const text = `Requests for ${route.path} (${methods(route).join(", ")}; ${who}) go by ${route.rules.length} rules in order. The list below says the same in words.`;
  return html`<div class="scroll picture" tabindex="0" role="region" aria-label="Picture of the route ${route.path}">
    <svg viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="${id}-title">
      <title id="${id}-title">${text}</title>
      <defs><marker id="${id}-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" class="tip"></path></marker></defs>
      ${arrow(id, across(COLUMN.route, middle, COLUMN.rule, middle))}
      ${rows.map((row, i) =>
        row.rule.refuses
          ? html`${node("rule none", COLUMN.rule, row.y, ["otherwise", "no rule matched"], "No rule matched")}${arrow(id, across(COLUMN.rule, row.y + BOX / 2, COLUMN.target, row.y + BOX / 2))}${node("deny", COLUMN.target, row.y, ["answer 403", "no backend"], "403: no backend is called")}${flowOn(flow(undefined, undefined), row.y + BOX / 2)}`
          : ruleParts(id, row, rows[i + 1], flow),
      )}
      ${node("route", COLUMN.route, 1, [route.path, who], `${route.path}: ${who}`)}
    </svg>
  </div>`;
}
