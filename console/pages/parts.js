// What pages are made of. `html` escapes all that is put into it, so that a record's contents stay text.
import { html, raw } from "hono/html";

/** @import { Content, Field, FormFault, Html } from "../types.d.ts" */

export { html };

/**
 * An attribute without a value, where it is to be there.
 * @type {(name: string, there: boolean | undefined) => Html | ""}
 */
export const flag = (name, there) => (there ? raw(` ${name}`) : "");
/** @type {(name: string, value: string | undefined) => Html | ""} */
const attribute = (name, value) => (value === undefined || value === "" ? "" : html` ${raw(name)}="${value}"`);

/** @type {(id: string, hint: Content, fault: string | undefined) => string} */
const described = (id, hint, fault) => [hint && `${id}-hint`, fault && `${id}-fault`].filter(Boolean).join(" ");
/** @type {(id: string, hint: Content) => Content} */
const hintOf = (id, hint) => hint && html`<p class="hint" id="${id}-hint">${hint}</p>`;
/** @type {(id: string, fault: string | undefined) => Content} */
const faultOf = (id, fault) =>
  fault && html`<p class="fault" id="${id}-fault"><span class="sr">Error: </span>${fault}</p>`;

/**
 * A labelled line to type in.
 * @param {Field} field
 */
export function textField({
  id,
  name = id,
  label,
  value = "",
  hint,
  fault,
  type = "text",
  required = false,
  optional = !required,
  more = {},
  wide = false,
}) {
  return html`<div class="field${wide ? " wide" : ""}">
    <label for="${id}">${label}${optional ? html` <span class="optional">optional</span>` : ""}</label>
    ${hintOf(id, hint)}${faultOf(id, fault)}
    <input id="${id}" name="${name}" type="${type}" value="${value}"${flag("required", required)}${attribute("aria-describedby", described(id, hint, fault))}${attribute("aria-invalid", fault && "true")}${Object.entries(more).map(([key, text]) => attribute(key, text))}>
  </div>`;
}

/** @param {Pick<Field, "id" | "name" | "label" | "value" | "hint" | "fault" | "required"> & { rows?: number }} field */
export function area({ id, name = id, label, value = "", hint, fault, required = false, rows = 3 }) {
  // A browser drops the first line break behind the tag; this one is there to be dropped.
  return html`<div class="field wide">
    <label for="${id}">${label}${required ? "" : html` <span class="optional">optional</span>`}</label>
    ${hintOf(id, hint)}${faultOf(id, fault)}
    <textarea id="${id}" name="${name}" rows="${rows}" spellcheck="false" autocapitalize="off"${attribute("aria-describedby", described(id, hint, fault))}${attribute("aria-invalid", fault && "true")}>
${value}</textarea>
  </div>`;
}

/** @param {Pick<Field, "id" | "name" | "label" | "value" | "hint" | "fault"> & { options: [value: string, label: string][] }} field */
export function choice({ id, name = id, label, value, options, hint, fault }) {
  return html`<div class="field">
    <label for="${id}">${label}</label>
    ${hintOf(id, hint)}${faultOf(id, fault)}
    <select id="${id}" name="${name}"${attribute("aria-describedby", described(id, hint, fault))}${attribute("aria-invalid", fault && "true")}>
      ${options.map(([option, text]) => html`<option value="${option}"${flag("selected", option === value)}>${text}</option>`)}
    </select>
  </div>`;
}

/** @param {Pick<Field, "id" | "name" | "label" | "hint" | "fault"> & { checked: boolean }} field */
export function tick({ id, name = id, label, checked, hint, fault }) {
  return html`<div class="field tick">
    <input id="${id}" name="${name}" type="checkbox" value="yes"${flag("checked", checked)}${attribute("aria-describedby", described(id, hint, fault))}>
    <label for="${id}">${label}</label>
    ${hintOf(id, hint)}${faultOf(id, fault)}
  </div>`;
}

/**
 * All faults above a form, each a link to its field. `faults`: [{ id, label, what }]; without an id it is plain text.
 * `fresh`: they come of what was sent just now, so they are where the reader goes on.
 * @param {FormFault[]} faults
 * @param {{ fresh?: boolean }} [options]
 * @returns {Html | ""}
 */
export function summary(faults, { fresh = true } = {}) {
  if (faults.length === 0) return "";
  /** @type {(fault: FormFault) => Content} */
  const line = ({ label, what }) => (label ? html`<strong>${label}</strong> ${what}` : what);
  return html`<section class="summary"${fresh ? html` role="alert" tabindex="-1" autofocus` : ""} aria-labelledby="summary-title">
    <h2 id="summary-title">${faults.length === 1 ? "One thing" : `${faults.length} things`} to put right</h2>
    <ul>${faults.map((fault) => html`<li>${fault.id ? html`<a href="#${fault.id}">${line(fault)}</a>` : line(fault)}</li>`)}</ul>
  </section>`;
}

/**
 * A form that changes something: always POST, always with the session's token.
 * @type {(csrf: string, action: string, content: Content, more?: Content) => Html}
 */
export const form = (csrf, action, content, more = "") =>
  html`<form method="post" action="${action}"${more}><input type="hidden" name="csrf" value="${csrf}">${content}</form>`;

/** @type {(name: string, value: string) => Html} */
export const hidden = (name, value) => html`<input type="hidden" name="${name}" value="${value}">`;

/**
 * A box that says something of note. `kind`: note, warning or good.
 * @type {(kind: string, content: Content) => Html}
 */
export const box = (kind, content) => html`<div class="box ${kind}">${content}</div>`;

/**
 * A table with a caption; the first cell of a row is its header. Wide ones scroll in their own frame. `kind` is for the style.
 * @param {{ caption: string, columns: Content[], rows: Content[][], none?: string, kind?: string }} parts
 */
export function table({ caption, columns, rows, none = "None.", kind = "" }) {
  if (rows.length === 0) return html`<p class="none">${none}</p>`;
  return html`<div class="scroll ${kind}" tabindex="0" role="region" aria-label="${caption}">
    <table>
      <caption>${caption}</caption>
      <thead><tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
      <tbody>${rows.map(([first, ...rest]) => html`<tr><th scope="row">${first}</th>${rest.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody>
    </table>
  </div>`;
}

/**
 * Names and values as a list. Pairs whose value is undefined are left out.
 * @type {(pairs: [name: string | Html, value: Content][]) => Html}
 */
export const facts = (pairs) =>
  html`<dl class="facts">${pairs.filter(([, value]) => value !== undefined).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

/** @type {(name: string) => string} */
const readable = (name) => name.replaceAll("_", " ");

/**
 * Any JSON value, whatever it is, as nested lists.
 * @param {unknown} value
 * @returns {Html | string}
 */
export function tree(value) {
  if (value === null || value === undefined) return html`<span class="dim">none</span>`;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "object") return html`<code>${String(value)}</code>`;
  if (JSON.isRawJSON?.(value)) return html`<code>${value.rawJSON}</code>`;
  if (Array.isArray(value)) {
    return value.length === 0
      ? html`<span class="dim">none</span>`
      : html`<ul class="tree">${value.map((item) => html`<li>${tree(item)}</li>`)}</ul>`;
  }
  const members = Object.entries(value);
  return members.length === 0
    ? html`<span class="dim">none</span>`
    : facts(members.map(([name, member]) => [readable(name), tree(member)]));
}

/** @type {(value: unknown) => Html} */
export const json = (value) =>
  html`<pre class="json" tabindex="0">${typeof value === "string" ? value : JSON.stringify(value, undefined, 2)}</pre>`;

/** @type {(text: string | undefined) => string[]} */
export const lines = (text) =>
  (text ?? "")
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(Boolean);
