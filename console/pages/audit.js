// Who changed what, newest first: the ledger's audit trail.
import { customerEntry, digestIn, entryOfDigest } from "../core.js";
import { LedgerFailure, lookAtTrail } from "../ledger.js";
import { hasLedger } from "../records.js";
import { linkTo } from "./key-list.js";
import { show } from "./layout.js";
import { box, hidden, html, table } from "./parts.js";
import { when } from "./when.js";

/** @import { App, Content, Ctx, Html, TrailLine } from "../types.d.ts" */

const AT = "/audit";
const PAGE = 50;
/** Digits of a digest that are enough to tell keys apart on a page. */
const DIGITS = 12;

/** @type {(name: string) => Html} */
export const linkToChanges = (name) =>
  html`<a class="button" href="${AT}?${new URLSearchParams({ of: name })}">Its changes</a>`;

/**
 * Whoever changes something without being an operator.
 * @type {Record<string, string>}
 */
const ACTORS = {
  kv: "somebody, in KV",
  expiry: "its end in KV",
  "config-api": "the config API",
  backup: "a backup, after a restore",
};

/** @type {Record<string, string>} */
const ACTIONS = {
  put: "wrote",
  remove: "removed",
  provide: "the config API’s record of",
  withdraw: "withdrew the config API’s record of",
  revoke: "revoked",
  allow: "allowed again",
};

/**
 * A text in which nobody finds an API key, should somebody have put one into an operation's name.
 * @type {(text: string) => string}
 */
export const withoutKeys = (text) => text.replace(/[0-9A-Za-z]\w*_[0-9A-Za-z]{22,64}_[0-9A-Za-z]{6}/g, "(a key)");

/**
 * What an entry's name names: { kind, text, path }.
 * @param {string} name
 * @returns {{ kind: string, text: string, path?: string }}
 */
export function subjectOf(name) {
  if (name.startsWith(entryOfDigest("")))
    return { kind: "key", text: `${digestIn(name).slice(0, DIGITS)}…`, path: linkTo(digestIn(name)) };
  if (name.startsWith(customerEntry(""))) {
    const id = name.slice(customerEntry("").length);
    return { kind: "customer", text: id, path: `/customer?${new URLSearchParams({ id })}` };
  }
  const [, by, of] = /^token:(jti|sub):(.*)$/s.exec(name) ?? [];
  if (by === undefined) return { kind: "", text: name };
  return { kind: by === "jti" ? "the token" : "all tokens of", text: of };
}

/** @param {TrailLine} line */
function what({ action, name }) {
  const { kind, text, path } = subjectOf(name);
  const shown = withoutKeys(text);
  return html`${ACTIONS[action] ?? action} ${kind} ${path ? html`<a href="${path}">${shown}</a>` : html`<code>${shown}</code>`}`;
}

/**
 * Who made a change, as the way to all that they changed. An address must hold no key either.
 * @param {string} actor
 */
function actorOf(actor) {
  const text = ACTORS[actor] ?? withoutKeys(actor);
  return withoutKeys(actor) === actor ? html`<a href="${AT}?${new URLSearchParams({ who: actor })}">${text}</a>` : text;
}

/** @param {TrailLine} line @returns {Content[]} */
const row = (line) => [
  when(line.at),
  actorOf(line.actor),
  what(line),
  line.from ? html`<span class="time">${line.from}</span>` : html`<span class="dim">–</span>`,
  line.operation ? html`<span class="time">${withoutKeys(line.operation)}</span>` : html`<span class="dim">–</span>`,
];

const LACKING = () =>
  box(
    "warning",
    html`<p><strong>There is no audit trail here.</strong> The gateway’s ledger keeps it. To be set yet: <code>ledger</code> and <code>secret</code> under <code>[operator]</code> in <code>gateway.toml</code>, and the operator secret, <code>OPERATOR_SECRET</code>. Until then each change leaves a line in the console’s own log.</p>`,
  );

/**
 * By whom changes are looked for. A record whose changes alone are shown stays so.
 * @param {string | undefined} of
 * @param {string | undefined} actor
 */
const search = (of, actor) => html`<div class="bar">
      <form method="get" action="${AT}" role="search" class="inline">
        ${of !== undefined && hidden("of", of)}
        <label for="who">Made by</label>
        <input id="who" name="who" type="search" value="${actor ?? ""}" autocapitalize="off" spellcheck="false">
        <button>Show</button>
      </form>
    </div>`;

/**
 * @param {TrailLine[]} lines
 * @param {string | undefined} of the name of an entry, where only its changes are shown
 * @param {string | undefined} actor a part of what whoever made them is called
 */
function trail(lines, of, actor) {
  const { kind, text, path } = subjectOf(of ?? "");
  const whose =
    of === undefined
      ? undefined
      : html`<p>Of the ${kind} ${path ? html`<a href="${path}">${withoutKeys(text)}</a>` : html`<code>${withoutKeys(text)}</code>`} only. <a href="${AT}">All changes</a></p>`;
  const by = actor === undefined ? "" : ` made by “${withoutKeys(ACTORS[actor] ?? actor)}”`;
  return html`${whose}${search(of, actor)}
    ${table({
      caption: `${of === undefined ? "Changes" : "Its changes"}${by}, newest first`,
      columns: ["When", "Who", "What", "From", "Operation"],
      rows: lines.map(row),
      none: "None among those that were looked at.",
      kind: "trail",
    })}`;
}

/** @param {Ctx} c */
async function page(c) {
  const settings = c.get("settings");
  const [of, before] = [c.req.query("of") || undefined, c.req.query("before")];
  const actor = c.req.query("who")?.trim() || undefined;
  const title = of === undefined ? "Audit" : "Audit of one record";
  if (!hasLedger(settings) || !settings.operatorSecret) return show(c, { title, at: AT, content: LACKING() });
  const wanted = before !== undefined && /^\d{1,15}$/.test(before) ? before : undefined;
  let found;
  try {
    found = await lookAtTrail(settings, { name: of, actor, before: wanted, limit: PAGE });
  } catch (error) {
    if (!(error instanceof LedgerFailure)) throw error;
    const content = box("warning", html`<p>${error.message}</p>`);
    return show(c, { status: 503, title, at: AT, content });
  }
  /** @type {(more: Record<string, string>) => string} */
  const link = (more) =>
    `${AT}?${new URLSearchParams({ ...(of !== undefined && { of }), ...(actor !== undefined && { who: actor }), ...more })}`;
  const content = html`${trail(found.lines, of, actor)}
    <p class="hint">Kept for 400 days. Somebody who edits KV by hand is not known by name.</p>
    <nav class="pager" aria-label="Pages">${wanted && html`<a href="${link({})}">Newest</a>`}${found.next !== undefined && html`<a href="${link({ before: String(found.next) })}">Older</a>`}</nav>`;
  return show(c, { title, at: AT, content });
}

/** @type {(app: App) => void} */
export const auditPages = (app) => void app.get(AT, page);
