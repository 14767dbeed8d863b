// When keys and customers were last used, for the management API: by the points of metrics, which Workers Analytics Engine is
// asked for. One call for a page, and none unless somebody wants to know.
import { callOut, NETWORK } from "./outbound.js";

/** @import { Reply } from "./ledger_management.js" */

/**
 * The bindings that it takes: docs/api.md.
 * @typedef {object} Settings
 * @property {string} [CLOUDFLARE_ACCOUNT_ID]
 * @property {string} [METRICS_TOKEN] a token with the permission Account Analytics Read
 * @property {string} [METRICS_DATASET] the name of the dataset that METRICS is bound to
 * @property {string} [METRICS_API] where the API is, in place of Cloudflare's own place
 */

/** An item of a page, as the ledger tells it. @typedef {{ id: string, lastUsed?: string | null }} Item */
/** What is known by its name. @typedef {{ last: Map<string, number>, isSampled: boolean }} Known */

const PARAMETER = "lastUsed";
const API = "https://api.cloudflare.com/client/v4";
/** Analytics Engine keeps points for three months. */
const KEPT_SECONDS = 90 * 86_400;
const TIMEOUT = 10_000;
/** As many as a page may have. */
const MOST_ROWS = 1000;
/** Digits of a key's digest that a point has. */
const KEY_DIGITS = 16;

/** Where items are that can be used, below the base. */
const READS = /^\/v1\/(keys|customers)(?:\/[^/]+)?$/;

/**
 * What is asked for beside the page: keys or customers; undefined where that is nothing. The ledger does not know of the
 * parameter, so it is taken off.
 * @param {string} path
 * @param {URLSearchParams} query
 */
export function takeLastUsed(path, query) {
  const [, kind] = READS.exec(path) ?? [];
  if (kind === undefined || query.get(PARAMETER) !== "true" || query.getAll(PARAMETER).length > 1) return undefined;
  query.delete(PARAMETER);
  return /** @type {"keys" | "customers"} */ (kind);
}

/**
 * Adds to a page, or to one item, when each was last used.
 * @param {Settings} settings
 * @param {"keys" | "customers"} kind
 * @param {Reply} reply of the ledger
 * @param {string} requestId
 * @returns {Promise<Reply>}
 */
export async function addLastUsed(settings, kind, reply, requestId) {
  if (reply.status !== 200) return reply;
  const { CLOUDFLARE_ACCOUNT_ID: account, METRICS_TOKEN: token, METRICS_DATASET: dataset = "pointsman" } = settings;
  if (!account || !token || !/^[A-Za-z_]\w*$/.test(dataset)) {
    const detail =
      "lastUsed needs metrics: bind a dataset as METRICS, and set CLOUDFLARE_ACCOUNT_ID, METRICS_TOKEN and METRICS_DATASET";
    return problem(400, "Bad Request", detail, requestId);
  }
  const body = /** @type {{ keys?: Item[], customers?: Item[] } & Item} */ (reply.body);
  const items = body[kind] ?? [body];
  const now = Math.floor(Date.now() / 1000);
  const since = now - KEPT_SECONDS;
  /** @type {Known} */
  let known = { last: new Map(), isSampled: false };
  try {
    const place = `${settings.METRICS_API ?? API}/accounts/${encodeURIComponent(account)}/analytics_engine/sql`;
    if (items.length > 0) known = await ask(place, token, queryOf(dataset, kind, items, since));
  } catch {
    // Not in the runtime's words, which may quote the URL.
    return problem(503, "Service Unavailable", "what was used when cannot be had now: ask again", requestId, 5);
  }
  for (const item of items) {
    const at = known.last.get(nameOf(kind, item));
    item.lastUsed = at === undefined ? null : instant(at);
  }
  return { ...reply, body: { ...body, usage: { since: instant(since), sampled: known.isSampled } } };
}

const instant = (/** @type {number} */ seconds) => new Date(seconds * 1000).toISOString();

/**
 * The name of an item in a point, as the query has it: the digits of a key's digest, else the bytes of the id, so that no id
 * needs quotes.
 * @param {"keys" | "customers"} kind
 * @param {Item} item
 */
const nameOf = (kind, { id }) =>
  kind === "keys"
    ? id.slice(0, KEY_DIGITS)
    : Array.from(new TextEncoder().encode(id), (byte) => byte.toString(16).padStart(2, "0"))
        .join("")
        .toUpperCase();

/**
 * @param {string} dataset
 * @param {"keys" | "customers"} kind
 * @param {Item[]} items
 * @param {number} since
 */
function queryOf(dataset, kind, items, since) {
  const name = kind === "keys" ? "blob8" : "hex(blob2)";
  const names = items.map((item) => `'${nameOf(kind, item)}'`).join(", ");
  // Who was refused has used nothing; what came as far as a backend has.
  return `SELECT ${name} AS name, max(toUnixTimestamp(timestamp)) AS last_let_in, max(_sample_interval) AS sample_interval
FROM ${dataset}
WHERE timestamp >= toDateTime(${since}) AND blob1 = '1' AND (blob10 = '' OR double6 > 0) AND ${name} IN (${names})
GROUP BY name
LIMIT ${MOST_ROWS}
FORMAT JSON`;
}

/**
 * @param {string} place
 * @param {string} token
 * @param {string} sql
 * @returns {Promise<Known>}
 */
async function ask(place, token, sql) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "text/plain" };
  const signal = AbortSignal.timeout(TIMEOUT);
  const answer = await callOut(NETWORK, place, { method: "POST", headers, body: sql, signal });
  if (answer.status !== 200) {
    await answer.body?.cancel();
    throw new Error("no answer of the SQL API");
  }
  const { data } = /** @type {{ data: Record<string, string | number>[] }} */ (await answer.json());
  return {
    last: new Map(data.map((row) => [String(row.name), Number(row.last_let_in)])),
    isSampled: data.some((row) => Number(row.sample_interval) > 1),
  };
}

/**
 * @param {number} status
 * @param {string} title
 * @param {string} detail
 * @param {string} instance
 * @param {number} [retryAfter] seconds
 * @returns {Reply}
 */
const problem = (status, title, detail, instance, retryAfter) => ({
  status,
  fields: retryAfter === undefined ? [] : [["retry-after", `${retryAfter}`]],
  body: { type: "about:blank", title, status, detail, instance },
});
