// What conditions look at, from the gateway's registry of operands: one that is new there is new here too.
import operands from "../schemas/operands.json" with { type: "json" };

const byName = new Map(operands.map((operand) => [operand.name, operand]));

/** Those that the platform says of a client, each with its path into `request.cf`. */
export const OF_PLATFORM = operands.filter(({ cf }) => cf !== undefined);

/** `$country` and `$header:x-beta` in words, a claim by its name. */
export function inWords(written) {
  const [, name, rest] = /^\$([a-z0-9_]+)(?::(.+))?$/s.exec(written) ?? [];
  const operand = byName.get(name);
  if (operand === undefined || (operand.argument === undefined) !== (rest === undefined)) return `the claim ${written}`;
  return rest === undefined ? operand.words : `${operand.words} ${rest}`;
}

/** What stands before its field in a form: "Country". */
export const label = ({ words }) => words.replace(/^the /, "").replace(/^./, (letter) => letter.toUpperCase());

/** What was typed or chosen for it, as the platform would say it; undefined where it cannot be that. */
function asSaid({ type }, text) {
  if (type === "boolean") return text === "yes" ? "1" : undefined;
  if (type !== "number") return text;
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

/** A `request.cf` with what was typed, by the names of operands: { cf, faulty }, of which the second are no values of theirs. */
export function requestCf(typed) {
  const cf = {};
  const faulty = [];
  for (const operand of OF_PLATFORM.filter(({ name }) => typed[name])) {
    const value = asSaid(operand, typed[operand.name]);
    if (value === undefined)
      faulty.push({ operand, what: operand.type === "number" ? "must be a number" : "must be one of the list" });
    const outer = operand.cf.split(".");
    const inner = outer.pop();
    let holder = cf;
    for (const name of outer) holder = holder[name] ??= {};
    holder[inner] = value;
  }
  return { cf, faulty };
}
