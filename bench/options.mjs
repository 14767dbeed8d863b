// The command line of `npm run bench`.
import { parseArgs } from "node:util";
import { Failure } from "../scripts/lib/failure.mjs";

/** What runs when nothing is said. */
const USUAL = ["size", "side-by-side", "scaling", "flood", "cold"];
/** What runs only when it is named. */
const NAMED = ["cli", "package", "diff", "apply", "directory", "crossings", "profile", "instructions", "load"];
/**
 * Other names of parts.
 * @type {Record<string, string>}
 */
const ALIASES = { memory: "flood", customers: "flood" };

export const USAGE = [
  "npm run bench [-- OPTIONS]",
  `  --only=PART,…   of ${[...USUAL, "memory (the same as flood)", ...NAMED].join(", ")}`,
  "  --quick         few rounds, to see that all runs; no figure is written down",
  "  --rounds N      rounds of each comparison",
  "  --warm-up N     requests before the first round of side-by-side (50000)",
  "  --minutes N     how long the part load takes (10)",
  "  --callers N     how many callers the parts flood, diff and apply go up to (1000000; apply: 100000)",
  "  --no-build      measure what stands in build/",
  "  --accept        write bench/crossings.json and bench/instructions.json anew",
  "  --report        only write docs/performance.md and the chart from bench/results.json",
  "  --json          results to stdout as JSON in place of tables",
];

/** @param {string[]} args */
export function options(args) {
  const usage = (what) => new Failure(what, { advice: USAGE, code: 2 });
  let values;
  try {
    /** @type {{ type: "string" }} */
    const text = { type: "string" };
    /** @type {{ type: "boolean", default: boolean }} */
    const flag = { type: "boolean", default: false };
    const given = {
      only: text,
      rounds: text,
      "warm-up": text,
      minutes: { ...text, default: "10" },
      callers: text,
      quick: flag,
      "no-build": flag,
      accept: flag,
      report: flag,
      json: flag,
      help: flag,
    };
    ({ values } = parseArgs({ args, options: given }));
  } catch (error) {
    throw usage(/** @type {Error} */ (error).message);
  }
  const parts = values.only === undefined ? USUAL : values.only.split(",").map((name) => ALIASES[name] ?? name);
  const unknown = parts.find((name) => ![...USUAL, ...NAMED].includes(name));
  if (unknown !== undefined) throw usage(`--only: there is no part ${unknown}`);
  const number = (name) => {
    const value = Number(values[name]);
    if (!(value > 0)) throw usage(`--${name} must be a number above 0`);
    return value;
  };
  return {
    parts: new Set(parts),
    quick: values.quick,
    rounds: values.rounds === undefined ? undefined : Math.ceil(number("rounds")),
    warmUp: values["warm-up"] === undefined ? undefined : Math.ceil(number("warm-up")),
    minutes: number("minutes"),
    callers: values.callers === undefined ? undefined : number("callers"),
    build: !values["no-build"],
    accept: values.accept,
    report: values.report,
    json: values.json,
    help: values.help,
  };
}
