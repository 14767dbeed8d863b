// What the caches between the gateway and a caller are told. An answer to an authenticated request is one caller's own:
// no shared cache may give it to the next one (RFC 9111, section 3.5). Texts in, texts out: nothing here knows of requests.

/** Fields that a shared cache obeys in the place of Cache-Control: that of RFC 9213 first, then those of vendors. */
export const TARGETED = ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"];

/** Directives that let a shared cache keep the answer to a request with Authorization. */
const SHAREABLE = /public|s-maxage|must-revalidate/i;

/**
 * The Cache-Control to send in the place of `text` (null for none), so that no shared cache keeps the answer; undefined
 * where the answer says so already. Without `unlessPrivate`, silence counts as saying so: the request's Authorization
 * then keeps shared caches out.
 * @param {string | null} text
 * @param {boolean} unlessPrivate
 */
export function privateCacheControl(text, unlessPrivate) {
  if (text === null) return unlessPrivate ? "private" : undefined;
  // Nearly all answers end here.
  if (!unlessPrivate && !SHAREABLE.test(text)) return undefined;
  const said = read(text);
  const isKept = said.shared || (!said.closed && (unlessPrivate || said.revalidated));
  return isKept ? withPrivate(said) : undefined;
}

/**
 * `text` with `private` in it, and without what says the opposite.
 * @param {string | null} text
 */
export function forcedPrivate(text) {
  return text === null ? "private" : withPrivate(read(text));
}

/**
 * Whether a targeted field keeps its cache from sharing the answer.
 * @param {string} text
 */
export function closesTarget(text) {
  const { closed, shared } = read(text);
  return closed && !shared;
}

/**
 * What a Cache-Control field says.
 * @typedef {object} Directives
 * @property {string[]} pieces the parts between commas
 * @property {boolean} shared whether the answer may be shared, by `public` or `s-maxage`
 * @property {boolean} revalidated whether the answer may be shared, by `must-revalidate`
 * @property {boolean} closed whether no shared cache may store the answer
 */

/**
 * Reads the directives of one or more field lines, which Fetch joins by commas.
 *
 * Caches differ in whether a comma inside quotes parts directives. So what opens the answer counts in either reading, and
 * what closes it only in both.
 * @param {string} text
 * @returns {Directives}
 */
function read(text) {
  const pieces = splitOutsideQuotes(text);
  const strict = directives(pieces);
  const naive = directives(text.split(","));
  /** @type {(name: string) => boolean} */
  const either = (name) => strict.has(name) || naive.has(name);
  /** @type {(name: string) => boolean} */
  const both = (name) => strict.get(name) === "" && naive.get(name) === "";
  return {
    pieces,
    shared: either("public") || either("s-maxage"),
    revalidated: either("must-revalidate"),
    // `private="field"` is of that field alone (RFC 9111, section 5.2.2.7). A cache that knows the status may take
    // no-store for not said where `must-understand` stands beside it (section 5.2.2.3).
    closed: both("private") || (both("no-store") && !either("must-understand")),
  };
}

/**
 * Name → what stands behind it; "" for nothing, which counts where a name stands twice.
 * @param {string[]} pieces
 * @returns {Map<string, string>}
 */
function directives(pieces) {
  const found = new Map();
  for (const piece of pieces) {
    const name = nameOf(piece);
    if (found.get(name) !== "") found.set(name, piece.includes("=") ? piece.slice(piece.indexOf("=")) : "");
  }
  return found;
}

/** @param {string} piece */
function nameOf(piece) {
  const end = piece.indexOf("=");
  return (end < 0 ? piece : piece.slice(0, end)).trim().toLowerCase();
}

/**
 * The parts between commas that stand in no quoted-string (RFC 9110, section 5.6.4).
 * @param {string} text
 */
function splitOutsideQuotes(text) {
  const pieces = [];
  let from = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (quoted && character === "\\") at += 1;
    else if (character === '"') quoted = !quoted;
    else if (character === "," && !quoted) {
      pieces.push(text.slice(from, at));
      from = at + 1;
    }
  }
  // A quote that nobody closes would hide what stands behind it: no part of it is handed on.
  if (!quoted) return [...pieces, text.slice(from)];
  const open = text.slice(from).split(",");
  return [...pieces, ...open.filter((piece) => !piece.includes('"'))];
}

const OPENING = ["public", "s-maxage"];

/**
 * All directives but those that open the answer, in their order; then `private`, where it does not stand there yet.
 * @param {Directives} directives
 */
function withPrivate({ pieces }) {
  // In either reading: quotes hide nothing from a cache that does not know them.
  /** @type {(piece: string) => boolean} */
  const opens = (piece) => piece.split(",").some((part) => OPENING.includes(nameOf(part)));
  const kept = pieces.map((piece) => piece.trim()).filter((piece) => piece !== "" && !opens(piece));
  const isThere = kept.some((piece) => piece.toLowerCase() === "private");
  return (isThere ? kept : [...kept, "private"]).join(", ");
}
