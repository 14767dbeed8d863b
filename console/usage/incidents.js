// Errors and refusals put together to what goes wrong: by status and reason, with who and what each is about, and since when.
/** @import { BreakdownRow, Dimension } from "../types.d.ts" */

/** By what errors and refusals are told apart. */
export const ALONG = /** @type {const} */ ([
  "reason",
  "customer",
  "claimedCustomer",
  "route",
  "rule",
  "backend",
  "origin",
  "issuer",
  "key",
  "version",
]);

/**
 * What one is about: the most frequent values, each with its share of the requests.
 * @typedef {{ name: Dimension, values: { value: string, requests: number, share: number }[], more: number }} About
 */
/**
 * @typedef {object} Incident
 * @property {number} status
 * @property {string} reason empty where a backend said it
 * @property {number} requests in the whole span
 * @property {number} since in seconds since 1970
 * @property {number} last
 * @property {boolean} isOver whether it has ended
 * @property {boolean} isFromBefore whether it began before the span
 * @property {number[]} series requests of each step
 * @property {About[]} about
 */

/** Values that are shown of each. */
const SHOWN = 3;
/** A step belongs to an incident that has this part of its worst step; what is below is the usual noise. */
const NOISE = 0.1;
/** So many quiet steps do not end it: few requests come unevenly. */
const GAP = 2;
/** What has not been seen for so many seconds, and for as many steps, is over. */
const QUIET = 300;

/**
 * The steps of the last run of those with more than noise: from the first to the last.
 * @param {number[]} series
 */
export function lastRun(series) {
  const threshold = Math.max(...series) * NOISE;
  const isLoud = (/** @type {number} */ count) => count > 0 && count >= threshold;
  const end = series.findLastIndex(isLoud);
  let start = end;
  for (let i = end, quiet = 0; i >= 0 && quiet <= GAP; i--) {
    if (isLoud(series[i])) [start, quiet] = [i, 0];
    else quiet += 1;
  }
  return { start, end };
}

/**
 * @param {BreakdownRow[]} faults
 * @param {Dimension} name
 * @param {number} total
 * @returns {About | undefined}
 */
function aboutOf(faults, name, total) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const fault of faults) {
    const value = fault[name] ?? "";
    counts.set(value, (counts.get(value) ?? 0) + fault.requests);
  }
  const known = [...counts].filter(([value]) => value !== "").sort(([, a], [, b]) => b - a);
  if (known.length === 0) return undefined;
  const values = known.slice(0, SHOWN).map(([value, requests]) => ({ value, requests, share: requests / total }));
  return { name, values, more: known.length - values.length };
}

/** @type {(faults: BreakdownRow[]) => number} */
const requestsOf = (faults) => faults.reduce((sum, { requests }) => sum + requests, 0);

/**
 * Incidents, those that go on first and the greatest of these before the others.
 * @param {BreakdownRow[]} faults
 * @param {{ since: number, until: number, step: number }} span
 * @returns {Incident[]}
 */
export function incidentsIn(faults, { since, until, step }) {
  const begin = Math.floor(since / step);
  const steps = Math.max(1, Math.ceil(until / step) - begin);
  const groups = Map.groupBy(faults, ({ code, reason }) => `${code} ${reason ?? ""}`);
  const incidents = [...groups.values()].map((own) => {
    const series = new Array(steps).fill(0);
    const place = (/** @type {BreakdownRow} */ { at = 0 }) =>
      Math.min(steps - 1, Math.max(0, Math.floor(at / step) - begin));
    for (const fault of own) series[place(fault)] += fault.requests;
    const { start, end } = lastRun(series);
    const inRun = own.filter((fault) => place(fault) >= start && place(fault) <= end);
    const total = requestsOf(own);
    const abouts = ALONG.filter((name) => name !== "reason").map((name) => aboutOf(inRun, name, requestsOf(inRun)));
    return {
      status: own[0].code ?? 0,
      reason: own[0].reason ?? "",
      requests: total,
      since: Math.min(...inRun.map(({ first }) => first)),
      last: Math.max(...inRun.map(({ last }) => last)),
      isOver: until - Math.max(...inRun.map(({ last }) => last)) > Math.max(QUIET, GAP * step),
      isFromBefore: start === 0,
      series,
      about: abouts.filter((about) => about !== undefined),
    };
  });
  return incidents.sort((a, b) => Number(a.isOver) - Number(b.isOver) || b.requests - a.requests);
}
