// What operators look at by a GET: a record, a page of records or of what a search finds, or of the trail from its end.

/** Lines or records of a page where the query does not say. */
const USUAL = 100;
const MOST = 1000;

/**
 * @typedef {{ op: "record", name: string }
 *   | { op: "trail", before?: number, name?: string, actor?: string, limit: number }
 *   | { op: "keys", customer?: string, subject?: string, behind?: string, limit: number }
 *   | { op: "customers", prefix?: string, behind?: string, limit: number }
 *   | { op: "search", by: string, text: string, descending: boolean, offset: number, limit: number }} Look
 */

/** By what is searched. */
const SEARCHED = ["id", "subject", "customer", "digest"];
/** Bytes of what is searched for at most: nothing that is searched is longer than what an index has of it. */
const MOST_TEXT = 1024;

/**
 * What a query asks to see; nothing where it asks for none of these.
 * @param {URLSearchParams} query
 * @returns {(Look & { fault?: undefined }) | { fault: string } | undefined}
 */
export function lookIn(query) {
  const text = (/** @type {string} */ name) => query.get(name) ?? undefined;
  const record = text("record");
  if (record !== undefined) return { op: "record", name: record };
  const isTrail = query.has("trail");
  const by = text("search");
  if (!isTrail && by === undefined && !query.has("keys") && !query.has("customers")) return undefined;
  const [limit, before] = [numberIn(query.get("limit") ?? String(USUAL)), text("before")];
  if (limit === undefined || limit < 1 || limit > MOST) return { fault: `limit must be a number from 1 to ${MOST}` };
  if (isTrail) {
    const number = before === undefined ? undefined : numberIn(before);
    if (before !== undefined && number === undefined)
      return { fault: "before must be the next of the page before, or be left out" };
    return { op: "trail", before: number, name: text("name"), actor: text("actor"), limit };
  }
  if (by !== undefined) return searchIn(by, query, limit);
  const behind = text("behind");
  if (query.has("keys")) return { op: "keys", customer: text("customer"), subject: text("subject"), behind, limit };
  return { op: "customers", prefix: text("prefix"), behind, limit };
}

/**
 * @param {string} by
 * @param {URLSearchParams} query
 * @param {number} limit
 * @returns {(Look & { fault?: undefined }) | { fault: string }}
 */
function searchIn(by, query, limit) {
  if (!SEARCHED.includes(by)) return { fault: `search must be one of ${SEARCHED.join(", ")}` };
  const text = query.get("text") ?? "";
  if (text.length > MOST_TEXT) return { fault: `text must have at most ${MOST_TEXT} characters` };
  const offset = numberIn(query.get("offset") ?? "0");
  if (offset === undefined) return { fault: "offset must be a number, or be left out" };
  return { op: "search", by, text, descending: query.get("order") === "descending", offset, limit };
}

/** @param {string} text */
const numberIn = (text) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined);
