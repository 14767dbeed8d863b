// The functions of the dialect that the stand-in has: each with its type, and what SQLite is asked instead.

/** @import { DialectFunction, Type } from "./types.d.ts" */

/** @type {(type: Type) => () => Type} */
const always = (type) => () => type;
/** @type {(given: Type[]) => Type} */
const same = (given) => given[0] ?? "String";
/** @type {(given: Type[]) => Type} */
const summed = ([type]) => (type === "Float64" ? "Float64" : "UInt64");
/** Numbers of different widths meet in the wider one. @type {(given: Type[]) => Type} */
const either = ([, yes, no]) => (yes === no || no === undefined ? (yes ?? "String") : wider(yes ?? no, no));
/** @type {(one: Type, other: Type) => Type} */
export const wider = (one, other) =>
  one === "Float64" || other === "Float64" ? "Float64" : one === "UInt64" || other === "UInt64" ? "UInt64" : "UInt32";

/** @type {(seconds: number) => DialectFunction} */
const startOf = (seconds) => ({
  takes: [1, 1],
  type: always("DateTime"),
  sql: ([time]) => `(${time} - ${time} % ${seconds})`,
});

/** @type {(name: string, aggregate: boolean, type: DialectFunction["type"]) => DialectFunction} */
const ofOne = (name, aggregate, type) => ({
  aggregate,
  takes: [1, 1],
  type,
  sql: ([given]) => `${name}(${given})`,
});

/** @type {Record<string, DialectFunction>} */
const BY_NAME = {
  count: { aggregate: true, takes: [0, 1], type: always("UInt64"), sql: ([given = "*"]) => `count(${given})` },
  sum: ofOne("sum", true, summed),
  avg: ofOne("avg", true, always("Float64")),
  min: ofOne("min", true, same),
  max: ofOne("max", true, same),
  quantileexactweighted: {
    aggregate: true,
    takes: [2, 2],
    parameters: 1,
    type: always("Float64"),
    sql: ([value, weight], [level]) => `quantile_exact_weighted(${level}, ${value}, ${weight})`,
  },
  if: { takes: [3, 3], type: either, sql: (given) => `iif(${given.join(", ")})` },
  now: { takes: [0, 0], type: always("DateTime"), sql: () => "the_time()" },
  todatetime: ofOne("to_date_time", false, always("DateTime")),
  // Times are seconds already.
  tounixtimestamp: ofOne("", false, always("UInt32")),
  touint32: ofOne("to_uint", false, always("UInt32")),
  tostartofinterval: {
    takes: [2, 2],
    type: always("DateTime"),
    sql: ([time, interval]) => `(${time} - ${time} % ${interval})`,
  },
  tostartofminute: startOf(60),
  tostartoffiveminutes: startOf(300),
  tostartofhour: startOf(3600),
  tostartofday: startOf(86_400),
  intdiv: { takes: [2, 2], type: always("UInt64"), sql: ([a, b]) => `CAST(floor(${a} * 1.0 / ${b}) AS INTEGER)` },
  hex: ofOne("hex", false, always("String")),
  lower: ofOne("lower", false, always("String")),
  upper: ofOne("upper", false, always("String")),
  length: ofOne("length", false, always("UInt64")),
  empty: { takes: [1, 1], type: always("Bool"), sql: ([given]) => `(${given} = '')` },
  startswith: {
    takes: [2, 2],
    type: always("Bool"),
    sql: ([given, begin]) => `(substr(${given}, 1, length(${begin})) = ${begin})`,
  },
};

/** By their names in lower case: the dialect does not tell cases apart. */
export const FUNCTIONS = new Map(Object.entries(BY_NAME));

/** What SQLite lacks of that. @type {(database: import("node:sqlite").DatabaseSync, now: () => number) => void} */
export function addFunctions(database, now) {
  database.function("the_time", () => Math.floor(now() / 1000));
  database.function("to_uint", (value) => Math.trunc(Number(value)));
  database.function("to_date_time", { deterministic: true }, (value) => {
    if (/^\d+(\.\d+)?$/.test(String(value))) return Math.trunc(Number(value));
    const millis = Date.parse(`${String(value).replace(" ", "T")}Z`);
    if (Number.isNaN(millis)) throw new Error(`toDateTime cannot read ${value}`);
    return Math.floor(millis / 1000);
  });
  database.aggregate("quantile_exact_weighted", /** @type {import("node:sqlite").AggregateOptions} */ (WEIGHTED));
}

/**
 * As ClickHouse does: the first value, in their order, at which the weights have come to that part of their sum. The types
 * of Node know no state but what SQLite can hold.
 * @type {unknown}
 */
const WEIGHTED = {
  start: () => ({ level: 0, weights: new Map() }),
  /** @type {(state: { level: number, weights: Map<number, number> }, level: number, value: number, weight: number) => object} */
  step(state, level, value, weight) {
    state.level = level;
    if (weight > 0) state.weights.set(value, (state.weights.get(value) ?? 0) + weight);
    return state;
  },
  /** @type {(state: { level: number, weights: Map<number, number> }) => number | null} */
  result({ level, weights }) {
    const sorted = [...weights].sort(([one], [other]) => one - other);
    const threshold = Math.ceil(sorted.reduce((sum, [, weight]) => sum + weight, 0) * level);
    let reached = 0;
    for (const [value, weight] of sorted) {
      reached += weight;
      if (reached >= threshold) return value;
    }
    return null;
  },
};
