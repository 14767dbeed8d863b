// Asks the SQL API of Workers Analytics Engine.
import { callOut, NETWORK } from "../../src/edge/outbound.js";
import { usageOf } from "../core.js";

/** @import { BreakdownRow, Dimension, Figures, Metrics, Question } from "../types.d.ts" */

/** The figures could not be had. The message is for operators. */
export class UsageFailure extends Error {
  name = "UsageFailure";
}

const TIMEOUT = 10_000;
/** An answer that is longer is none that a page can show. */
const MOST_BYTES = 8 << 20;

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
 * Sends SQL and gives the answer's text.
 * @param {Metrics} metrics
 * @param {string} sql
 */
async function send({ api, account, token }, sql) {
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
  if (answer.status === 200) return text;
  if (NO_DATASET.test(text))
    throw new UsageFailure("The dataset holds no point yet: does the gateway have the binding METRICS?");
  throw new UsageFailure(`${STATUSES[answer.status] ?? `The SQL API answered ${answer.status}`}.`);
}

/**
 * Asks one question by the crate's functions for questions of its kind.
 * @param {{ query: (question: string) => string, read: (question: string, answer: string) => string }} by
 * @param {Metrics} metrics
 * @param {object} question
 */
async function ask({ query, read }, metrics, question) {
  const text = JSON.stringify(question);
  const { sql, error } = JSON.parse(query(text));
  if (error !== undefined) throw new UsageFailure(`The figures cannot be asked: ${error}.`);
  const said = JSON.parse(read(text, await send(metrics, sql)));
  // What is wrong with an answer may quote it.
  if (said.error !== undefined) throw new UsageFailure("The SQL API answered something else than figures.");
  return said;
}

/**
 * Figures of one dimension, or over time, or in all.
 * @type {(metrics: Metrics, question: Question) => Promise<{ sampled: boolean, cut: boolean, rows: Figures[] }>}
 */
export const askFigures = (metrics, question) => ask(usageOf.figures, metrics, question);

/**
 * Requests along several dimensions at once; `codes`: also by the status of the answer.
 * @type {(metrics: Metrics, question: Question & { along: readonly Dimension[], codes?: boolean }) => Promise<{ cut: boolean, rows: BreakdownRow[] }>}
 */
export const askBreakdown = (metrics, question) => ask(usageOf.breakdown, metrics, question);
