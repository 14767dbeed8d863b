// Asks the SQL API of Workers Analytics Engine.
import { callOut, NETWORK } from "../../src/edge/outbound.js";
import { isObject } from "../json.js";

/** @import { Fault } from "./incidents.js" */
/** @import { JsonObject, Metrics } from "../types.d.ts" */

/** The figures could not be had. The message is for operators. */
export class UsageFailure extends Error {
  name = "UsageFailure";
}

const TIMEOUT = 10_000;
const MOST_BYTES = 8 << 20;

/**
 * The rows of an answer, with numbers as numbers: the API writes those of 64 bits as text.
 * @param {unknown} json
 * @returns {JsonObject[]}
 */
export function rowsIn(json) {
  if (!isObject(json) || !Array.isArray(json.data) || !Array.isArray(json.meta))
    throw new UsageFailure("The SQL API answered something else than rows.");
  const numeric = json.meta
    .filter(isObject)
    .flatMap(({ name, type }) => (/Int|Float|Decimal/.test(String(type)) ? String(name) : []));
  return json.data.filter(isObject).map((row) => ({
    ...row,
    ...Object.fromEntries(numeric.map((name) => [name, Number(row[name]) || 0])),
  }));
}

/** @type {Record<number, string>} */
const STATUSES = {
  400: "The SQL API does not take the question",
  401: "The SQL API does not take METRICS_TOKEN",
  403: "METRICS_TOKEN lacks the permission Account Analytics: Read for this account",
  404: "The SQL API has no such account",
  429: "The SQL API is asked too often just now: load the page again in a minute",
};
/** What the API says of a dataset that nobody has written to yet. */
const NO_DATASET = /unable to find type of column|no such (table|dataset)|unknown table/i;

/**
 * Asks one question.
 * @param {Metrics} metrics
 * @param {string} sql
 * @returns {Promise<JsonObject[]>}
 */
export async function ask({ api, account, token }, sql) {
  let answer;
  try {
    answer = await callOut(NETWORK, `${api}/accounts/${account}/analytics_engine/sql`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "text/plain" },
      body: sql,
      signal: AbortSignal.timeout(TIMEOUT),
    });
  } catch {
    throw new UsageFailure("The SQL API does not answer.");
  }
  const text = (await answer.text()).slice(0, MOST_BYTES);
  if (answer.status !== 200) {
    if (NO_DATASET.test(text))
      throw new UsageFailure("The dataset holds no point yet: does the gateway have the binding METRICS?");
    throw new UsageFailure(`${STATUSES[answer.status] ?? `The SQL API answered ${answer.status}`}.`);
  }
  try {
    return rowsIn(JSON.parse(text));
  } catch (error) {
    throw error instanceof UsageFailure ? error : new UsageFailure("The SQL API answered no JSON.");
  }
}
