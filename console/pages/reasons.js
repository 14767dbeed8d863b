// What each reason means, and where a reason's link leads.
import { reasonsIn } from "../reasons.js";
import { show } from "./layout.js";
import { html, table } from "./parts.js";

/** @import { App, Content, Html } from "../types.d.ts" */

const AT = "/reasons";

/**
 * A reason as it is named in logs, as a link to what it means.
 * @type {(name: string) => Html}
 */
export const reasonLink = (name) => html`<a href="${AT}#${name}"><code>${name}</code></a>`;

/**
 * Text with `code` in backticks.
 * @param {string} text
 * @returns {Content[]}
 */
const coded = (text) => text.split("`").map((part, i) => (i % 2 === 1 ? html`<code>${part}</code>` : part));

/**
 * @param {App} app
 * @param {string} markdown docs/problems.md
 */
export function reasonPages(app, markdown) {
  const rows = reasonsIn(markdown).map(({ name, problem, status, title, meaning }) => [
    html`<code id="${name}">${name}</code>`,
    `${status} ${title}`,
    html`<code>${problem}</code>`,
    coded(meaning),
  ]);
  const content = html`<p>Why the gateway answers a request itself. Callers see the problem’s type; the reason stands in the log, in the figures and in explanations, for operators only.</p>
    ${table({ caption: "Reasons", columns: ["Reason", "Answer", "Problem type", "What it means"], rows, kind: "trail", none: "This console was built without them: docs/problems.md has them." })}`;
  app.get(AT, (c) => show(c, { title: "Reasons", content }));
}
