// Conditions of rules, in words.
import { isObject } from "./json.js";
import { inWords as operandInWords } from "./operands.js";

/** @import { Condition } from "./types.d.ts" */

/** @type {(value: unknown) => string} */
const quoted = (value) => (typeof value === "string" ? `“${value}”` : JSON.stringify(value));
/** @type {(values: unknown) => string} */
const listed = (values) => [values].flat().map(quoted).join(", ");
/** @type {(values: unknown) => string} */
const oneOf = (values) => {
  const all = [values].flat();
  return all.length === 1 ? quoted(all[0]) : `one of ${listed(all)}`;
};

/** @type {(ranges: unknown) => string} */
const within = (ranges) => `is within ${listed(ranges)}`;

/** @type {Record<string, (value: unknown) => string>} */
const TESTS = {
  exists: (wanted) => (wanted ? "is there" : "is not there"),
  equals: (value) => `is ${quoted(value)}`,
  in: (values) => `is ${oneOf(values)}`,
  contains: (value) => `contains ${quoted(value)}`,
  has: (word) => `has the word ${quoted(word)}`,
  prefix: (texts) => `begins with ${oneOf(texts)}`,
  suffix: (texts) => `ends with ${oneOf(texts)}`,
  within,
  any: (test) => `has one value that ${testInWords(test)}`,
  all: (test) => `has only values of which each ${testInWords(test)}`,
  not: (test) => `not: ${testInWords(test)}`,
  ">": (number) => `is above ${quoted(number)}`,
  ">=": (number) => `is at least ${quoted(number)}`,
  "<": (number) => `is below ${quoted(number)}`,
  "<=": (number) => `is at most ${quoted(number)}`,
};

/**
 * @param {unknown} test
 * @returns {string}
 */
function testInWords(test) {
  if (Array.isArray(test)) return `is ${oneOf(test)}`;
  if (!isObject(test)) return `is ${quoted(test)}`;
  return Object.entries(test)
    .map(([name, value]) => TESTS[name]?.(value) ?? `${name} ${JSON.stringify(value)}`)
    .join(" and ");
}

/** @type {(text: string) => string} */
const group = (text) => (/ (and|or) /.test(text) ? `(${text})` : text);

/** @type {(value: unknown) => Condition[]} */
const conditions = (value) => /** @type {Condition[]} */ (value);

/**
 * @param {string} name
 * @param {unknown} value
 * @returns {string}
 */
function memberInWords(name, value) {
  if (name === "$all") return conditions(value).map(inWords).map(group).join(" and ");
  if (name === "$any") return conditions(value).map(inWords).map(group).join(" or ");
  if (name === "$not") return `not (${inWords(/** @type {Condition} */ (value))})`;
  if (name === "$is") return `the condition ${[value].flat().join(" or ")} holds`;
  // An address is always meant as a range, if only of one.
  if (name === "$ip" && (typeof value === "string" || Array.isArray(value)))
    return `${operandInWords(name)} ${within(value)}`;
  return `${operandInWords(name)} ${testInWords(value)}`;
}

/**
 * A condition as `when` and `require` have it; "always" where there is none.
 * @param {Condition | undefined} condition
 * @returns {string}
 */
export function inWords(condition) {
  if (condition === undefined) return "always";
  if (typeof condition === "string") return `the condition ${condition} holds`;
  const members = Object.entries(condition).map(([name, value]) => memberInWords(name, value));
  if (members.length < 2) return members[0] ?? "always";
  return members.map((text) => (/ or /.test(text) && !text.startsWith("(") ? `(${text})` : text)).join(" and ");
}
