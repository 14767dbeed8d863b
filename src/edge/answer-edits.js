// What is done to a backend's answer beside the edits of its route: shared caches are kept out, and so is what a customer's
// own backend may not say. Says what there is to do, so that an answer with nothing to do is handed on as it came.
import { closesTarget, forcedPrivate, privateCacheControl, TARGETED } from "./caching.js";
import { hostOnlyCookie, speaksForOrigin } from "./isolation.js";

/** @import { Edits } from "./wire.js" */

/** Fields that are looked for, each with a bit of its own; foreign ones speak for the whole origin. */
const [CONNECTION, CACHING, TARGET, COOKIE, FOREIGN] = [1, 2, 4, 8, 16];
/** @type {Map<string, number>} */
const verdicts = new Map();
/** Names that backends make up must not fill the memory. */
const MAX_VERDICTS = 512;
const MAX_KEPT_NAME = 64;

/** @param {string} name */
function judge(name) {
  if (name === "connection") return CONNECTION;
  if (name === "cache-control") return CACHING;
  if (name === "set-cookie") return COOKIE;
  if (TARGETED.includes(name)) return TARGET;
  return speaksForOrigin(name) ? FOREIGN : 0;
}

/**
 * Which of these fields an answer has, and the names of the foreign ones: one pass, each name judged once an isolate.
 * @param {Headers} headers
 */
function survey(headers) {
  let seen = 0;
  /** @type {string[]} */
  const foreign = [];
  for (const name of headers.keys()) {
    let bit = verdicts.get(name);
    if (bit === undefined) {
      bit = judge(name);
      if (verdicts.size < MAX_VERDICTS && name.length <= MAX_KEPT_NAME) verdicts.set(name, bit);
    }
    seen |= bit;
    if (bit === FOREIGN) foreign.push(name);
  }
  return { seen, foreign };
}

/** @type {string[]} */
const NOTHING = [];
/** Where only single fields are looked for, each is asked for by its name. */
const UNKNOWN = { seen: CONNECTION | CACHING | TARGET, foreign: NOTHING };

/**
 * What there is to do.
 * @typedef {object} OwnEdits
 * @property {string | null} connection the answer's Connection
 * @property {string | undefined} cacheControl the Cache-Control that is set
 * @property {string[]} remove fields that are taken off
 * @property {string[] | undefined} cookies all cookies that take the place of the answer's
 */

/**
 * What there is to do. Asking for a field costs a thirtieth of what a pass
 * over a dozen names costs, so the pass is made only where any of many names may be there.
 * @param {Headers} headers
 * @param {Edits} edits
 * @returns {OwnEdits}
 */
export function ownEdits(headers, edits) {
  const isLookedThrough = edits.isolates;
  const { seen, foreign } = isLookedThrough ? survey(headers) : UNKNOWN;
  const connection = seen & CONNECTION ? headers.get("connection") : null;
  const remove = [...foreign];
  /** @type {string | undefined} */
  let cacheControl;
  const isPrivate = edits.privacy === "unless-private";
  if (edits.privacy !== "untouched") {
    const said = seen & CACHING ? headers.get("cache-control") : null;
    cacheControl = privateCacheControl(said, isPrivate);
    if (seen & TARGET) {
      // That of RFC 9213 is always asked for. Those of single vendors cost a call each: where nothing else opens the answer,
      // and the caches before us have seen that the request had a credential, they are left alone.
      const mayBeThere = isPrivate || isLookedThrough || cacheControl !== undefined || headers.has(TARGETED[0]);
      for (const name of mayBeThere ? TARGETED : NOTHING)
        if (headers.has(name) && !closesTarget(headers.get(name) ?? "")) remove.push(name);
      if (remove.length > foreign.length) cacheControl = forcedPrivate(said);
    }
  }
  const cookies = seen & COOKIE ? hostOnlyCookies(headers) : undefined;
  return { connection, cacheControl, remove, cookies };
}

/**
 * All cookies of an answer, where one of them is for a whole domain.
 * @param {Headers} headers
 */
function hostOnlyCookies(headers) {
  const sent = headers.getSetCookie();
  const own = sent.map((cookie) => hostOnlyCookie(cookie));
  return own.some((cookie) => cookie !== undefined) ? own.map((cookie, at) => cookie ?? sent[at]) : undefined;
}

/**
 * Does what `ownEdits` said.
 * @param {Headers} headers
 * @param {OwnEdits} own
 */
export function editOwn(headers, { cacheControl, remove, cookies }) {
  for (const name of remove) headers.delete(name);
  if (cacheControl !== undefined) headers.set("cache-control", cacheControl);
  if (cookies !== undefined) {
    headers.delete("set-cookie");
    for (const cookie of cookies) headers.append("set-cookie", cookie);
  }
}
