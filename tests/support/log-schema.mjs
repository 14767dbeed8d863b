// Checks log lines against schemas/log-line.schema.json. It knows the part of JSON Schema that this file uses, and fails on
// any other keyword. tests/schemas.rs tries the examples of fixtures/log-lines.json with a whole implementation, and
// tests/edge/log-lines.test.mjs with this one: both must find the same.

import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

export const SCHEMA = JSON.parse(readFileSync(new URL("../../schemas/log-line.schema.json", import.meta.url), "utf8"));

const TYPES = {
  string: (value) => typeof value === "string",
  integer: (value) => Number.isInteger(value),
  number: (value) => typeof value === "number",
  array: (value) => Array.isArray(value),
  object: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
};

const has = (object, name) => Object.hasOwn(object, name);

/** Each gives what is wrong with a value, at its place: nothing, or texts. */
const KEYWORDS = {
  $ref: (ref, value, at) => faults(resolve(ref), value, at),
  type: (type, value, at) => (TYPES[type](value) ? [] : [`${at} is no ${type}`]),
  const: (only, value, at) => (isDeepStrictEqual(value, only) ? [] : [`${at} is not ${only}`]),
  enum: (all, value, at) => (all.includes(value) ? [] : [`${at} is none of ${all.join(", ")}`]),
  pattern: (pattern, value, at) =>
    typeof value !== "string" || new RegExp(pattern, "u").test(value) ? [] : [`${at} does not match ${pattern}`],
  minLength: (least, value, at) =>
    typeof value !== "string" || [...value].length >= least ? [] : [`${at} is too short`],
  minimum: (least, value, at) => (typeof value !== "number" || value >= least ? [] : [`${at} is below ${least}`]),
  maximum: (most, value, at) => (typeof value !== "number" || value <= most ? [] : [`${at} is above ${most}`]),
  items: (schema, value, at) =>
    TYPES.array(value) ? value.flatMap((item, index) => faults(schema, item, `${at}/${index}`)) : [],
  required: (names, value, at) => missing(names, value, at),
  dependentRequired: (groups, value, at) =>
    TYPES.object(value)
      ? Object.entries(groups).flatMap(([name, names]) =>
          has(value, name) ? missing(names, value, `${at} with ${name}`) : [],
        )
      : [],
  properties: (properties, value, at) =>
    TYPES.object(value)
      ? Object.entries(value).flatMap(([name, member]) =>
          has(properties, name) ? faults(properties[name], member, `${at}/${name}`) : [],
        )
      : [],
  oneOf: (schemas, value, at) => {
    const all = schemas.map((schema) => faults(schema, value, at));
    const right = all.filter((found) => found.length === 0).length;
    if (right === 1) return [];
    // Of all alternatives, the one that is meant.
    const meant = schemas.findIndex((schema) => isMeant(schema, value));
    return right > 1 || meant < 0 ? [`${at} is ${right} of the alternatives`] : all[meant];
  },
};

/** Keywords that say nothing of a value, or that another one reads. */
const WORDS = ["$schema", "$defs", "title", "description", "additionalProperties"];

function missing(names, value, at) {
  return TYPES.object(value) ? names.filter((name) => !has(value, name)).map((name) => `${at} lacks ${name}`) : [];
}

function resolve(ref) {
  const schema = SCHEMA.$defs[ref.replace("#/$defs/", "")];
  if (schema === undefined) throw new Error(`the schema refers to ${ref}, which is not there`);
  return schema;
}

function isMeant(schema, value) {
  const { event } = resolve(schema.$ref).properties;
  return TYPES.object(value) && faults(event, value.event, "").length === 0;
}

function faults(schema, value, at) {
  const found = Object.entries(schema).flatMap(([keyword, argument]) => {
    if (WORDS.includes(keyword)) return [];
    if (!has(KEYWORDS, keyword)) throw new Error(`the schema uses ${keyword}, which is not known here`);
    return KEYWORDS[keyword](argument, value, at);
  });
  if (schema.additionalProperties === false && TYPES.object(value)) {
    const more = Object.keys(value).filter((name) => !has(schema.properties ?? {}, name));
    found.push(...more.map((name) => `${at} has ${name}`));
  }
  return found;
}

/** What is wrong with a line, each fault with its place; empty for a line as it must be. */
export const faultsOfLine = (line) => faults(SCHEMA, line, "");
