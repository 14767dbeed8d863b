// What all forms have in common that change a record: which state of it they were shown with, and what the answer says.
import { base64url } from "../encoding.js";
import { howSoon } from "../how-soon.js";
import { box, hidden, html } from "./parts.js";

/** @import { ContentfulStatusCode } from "hono/utils/http-status" */
/** @import { Change, Content, Ctx, FormFault, Html, Outcome, Records } from "../types.d.ts" */

const OPERATION = /^console-[\w-]{24}$/;
export const newOperation = () => `console-${base64url(crypto.getRandomValues(new Uint8Array(18)))}`;

/**
 * What a form sends back: the state that it was shown with, and the operation that it is, so that it happens once however often
 * it is sent.
 * @type {(was?: string, operation?: string) => Html}
 */
export const shownWith = (was = "", operation = newOperation()) =>
  html`${was ? hidden("was", was) : ""}${hidden("operation", operation)}`;

/**
 * The operation that the form is; undefined where the form names none.
 * @param {Ctx} c
 */
export function operationIn(c) {
  const operation = c.get("form").get("operation") ?? "";
  return OPERATION.test(operation) ? operation : undefined;
}

/** @type {(c: Ctx) => string} */
export const wasIn = (c) => c.get("form").get("was") || "none";

/**
 * Makes changes by the form's operation, for who is signed in.
 * @param {Ctx} c
 * @param {Records} records
 * @param {Change[]} changes
 */
export const change = (c, records, changes) =>
  records.change({
    operation: operationIn(c) ?? newOperation(),
    actor: c.get("accessWho") ?? "console",
    from: c.req.header("cf-connecting-ip") ?? "",
    changes,
  });

/** @type {Record<"changed" | "again" | "refused" | "unknown", ContentfulStatusCode>} */
const STATUSES = { changed: 409, again: 409, refused: 503, unknown: 503 };

/**
 * What is said of a change that was not made, or of which nobody knows.
 * @param {Exclude<Outcome, { done: true }>} outcome
 * @returns {{ fault: FormFault, status: ContentfulStatusCode }}
 */
export const notDone = (outcome) => ({ fault: { what: whatOf(outcome) }, status: STATUSES[outcome.why] });

/**
 * Whether a page has to show the record anew. What was refused has changed nothing, and may not be shown at all.
 * @type {(outcome: Exclude<Outcome, { done: true }>) => boolean}
 */
export const isToBeReadAgain = ({ why }) => why === "changed" || why === "again";

/** @param {Exclude<Outcome, { done: true }>} outcome */
function whatOf(outcome) {
  if (outcome.why === "changed")
    return "The record was changed by somebody else since the page was loaded: nothing was done. What is there now stands below, and what you typed is still here.";
  if (outcome.why === "again")
    return "This form was sent before, and was carried out then. What is there now stands below.";
  if (outcome.why === "refused") return `Nothing was changed. ${outcome.what}`;
  return `Nobody knows whether the change was made. ${outcome.what} Send the form again: it happens once, however often it is sent.`;
}

/**
 * Why nothing can be changed at the moment, before somebody tries.
 * @type {(records: Records) => Content}
 */
export const refusal = ({ refuses }) =>
  refuses &&
  box(
    "warning",
    html`<p><strong>Nothing can be changed at the moment.</strong> ${refuses} What stands here is what KV has, which may be older than what counts.</p>`,
  );

/**
 * What was done by the form before this page, and how soon it counts.
 * @param {Ctx} c
 * @param {Records} records
 * @param {"keys" | "customers"} of
 * @param {Record<string, string>} sayings by what the address says was done
 * @returns {Content}
 */
export function done(c, records, of, sayings) {
  const said = sayings[c.req.query("done") ?? ""];
  if (!said) return "";
  const soon = howSoon(c.get("settings").configuration, of, records);
  return box("good", html`<p role="status"><strong>${said}</strong> ${soon}</p>`);
}

/**
 * Under a list: how old it may be.
 * @type {(records: Pick<Records, "kind" | "isTakingIn">) => Html}
 */
export const listedFrom = ({ kind, isTakingIn }) =>
  kind === "ledger"
    ? html`${isTakingIn && box("warning", html`<p>The ledger still takes in what KV holds, so this list may lack some. That takes minutes after the ledger was first bound.</p>`)}<p class="hint">What was changed here, or by the API, shows at once. What somebody writes to KV by hand shows when the ledger has found it there, in some minutes.</p>`
    : html`<p class="hint">This is KV’s list. It shows changes after a minute or more, and may still have what was just removed.</p>`;
