// The console: who may come in, then the pages.
import { Hono } from "hono";
import { verifyAccess } from "./access.js";
import { notice } from "./audit.js";
import { guardAnswer } from "./headers.js";
import { LedgerFailure } from "./ledger.js";
import { auditPages } from "./pages/audit.js";
import { customers } from "./pages/customers.js";
import { explainPages } from "./pages/explain.js";
import { health } from "./pages/health.js";
import { incidentPages } from "./pages/incident.js";
import { keys } from "./pages/keys.js";
import { message, page } from "./pages/layout.js";
import { overviewPages } from "./pages/overview.js";
import { reasonPages } from "./pages/reasons.js";
import { rules } from "./pages/rules.js";
import { signIn } from "./pages/sign-in.js";
import { isLoopback, isSame, openSession } from "./session.js";
import { settingsOf } from "./settings.js";

/** @import { ContentfulStatusCode } from "hono/utils/http-status" */
/** @import { App, Configuration, Ctx, Next } from "./types.d.ts" */

/** Forms are small; what is larger is none of ours. */
const MOST_FORM = 64 * 1024;

/** @type {(c: Ctx, status: ContentfulStatusCode, title: string, text: string) => Response | Promise<Response>} */
const refuse = (c, status, title, text) => c.html(page({ title, content: message(text) }), status);

/**
 * Whether a change was asked for by a page of ours. Browsers send `Origin: null` from pages that tell no referrer, as
 * ours do; then they say themselves whence it comes, in a field that no script can set.
 * @param {Ctx} c
 * @param {URL} url
 */
function isFromHere(c, url) {
  const origin = c.req.header("origin");
  return origin === url.origin || (origin === "null" && c.req.header("sec-fetch-site") === "same-origin");
}

/**
 * Opens the way for one request: settings, scheme, Access, session, and the form with its token.
 * @param {Ctx} c
 * @param {Next} next
 */
async function admit(c, next) {
  const { settings, fault } = settingsOf(c.env, c.get("configuration"));
  if (settings === undefined) {
    notice("console_misconfigured", { what: fault });
    return refuse(c, 503, "Not set up", "The console is not set up. Its log says what is missing.");
  }
  const url = new URL(c.req.url);
  if (url.protocol === "http:" && !isLoopback(url.hostname))
    return refuse(c, 403, "https only", "The console answers over https only.");

  c.set("settings", settings);
  if (settings.access) {
    const { who, why } = await verifyAccess(c.req.header("cf-access-jwt-assertion"), settings.access);
    if (why !== undefined) {
      notice("console_access_refused", { why });
      return refuse(c, 403, "Refused", "This request did not come through the access proxy.");
    }
    c.set("accessWho", who);
  }
  const session = await openSession(c, settings.secret, Date.now());
  c.set("session", session);
  c.set("who", c.get("accessWho") ?? (session.signedIn ? `session ${session.id.slice(0, 8)}` : "a stranger"));

  if (c.req.method === "POST") {
    if (!isFromHere(c, url)) return refuse(c, 403, "Refused", "This form was not sent by a page of the console.");
    if (!(Number(c.req.header("content-length")) <= MOST_FORM))
      return refuse(c, 413, "Too large", "This form is too large.");
    const form = new URLSearchParams(await c.req.text());
    if (!(await isSame(form.get("csrf") ?? "", session.csrf))) {
      return refuse(
        c,
        403,
        "Refused",
        "This form belongs to another session. Go back, load its page again and send it once more.",
      );
    }
    c.set("form", form);
  } else if (c.req.method !== "GET" && c.req.method !== "HEAD") {
    return refuse(c, 405, "No such method", "The console takes GET and POST.");
  }
  return next();
}

/** @type {(c: Ctx, next: Next) => Promise<Response | void>} */
const needSignIn = async (c, next) => {
  if (c.get("session").signedIn) return next();
  if (c.req.method === "POST")
    return refuse(
      c,
      403,
      "Signed out",
      "You are not signed in any more, so nothing was changed. Sign in and send the form again.",
    );
  return c.redirect("/sign-in", 303);
};

/**
 * Who may come in, and all pages.
 * @param {{ configuration: Configuration, assets: [path: string, type: string, text: string][], problems?: string }} parts
 * `problems`: docs/problems.md, which says what reasons mean
 * @returns {App}
 */
export function createConsole({ configuration, assets, problems = "" }) {
  /** @type {App} */
  const app = new Hono();
  app.use(async (c, next) => {
    c.set("configuration", configuration);
    await next();
    guardAnswer(c.res, new URL(c.req.url));
  });
  // These say nothing of anybody, and must not begin sessions.
  for (const [path, type, text] of assets)
    app.get(path, (c) => c.body(text, 200, { "content-type": `${type}; charset=utf-8` }));
  app.get("/favicon.ico", (c) => c.body(null, 404));
  app.get("/robots.txt", (c) => c.text("User-agent: *\nDisallow: /\n"));

  app.use(admit);
  signIn(app);
  app.use(needSignIn);
  for (const pages of [overviewPages, incidentPages, customers, keys, auditPages, rules, explainPages, health])
    pages(app);
  reasonPages(app, problems);

  app.notFound((c) => refuse(c, 404, "Not here", "There is no such page."));
  app.onError((error, c) => {
    // A message may quote what a form held.
    notice("console_error", { name: error.name, where: c.req.path });
    if (error instanceof LedgerFailure)
      return refuse(c, 503, "The ledger does not answer", `${error.message} Nothing was changed by this page.`);
    return refuse(
      c,
      500,
      "Something failed",
      "The console could not do that. What was asked for may have been done in part: look before you try again.",
    );
  });
  return app;
}
