// The page as HTML. It has no script: forms do everything.
import { randomUUID } from "node:crypto";

/** @import { Key, NewKey } from "./api.mjs" */

/** @param {unknown} text */
const escaped = (text) =>
  String(text).replace(/[&<>"']/g, (letter) => `&#${/** @type {number} */ (letter.codePointAt(0))};`);

/**
 * HTML in which every value is text, but for what is HTML already.
 * @param {TemplateStringsArray} parts
 * @param {...unknown} values
 */
function html(parts, ...values) {
  const shown = values.map((value) => {
    if (Array.isArray(value)) return value.join("");
    return value instanceof Html ? value : escaped(value ?? "");
  });
  return new Html(String.raw({ raw: parts }, ...shown));
}
class Html extends String {}

/** @param {string | undefined} instant */
const day = (instant) => (instant ? html`<time datetime="${instant}">${instant.slice(0, 10)}</time>` : "–");

/**
 * @param {{ customer: string, keys: Key[], made?: NewKey, message?: string }} shown
 */
export const page = ({ customer, keys, made, message }) =>
  `<!doctype html>${html`<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>API keys of ${customer}</title>
  <link rel="stylesheet" href="/page.css">
</head>
<body>
<main>
  <h1>API keys of ${customer}</h1>
  ${message ? html`<p class="message" role="alert">${message}</p>` : ""}
  ${made ? newKey(made) : ""}
  ${keys.length > 0 ? table(keys) : html`<p>There is no key yet.</p>`}
  <h2>Make a key</h2>
  <form method="post" action="/keys">
    ${once()}
    <p><label for="name">Name, such as the program that uses it</label><br>
      <input id="name" name="name" required maxlength="60" autocomplete="off"></p>
    <p><label for="days">It works for</label><br>
      <select id="days" name="days">
        <option value="30">30 days</option><option value="90" selected>90 days</option>
        <option value="365">a year</option><option value="">ever</option>
      </select></p>
    <p><button>Make the key</button></p>
  </form>
</main>
</body>
</html>`}`;

// The form that is sent twice has the same value, so that what it asks for happens once.
const once = () => html`<input type="hidden" name="once" value="${randomUUID()}">`;

/** @param {NewKey} made */
const newKey = ({ key, record }) => html`<section class="new" aria-labelledby="new">
    <h2 id="new">Your new key ${record.name ? html`“${record.name}”` : ""}</h2>
    <p>Copy it now: it is shown this once, and stored nowhere.</p>
    <p><code id="key">${key}</code></p>
  </section>`;

/** @param {Key[]} keys */
const table = (keys) => html`<div class="scroll" tabindex="0" role="region" aria-labelledby="keys"><table>
    <caption id="keys">Your keys</caption>
    <thead><tr><th scope="col">Name</th><th scope="col">Key</th><th scope="col">Made</th>
      <th scope="col">Ends</th><th scope="col">State</th><th scope="col">Change</th></tr></thead>
    <tbody>${keys.map(row)}</tbody>
  </table></div>`;

/** @param {Key} key */
const row = ({ id, version, state, record }) => html`<tr>
    <th scope="row">${record.name ?? "without a name"}</th>
    <td data-label="Key"><code>${record.prefix ?? ""}_…</code></td>
    <td data-label="Made">${day(record.createdAt)}</td><td data-label="Ends">${day(record.expiresAt)}</td>
    <td data-label="State">${state}</td>
    <td>${state === "active" ? change("roll", "Roll", "A new key takes its place. This one goes on working for 24 hours.", id, version) : ""}
      ${change("revoke", "Revoke", "Whatever still uses it stops working within ten seconds.", id, version)}</td>
  </tr>`;

/**
 * @param {string} action @param {string} label @param {string} what comes of it
 * @param {string} id @param {number} version
 */
const change = (action, label, what, id, version) => html`<details>
    <summary>${label}</summary>
    <form method="post" action="/keys/${id}/${action}">
      ${once()}<input type="hidden" name="version" value="${version}">
      <p>${what}</p>
      <button>${label} this key</button>
    </form>
  </details>`;
