// Conditions of rules, in words.
import { isObject } from "./json.js";

const THINGS = {
  $subject: "the subject",
  $country: "the country",
  $continent: "the continent",
  $region: "the part of the country",
  $eu: "being in the EU",
  $colo: "the data centre",
  $ip: "the address",
  $method: "the method",
  $host: "the host",
};
const PARTS = { header: "field", query: "query parameter", param: "path part" };

function thing(name) {
  if (THINGS[name]) return THINGS[name];
  const [, kind, rest] = /^\$(header|query|param):(.+)$/s.exec(name) ?? [];
  return kind ? `the ${PARTS[kind]} ${rest}` : `the claim ${name}`;
}

const quoted = (value) => (typeof value === "string" ? `“${value}”` : JSON.stringify(value));
const listed = (values) => [values].flat().map(quoted).join(", ");
const oneOf = (values) => {
  const all = [values].flat();
  return all.length === 1 ? quoted(all[0]) : `one of ${listed(all)}`;
};

const TESTS = {
  exists: (wanted) => (wanted ? "is there" : "is not there"),
  equals: (value) => `is ${quoted(value)}`,
  in: (values) => `is ${oneOf(values)}`,
  contains: (value) => `contains ${quoted(value)}`,
  has: (word) => `has the word ${quoted(word)}`,
  prefix: (texts) => `begins with ${oneOf(texts)}`,
  suffix: (texts) => `ends with ${oneOf(texts)}`,
  within: (ranges) => `is within ${listed(ranges)}`,
  any: (test) => `has one value that ${testInWords(test)}`,
  all: (test) => `has only values of which each ${testInWords(test)}`,
  not: (test) => `not: ${testInWords(test)}`,
  ">": (number) => `is above ${quoted(number)}`,
  ">=": (number) => `is at least ${quoted(number)}`,
  "<": (number) => `is below ${quoted(number)}`,
  "<=": (number) => `is at most ${quoted(number)}`,
};

function testInWords(test) {
  if (Array.isArray(test)) return `is ${oneOf(test)}`;
  if (!isObject(test)) return `is ${quoted(test)}`;
  return Object.entries(test)
    .map(([name, value]) => TESTS[name]?.(value) ?? `${name} ${JSON.stringify(value)}`)
    .join(" and ");
}

const group = (text) => (/ (and|or) /.test(text) ? `(${text})` : text);

function memberInWords(name, value) {
  if (name === "$all") return value.map((part) => group(inWords(part))).join(" and ");
  if (name === "$any") return value.map((part) => group(inWords(part))).join(" or ");
  if (name === "$not") return `not (${inWords(value)})`;
  if (name === "$is") return `the condition ${[value].flat().join(" or ")} holds`;
  // An address is always meant as a range, if only of one.
  if (name === "$ip" && (typeof value === "string" || Array.isArray(value)))
    return `${thing(name)} ${TESTS.within(value)}`;
  return `${thing(name)} ${testInWords(value)}`;
}

/** A condition as `when` and `require` have it; "always" where there is none. */
export function inWords(condition) {
  if (condition === undefined) return "always";
  if (typeof condition === "string") return `the condition ${condition} holds`;
  const members = Object.entries(condition).map(([name, value]) => memberInWords(name, value));
  if (members.length < 2) return members[0] ?? "always";
  return members.map((text) => (/ or /.test(text) && !text.startsWith("(") ? `(${text})` : text)).join(" and ");
}
