// What conditions look at, from the gateway's registry of operands: one that is new there is new here too.
import countries from "../schemas/countries.json" with { type: "json" };
import operands from "../schemas/operands.json" with { type: "json" };

/** @import { JsonObject, Operand } from "./types.d.ts" */

const byName = new Map(operands.map((operand) => [operand.name, operand]));

/** Those that the platform provides, each with its path into `request.cf`. */
export const OF_PLATFORM = operands.filter(({ cf }) => cf !== undefined);

/**
 * `$country` and `$header:x-beta` in words, a claim by its name.
 * @param {string} written
 */
export function inWords(written) {
  const [, name = "", rest] = /^\$([a-z0-9_]+)(?::(.+))?$/s.exec(written) ?? [];
  const operand = byName.get(name);
  if (operand === undefined || (operand.argument === undefined) !== (rest === undefined)) return `the claim ${written}`;
  return rest === undefined ? operand.words : `${operand.words} ${rest}`;
}

/**
 * What stands before its field in a form: "Country".
 * @param {Operand} operand
 */
export const label = ({ words }) => words.replace(/^the /, "").replace(/^./, (letter) => letter.toUpperCase());

/**
 * What was typed or chosen for it, as the platform would say it; undefined where it cannot be that.
 * @param {Operand} operand
 * @param {string} text
 */
function asSaid({ type }, text) {
  if (type === "boolean") return text === "yes" ? "1" : text === "no" ? "" : undefined;
  if (type !== "number") return text;
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

/** Codes of countries and their names, in the order of the codes. */
export const COUNTRIES = Object.entries(countries).map(
  ([code, { name }]) => /** @type {[code: string, name: string]} */ ([code, name]),
);

/**
 * What was typed, with what the country implies wherever nothing was typed: the platform says a client's continent, and whether it
 * is in the European Union, by its country. `implied` names what was filled in.
 * @param {Record<string, string>} typed by the names of operands
 */
export function withImplied(typed) {
  const place = countries[(typed.country ?? "").toUpperCase()];
  /** @type {Record<string, string>} */
  const says = place === undefined ? {} : { continent: place.continent, ...(place.eu && { eu: "yes" }) };
  const implied = Object.fromEntries(Object.entries(says).filter(([name]) => !typed[name]));
  /** @type {Record<string, string>} */
  const country = place === undefined ? {} : { country: (typed.country ?? "").toUpperCase() };
  return { platform: { ...typed, ...country, ...implied }, implied: Object.keys(implied) };
}

/**
 * Puts a value at a path into `request.cf`.
 * @param {JsonObject} cf
 * @param {string} path
 * @param {string | number} value
 */
function put(cf, path, value) {
  const [outer = "", inner] = path.split(".");
  if (inner === undefined) cf[outer] = value;
  else cf[outer] = { .../** @type {JsonObject} */ (cf[outer] ?? {}), [inner]: value };
}

/**
 * A `request.cf` with what was typed, by the names of operands; `faulty` are those for which that is no value.
 * @param {Record<string, string>} typed
 */
export function requestCf(typed) {
  /** @type {JsonObject} */
  const cf = {};
  /** @type {{ operand: Operand, what: string }[]} */
  const faulty = [];
  for (const operand of OF_PLATFORM) {
    const text = typed[operand.name];
    if (!text) continue;
    const value = asSaid(operand, text);
    // What does not hold, the platform does not say.
    if (value === "") continue;
    if (value !== undefined) put(cf, operand.cf ?? "", value);
    else faulty.push({ operand, what: operand.type === "number" ? "must be a number" : "must be one of the list" });
  }
  return { cf, faulty };
}
