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
 * What an incident has come to lately, while it went on with others: who or what each is, and since when.
 * @typedef {{ name: Dimension, values: { value: string, requests: number, since: number }[], more: number }} Newcomers
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
 * @property {Newcomers[]} newcomers
 */
/** @typedef {{ since: number, until: number, step: number }} Span In seconds since 1970; `step` in seconds. */

/** Values that are shown of each. */
const SHOWN = 3;
/** A step belongs to an incident that has this part of its worst step; what is below is the usual noise. */
const NOISE = 0.1;
/** So many quiet steps do not end it: few requests come unevenly. */
const GAP = 2;
/** Fewer requests than these begin nothing: they happen. */
const FEW = 5;
/** By what those are told apart that an incident has come to lately. */
const NEW_BY = /** @type {const} */ ([
  "customer",
  "claimedCustomer",
  "key",
  "origin",
  "backend",
  "rule",
  "issuer",
  "version",
]);
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
 * How requests lie in a span: of each step, and since when they go on.
 * @param {BreakdownRow[]} faults at least one
 * @param {Span} span
 */
export function runOf(faults, { since, until, step }) {
  const begin = Math.floor(since / step);
  const steps = Math.max(1, Math.ceil(until / step) - begin);
  const place = (/** @type {BreakdownRow} */ { at = 0 }) =>
    Math.min(steps - 1, Math.max(0, Math.floor(at / step) - begin));
  const series = new Array(steps).fill(0);
  for (const fault of faults) series[place(fault)] += fault.requests;
  const { start, end } = lastRun(series);
  const inRun = faults.filter((fault) => place(fault) >= start && place(fault) <= end);
  const last = Math.max(...inRun.map(({ last }) => last));
  return {
    requests: requestsOf(faults),
    since: Math.min(...inRun.map(({ first }) => first)),
    last,
    isOver: until - last > Math.max(QUIET, GAP * step),
    isFromBefore: start === 0,
    start,
    series,
    inRun,
  };
}

/**
 * Values of a dimension whose requests began clearly behind those of the incident, and still go on. What always fails for
 * somebody would else hide for whom it fails since a few minutes.
 * @param {BreakdownRow[]} faults
 * @param {Dimension} name
 * @param {number} start the step in which the incident began
 * @param {Span} span
 * @returns {Newcomers | undefined}
 */
function newcomersOf(faults, name, start, span) {
  const groups = Map.groupBy(faults, (fault) => fault[name] ?? "");
  groups.delete("");
  const values = [...groups].flatMap(([value, own]) => {
    if (requestsOf(own) < FEW) return [];
    const run = runOf(own, span);
    // All since then: a step that has only just begun is no quiet one.
    const requests = run.series.slice(run.start).reduce((sum, count) => sum + count, 0);
    const isNew = !run.isOver && run.start > start + GAP && requests >= FEW;
    return isNew && run.requests - requests <= NOISE * run.requests ? [{ value, requests, since: run.since }] : [];
  });
  if (values.length === 0) return undefined;
  values.sort((a, b) => b.requests - a.requests);
  return { name, values: values.slice(0, SHOWN), more: Math.max(0, values.length - SHOWN) };
}

/**
 * Whether it is something that was not so before, and goes on.
 * @type {(incident: Incident) => boolean}
 */
const isNews = ({ isOver, isFromBefore, requests, newcomers }) =>
  !isOver && requests >= FEW && (!isFromBefore || newcomers.length > 0);

/**
 * Incidents: those that go on first; of these, those that began within the span or have come to somebody else in it; then the
 * greatest.
 * @param {BreakdownRow[]} faults
 * @param {Span} span
 * @returns {Incident[]}
 */
export function incidentsIn(faults, span) {
  const groups = Map.groupBy(faults, ({ code, reason }) => `${code} ${reason ?? ""}`);
  const incidents = [...groups.values()].map((own) => {
    const { requests, since, last, isOver, isFromBefore, start, series, inRun } = runOf(own, span);
    const total = requestsOf(inRun);
    const abouts = ALONG.filter((name) => name !== "reason").map((name) => aboutOf(inRun, name, total));
    const newcomers = isOver ? [] : NEW_BY.map((name) => newcomersOf(own, name, start, span));
    return {
      ...{ status: own[0].code ?? 0, reason: own[0].reason ?? "" },
      ...{ requests, since, last, isOver, isFromBefore, series },
      about: abouts.filter((about) => about !== undefined),
      newcomers: newcomers.filter((one) => one !== undefined),
    };
  });
  return incidents.sort(
    (a, b) => Number(a.isOver) - Number(b.isOver) || Number(isNews(b)) - Number(isNews(a)) || b.requests - a.requests,
  );
}
