// Questions to the points of metrics, as SQL of Workers Analytics Engine. docs/metrics.md says what stands where in a point.
// A point may stand for several requests: what is summed is `_sample_interval`, and rows are never counted.

/** The version of points that these questions are for: their first text. */
const SCHEMA = "1";

/** By which texts of a point figures are grouped. */
export const DIMENSIONS = /** @type {const} */ ({
  customer: "blob2",
  route: "blob3",
  rule: "blob4",
  variant: "blob5",
  backend: "blob6",
  origin: "blob7",
  key: "blob8",
  auth: "blob9",
  reason: "blob10",
  configuration: "blob13",
  unverified: "blob15",
});
/** @typedef {keyof typeof DIMENSIONS} Dimension */

/**
 * Of which points, in seconds since 1970; `until` is not among them.
 * @typedef {{ dataset: string, since: number, until: number, where?: Partial<Record<Dimension, string>> }} Scope
 */

/** An error is the backend's or the gateway's; a refusal is the gateway's alone, and a client that left is neither. */
const ERROR = "double2 >= 500";
const REFUSAL = "blob10 != '' AND double2 >= 400 AND double2 < 500 AND double2 != 499";

/** @type {(condition: string, name: string) => string} */
const requestsWhere = (condition, name) => `sum(if(${condition}, _sample_interval, 0)) AS ${name}`;
const COUNTS = [
  "sum(_sample_interval) AS requests",
  requestsWhere(ERROR, "errors"),
  requestsWhere(REFUSAL, "refusals"),
  "max(_sample_interval) AS sampled",
];
const LATENCIES = [
  "quantileExactWeighted(0.5)(double3, _sample_interval) AS p50",
  "quantileExactWeighted(0.95)(double3, _sample_interval) AS p95",
];

/** An index has so many bytes at most: a longer id stands there as a digest. */
const MOST_INDEX_BYTES = 96;

/**
 * A text in SQL. Whether a backslash escapes differs from one SQL to the next, so a text with one is none here.
 * @param {string} text
 */
function quoted(text) {
  if (!isAskable(text)) throw new RangeError("a text that cannot stand in a question");
  return `'${text}'`;
}

/**
 * Whether a text can stand in a question.
 * @type {(text: string) => boolean}
 */
export const isAskable = (text) => /^[^'\\\p{Cc}]*$/u.test(text);

/** @param {Scope} scope */
function from({ dataset, since, until, where = {} }) {
  if (!/^\w+$/.test(dataset)) throw new RangeError("no name of a dataset");
  const conditions = Object.entries(where).map(
    ([name, value]) => `${DIMENSIONS[/** @type {Dimension} */ (name)]} = ${quoted(value)}`,
  );
  // Points are found and sampled by their index.
  const { customer } = where;
  if (customer !== undefined && new TextEncoder().encode(customer).length <= MOST_INDEX_BYTES)
    conditions.push(`index1 = ${quoted(customer)}`);
  const all = [
    `blob1 = '${SCHEMA}'`,
    `timestamp >= toDateTime(${Math.trunc(since)})`,
    `timestamp < toDateTime(${Math.trunc(until)})`,
    ...conditions,
  ];
  return `FROM ${dataset} WHERE ${all.join(" AND ")}`;
}

/** @param {number} step in seconds */
const bucket = (step) => `intDiv(toUInt32(timestamp), ${Math.trunc(step)}) * ${Math.trunc(step)} AS at`;

/** @type {(names: readonly Dimension[]) => string[]} */
const columns = (names) => names.map((name) => `${DIMENSIONS[name]} AS ${name}`);

/**
 * Requests, errors, refusals and how long answers took, over time.
 * @param {Scope} scope
 * @param {number} step in seconds
 */
export const overTime = (scope, step) =>
  `SELECT ${[bucket(step), ...COUNTS, ...LATENCIES].join(", ")} ${from(scope)} GROUP BY at ORDER BY at LIMIT 1000 FORMAT JSON`;

/**
 * The same of each customer, backend, rule or configuration, those with the most errors and refusals first.
 * @param {Scope} scope
 * @param {readonly Dimension[]} by
 * @param {number} [limit]
 */
export function byDimension(scope, by, limit = 20) {
  const first = "toUInt32(min(timestamp)) AS first, toUInt32(max(timestamp)) AS last";
  const what = [...columns(by), ...COUNTS, ...LATENCIES, first].join(", ");
  return `SELECT ${what} ${from(scope)} GROUP BY ${by.join(", ")} ORDER BY errors DESC, refusals DESC, requests DESC LIMIT ${limit} FORMAT JSON`;
}

/** By what errors and refusals are told apart. */
export const OF_FAULTS = /** @type {const} */ ([
  "reason",
  "customer",
  "unverified",
  "route",
  "rule",
  "backend",
  "origin",
  "auth",
  "key",
  "configuration",
]);
/** Rows of faults that are looked at: the platform gives no more than 10 000 of an answer. */
export const MOST_FAULTS = 5000;

/**
 * Errors and refusals with all that tells them apart, over time.
 * @param {Scope} scope
 * @param {number} step in seconds
 */
export function faults(scope, step) {
  const what = [bucket(step), "double2 AS status", ...columns(OF_FAULTS), "sum(_sample_interval) AS requests"];
  const span = "toUInt32(min(timestamp)) AS first, toUInt32(max(timestamp)) AS last";
  return `SELECT ${[...what, span].join(", ")} ${from(scope)} AND (${ERROR} OR (${REFUSAL})) GROUP BY at, status, ${OF_FAULTS.join(", ")} ORDER BY requests DESC LIMIT ${MOST_FAULTS} FORMAT JSON`;
}

/**
 * Requests by where rules led them.
 * @param {Scope} scope
 */
export const traffic = (scope) =>
  `SELECT ${[...columns(["route", "rule", "variant", "backend", "reason"]), ...COUNTS].join(", ")} ${from(scope)} GROUP BY route, rule, variant, backend, reason ORDER BY requests DESC LIMIT 1000 FORMAT JSON`;

/**
 * When the last point was written.
 * @param {Scope} scope
 */
export const lastUse = (scope) =>
  `SELECT toUInt32(max(timestamp)) AS last, sum(_sample_interval) AS requests, max(_sample_interval) AS sampled ${from(scope)} FORMAT JSON`;
