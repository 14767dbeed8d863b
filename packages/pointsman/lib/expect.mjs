// What is expected of a decision, as `pointsman explain --cases` has it (crates/pointsman-cli/src/explain/expect.rs).

const ANSWER = ["status", "problem", "reason"];

/**
 * The explanation of a decision, as far as cases look at it.
 * @typedef {object} Explanation
 * @property {string} outcome
 * @property {Record<string, unknown>} decision
 * @property {{ url: string, set: [name: string, value: string][] } | null} [forward]
 * @property {Record<string, unknown> | null} [answer]
 */

/**
 * What is otherwise than expected, one text each.
 * @param {Explanation} explanation
 * @param {Record<string, unknown>} expect
 */
export function unmet(explanation, expect) {
  const texts = [];
  for (const [name, wanted] of Object.entries(expect)) {
    const got = found(explanation, name);
    if (text(got) !== text(wanted)) texts.push(`${name} is ${said(got)}, not ${said(wanted)}`);
  }
  const reason = explanation.answer?.reason;
  if (texts.length > 0 && typeof reason === "string") texts.push(`refused because ${reason}`);
  return texts;
}

/**
 * @param {Explanation} explanation
 * @param {string} name
 */
function found({ outcome, decision, forward, answer }, name) {
  if (name === "outcome") return outcome;
  if (name === "url") return forward?.url;
  if (name.startsWith("set.")) {
    const field = name.slice("set.".length).toLowerCase();
    return forward?.set.find(([own]) => own.toLowerCase() === field)?.[1];
  }
  return ANSWER.includes(name) ? answer?.[name] : decision[name];
}

/** @param {unknown} value */
const text = (value) => (typeof value === "string" ? value : JSON.stringify(value ?? null));

/** @param {unknown} value */
const said = (value) => (value === undefined || value === null ? "nothing" : text(value));
