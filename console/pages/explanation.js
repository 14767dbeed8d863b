// The gateway's explanation, drawn step by step. What this console does not know of is shown all the same.
import { isObject } from "../json.js";
import { bounds } from "./bounds.js";
import { box, facts, html, json, table, tree } from "./parts.js";
import { reasonLink } from "./reasons.js";

/** @import { Content, Html, JsonObject, Said } from "../types.d.ts" */

/** @type {(value: unknown) => string} */
const text = (value) =>
  value === null || value === undefined ? "none" : typeof value === "object" ? JSON.stringify(value) : String(value);
/** @type {Record<string, string>} */
const FORMS = { api_key: "an API key", token: "a token", claims: "claims given by the operator", none: "none" };

/**
 * What is said of each kind of step: [mark, sentence, the members that the sentence has used up].
 * @type {Record<string, (step: JsonObject) => [mark: string, sentence: Content, used: string[]]>}
 */
const STEPS = {
  route: (step) => [
    step.route === null ? "no" : "yes",
    step.route === null ? "No route has this path" : html`The route <code>${text(step.route ?? step.path)}</code>`,
    ["route"],
  ],
  host: (step) => [
    step.customer === null ? "no" : "yes",
    step.customer === null
      ? html`The host <code>${text(step.host)}</code> is no customer's`
      : html`The host <code>${text(step.host)}</code> is that of the customer <code>${text(step.customer)}</code>`,
    ["host", "customer"],
  ],
  credential: (step) => ["", html`The credential: ${FORMS[text(step.form)] ?? text(step.form)}`, ["form"]],
  principal: (step) => ["", html`The caller is <code>${text(step.subject)}</code>`, ["subject"]],
  customer: (step) => ["", html`The customer <code>${text(step.id)}</code>`, ["id"]],
  requirement: (step) => [
    step.holds ? "yes" : "no",
    step.holds
      ? "What the route requires holds"
      : html`What the route requires does not hold${step.why_not ? html`: ${text(step.why_not)}` : ""}`,
    ["holds", "why_not"],
  ],
  rule: (step) => [
    step.matched ? "yes" : "no",
    step.matched
      ? html`The rule <strong>${text(step.rule)}</strong> matches${step.to === undefined ? "" : html` and leads to <strong>${text(step.to)}</strong>`}`
      : html`The rule <strong>${text(step.rule)}</strong> does not match${step.why_not ? html`: ${text(step.why_not)}` : ""}`,
    ["rule", "matched", "why_not", ...(step.matched ? ["to"] : [])],
  ],
  limit: (step) => ["", html`The limit <strong>${text(step.name)}</strong>`, ["name"]],
};

/** @type {Record<string, [sign: string, word: string]>} */
const MARKS = { yes: ["✓", "yes"], no: ["✕", "no"], "": ["•", ""] };

/** @param {unknown} step */
function stepLine(step) {
  if (!isObject(step)) return html`<li class="step">${tree(step)}</li>`;
  const [mark, sentence, used] = STEPS[text(step.step)]?.(step) ?? ["", html`Step <code>${text(step.step)}</code>`, []];
  const rest = Object.entries(step).filter(
    ([name, value]) => name !== "step" && !used.includes(name) && value !== null,
  );
  const [sign, word] = MARKS[mark];
  return html`<li class="step ${mark}"><span class="mark" aria-hidden="true">${sign}</span><div>
    <p>${word ? html`<span class="sr">${word}: </span>` : ""}${sentence}</p>
    ${rest.length > 0 ? tree(Object.fromEntries(rest)) : ""}
  </div></li>`;
}

/** @type {(list: unknown) => Content[][]} */
const pairs = (list) =>
  Array.isArray(list)
    ? list
        .filter(Array.isArray)
        .map(([name, value]) => [html`<code>${text(name)}</code>`, html`<code>${text(value)}</code>`])
    : [];
/** @type {(object: JsonObject, used: string[]) => [name: string, value: Content][]} */
const others = (object, used) =>
  Object.entries(object)
    .filter(([name, value]) => !used.includes(name) && value !== null)
    .map(([name, value]) => [name.replaceAll("_", " "), tree(value)]);

/** @type {(forward: JsonObject) => Html} */
const forwarded = ({ plan: planned, ...forward }) => {
  const plan = isObject(planned) ? planned : {};
  return html`
  ${facts([["Forwarded to", html`<code class="break">${text(forward.url)}</code>`], ...others(forward, ["url", "set", "removed"]), ...others(plan, ["attempts"])])}
  ${Array.isArray(plan.attempts) && plan.attempts.length > 0 ? html`<h3>Attempts, in order</h3><ol>${plan.attempts.map((attempt) => html`<li>${tree(attempt)}</li>`)}</ol>` : ""}
  <h3>Fields that are set</h3>${table({ caption: "Fields that the backend gets from the gateway", columns: ["Field", "Value"], rows: pairs(forward.set) })}
  <h3>Fields that are removed</h3>${tree(forward.removed ?? [])}`;
};

/** @type {(answer: JsonObject) => Html} */
const answered = (answer) => html`
  ${facts([["The gateway itself answers", html`<strong>${text(answer.status)}</strong>`], ...others(answer, ["status", "fields"])])}
  ${answer.fields ? table({ caption: "Fields of the answer", columns: ["Field", "Value"], rows: pairs(answer.fields) }) : ""}`;

/** With a capital letter. @type {(words: string) => string} */
const sentence = (words) => words.replace(/^./, (letter) => letter.toUpperCase());

/** @type {(name: unknown) => Html | string} */
const named = (name) => html`<strong>${text(name)}</strong>`;

/**
 * What came of it, in one line: the status and its reason, or the backend, and by which rule.
 * @param {JsonObject} found
 */
function verdict(found) {
  const steps = Array.isArray(found.steps) ? found.steps.filter(isObject) : [];
  const matched = steps.find(({ step, matched: isMatched }) => step === "rule" && isMatched === true);
  /** @type {JsonObject} */
  const decided = isObject(found.decision) ? found.decision : {};
  /** @type {JsonObject} */
  const decision = { rule: matched?.rule, backend: matched?.to, ...decided };
  const forward = isObject(found.forward) ? found.forward : undefined;
  const answer = isObject(found.answer) ? found.answer : undefined;
  const by = decision.rule ? html` by the rule ${named(decision.rule)}` : "";
  const on = decision.route ? html` of the route <code>${text(decision.route)}</code>` : "";
  if (found.outcome === "answer" && answer !== undefined) {
    const isRefusal = Number(answer.status) >= 400;
    const reason = answer.reason ? html`: ${reasonLink(text(answer.reason))}` : "";
    const why = answer.why ? ` ${sentence(text(answer.why))}.` : "";
    return box(
      isRefusal ? "bad" : "note",
      html`<p role="status"><strong>${text(answer.status)}</strong>${reason}.${why} The gateway would answer it itself${by}${by ? on : ""}.</p>`,
    );
  }
  if (found.outcome !== "forward" || forward === undefined)
    return box("note", html`<p role="status"><strong>Outcome: ${text(found.outcome)}</strong></p>`);
  const backend = decision.backend ? html` to the backend ${named(decision.backend)}` : "";
  const url = forward.url ? html` <code class="break">${text(forward.url)}</code>` : "";
  return box("good", html`<p role="status"><strong>It would be forwarded</strong>${backend}${by}${on}.${url}</p>`);
}

const KNOWN = ["explanation", "request", "outcome", "decision", "steps", "forward", "answer", "bounds"];

/**
 * Draws what the gateway said.
 * @param {Said} said
 */
export function explanation(said) {
  if (said.failed !== undefined) return box("warning", html`<p>The gateway could not be asked: ${said.failed}</p>`);
  const found = said.json;
  if (!isObject(found) || found.explanation !== 1 || !Array.isArray(found.steps)) {
    return html`${box("warning", html`<p><strong>The gateway gave no explanation but an answer, ${said.status}.</strong> Is its version one that explains, and is the operator secret (<code>OPERATOR_SECRET</code>) the one that it has?</p>`)}
      ${json(found ?? said.text ?? "")}`;
  }
  const forward = isObject(found.forward) ? found.forward : undefined;
  const answer = isObject(found.answer) ? found.answer : undefined;
  const rest = Object.entries(found).filter(([name]) => !KNOWN.includes(name));
  return html`<section aria-labelledby="explanation" class="explanation">
    <h2 id="explanation" tabindex="-1" autofocus>What would happen</h2>
    ${verdict(found)}
    <h3>Step by step</h3>
    <ol class="steps">${found.steps.map(stepLine)}</ol>
    ${found.request ? html`<h3>What was asked</h3>${tree(found.request)}` : ""}
    ${found.decision ? html`<h3>What the log would say</h3>${tree(found.decision)}` : ""}
    ${forward ? forwarded(forward) : ""}
    ${answer ? answered(answer) : ""}
    ${Array.isArray(found.bounds) && found.bounds.length > 0 ? html`<h3>How old this may be elsewhere</h3>${bounds(found.bounds)}` : ""}
    ${rest.length > 0 ? tree(Object.fromEntries(rest)) : ""}
  </section>`;
}
