import { html } from "hono/html";
import { form } from "./parts.js";

/** @import { ContentfulStatusCode } from "hono/utils/http-status" */
/** @import { Content, Ctx, Html, Session } from "../types.d.ts" */

const PLACES = [
  ["/", "Overview"],
  ["/customers", "Customers"],
  ["/keys", "Keys"],
  ["/audit", "Audit"],
  ["/rules", "Rules"],
  ["/explain", "Explain"],
  ["/health", "Health"],
];

/**
 * What a page is made of. `at` is the place it belongs to, `session` absent on pages that nobody is signed in for,
 * `faulty` says in the title that something is to be put right, for those who hear it first.
 * @typedef {{ title: string, at?: string, session?: Session, who?: string, content: Content, faulty?: boolean }} Page
 */

/**
 * A whole page.
 * @type {(parts: Page) => Html}
 */
export const page = ({ title, at, session, who, content, faulty = false }) => html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${faulty ? "Error: " : ""}${title} – Pointsman console</title>
<link rel="stylesheet" href="/assets/console.css">
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<script src="/assets/comfort.js" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
  <p class="brand"><a href="/">Pointsman <span>console</span></a></p>
  ${
    session &&
    html`<nav aria-label="Console">
    <ul>${PLACES.map(([path, name]) => html`<li><a href="${path}"${path === at ? html` aria-current="page"` : ""}>${name}</a></li>`)}</ul>
  </nav>
  <div class="who"><span>${who ? html`You are <strong>${who}</strong>` : "You are signed in with the sign-in secret"}</span>${form(session.csrf, "/sign-out", html`<button class="quiet">Sign out</button>`)}</div>`
  }
</header>
<main id="main" tabindex="-1">
<h1>${title}</h1>
${content}
</main>
</body>
</html>
`;

/**
 * What a page says that has nothing else to say.
 * @type {(text: string) => Html}
 */
export const message = (text) => html`<p>${text}</p>`;

/**
 * Answers with a page for somebody who is signed in.
 * @type {(c: Ctx, parts: Pick<Page, "title" | "at" | "content" | "faulty"> & { status?: ContentfulStatusCode }) => Response | Promise<Response>}
 */
export const show = (c, { status = 200, ...rest }) =>
  c.html(page({ session: c.get("session"), who: c.get("accessWho"), ...rest }), status);
