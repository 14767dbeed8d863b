// What the gateway's variables say, as far as the console knows: those that [env.console.vars] has under the same names. A Worker
// cannot tell a variable from a secret, so that a value is shown only where the configuration uses it for what is none.
import { isOperatorSecret } from "./core.js";
import { isObject } from "./json.js";

/** @import { Bindings, Configuration } from "./types.d.ts" */

/**
 * A variable of the configuration: where it is used, as dotted paths, and its value; without one, why.
 * @typedef {{ name: string, uses: string[], value?: string, why?: "secret" | "unset" }} Variable
 */

/** Members that hold no secret. Whatever is not among them is taken for one. */
const OPEN = new Set(["allow_http", "audience", "issuer", "region", "url"]);
/** The console's own. */
const NEVER = new Set(["CONSOLE_SECRET", "METRICS_TOKEN", "OPERATOR_SECRET"]);

/**
 * @param {unknown} value
 * @param {string[]} path
 * @param {(name: string, path: string[]) => void} found
 */
function walk(value, path, found) {
  if (typeof value === "string") for (const [, name] of value.matchAll(/\$\{(\w+)\}/g)) found(name, path);
  else if (Array.isArray(value)) for (const item of value) walk(item, path, found);
  else if (isObject(value)) for (const [name, member] of Object.entries(value)) walk(member, [...path, name], found);
}

/**
 * A value that can be shown: of a URL what stands before its query, and nothing where it holds credentials.
 * @param {string} text
 */
function shown(text) {
  if (isOperatorSecret(text)) return undefined;
  const url = URL.parse(text);
  if (url === null || !/^(https?|vpc|binding):$/.test(url.protocol)) return text;
  if (url.username || url.password) return undefined;
  return text.replace(/[?#].*$/s, "");
}

/**
 * The variables of a configuration, in the order of their names.
 * @param {Configuration} configuration
 * @param {Bindings} env
 * @returns {Variable[]}
 */
export function variablesOf(configuration, env) {
  /** @type {Map<string, { uses: Set<string>, isOpen: boolean }>} */
  const all = new Map();
  walk(configuration, [], (name, path) => {
    const known = all.get(name) ?? { uses: new Set(), isOpen: true };
    known.uses.add(path.join("."));
    known.isOpen &&= OPEN.has(path.at(-1) ?? "");
    all.set(name, known);
  });
  return [...all]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { uses, isOpen }]) => {
      const variable = { name, uses: [...uses] };
      if (!isOpen || NEVER.has(name)) return { ...variable, why: "secret" };
      const set = env[name];
      if (typeof set !== "string" || set === "") return { ...variable, why: "unset" };
      const value = shown(set);
      return value === undefined ? { ...variable, why: "secret" } : { ...variable, value };
    });
}

/**
 * A text with the variables in it that are known.
 * @param {string} text
 * @param {Variable[]} variables
 */
export const filledIn = (text, variables) =>
  text.replace(/\$\{(\w+)\}/g, (whole, name) => variables.find((one) => one.name === name)?.value ?? whole);
