// The texts that cross the boundary between JavaScript and Rust: what each is made of, and how it is read and written.
// `wire.rs` is the other end. `fixtures/wire` has an example of each, which the tests of both ends read.
//
// What crosses together is one text, since each string that crosses is expensive. NUL separates its parts: no URL and no
// field holds it (RFC 9110, section 5.5), and JSON writes it as an escape.

/** Separates the parts of a text. */
const SEPARATOR = "\0";

/**
 * Fields as lines, a name and then its value; see `forEachField`.
 * @typedef {string} FieldLines
 */

/**
 * Names as lines; see `forEachName`.
 * @typedef {string} NameLines
 */

/**
 * How a request is sent, as the core decided.
 * @typedef {object} Dispatch
 * @property {string} url the whole URL
 * @property {NameLines} remove fields of the request that are taken off first
 * @property {FieldLines} set fields of the request that are set last
 * @property {Edits} edits what is done to the answer
 * @property {string} line the beginning of the request's log line
 * @property {string} requestId
 * @property {string} origin the one origin that is called, as a JSON string; empty where there is a plan
 * @property {Plan | undefined} plan how the request is sent, where that is more than one call of one URL
 * @property {Admission | undefined} admission what must let the request pass first
 */

/**
 * What is done to the fields of an answer.
 * @typedef {object} Edits
 * @property {boolean} replacesCors whether the backend's own `Access-Control-*` fields are taken off
 * @property {boolean} varyOrigin whether `Vary: Origin` is added
 * @property {boolean} serverTiming whether the answer says how long its parts took
 * @property {"untouched" | "if-shareable" | "unless-private"} privacy whether shared caches are kept out: never; where the
 *   answer says that it may be shared; unless the answer keeps them out by itself
 * @property {boolean} isolates whether what speaks for the whole origin is taken off
 * @property {number} [shape] the place of the shape that an error is written in; none for a problem
 * @property {readonly [name: string, value: string][]} set fields that are set
 */

/**
 * How a request is sent that may take more than one call of one URL. Durations are milliseconds.
 * @typedef {object} Plan
 * @property {Attempt[]} attempts one after the other, each as long as those before it failed
 * @property {number} deadline of all attempts together
 * @property {number[]} statuses that count as a failure
 * @property {Breaker} breaker
 * @property {string} [caller] tells callers of the backend apart; none where the backend has one origin, of which nothing
 *   is noted
 * @property {boolean} needs_size whether a body is refused, since the request did not say its size
 */

/**
 * One call of an origin.
 * @typedef {object} Attempt
 * @property {string} url
 * @property {string} origin for the log
 * @property {string} key what the origin's health is known by
 * @property {true} [trial] whether the origin failed before, and this request alone tries it again
 * @property {number} timeout until it must have answered with a head
 * @property {string} [binding] the service binding or the private network that is called
 * @property {string} [assertion] the claims of the identity token that the request is sent with, but for their times: JSON
 * @property {FieldLines} [secrets] what the origin asks for: fields, with JWEs in the place of their values
 */

/**
 * When the circuit of an origin opens: after so many failures in a row, or in a hundred, and for how many milliseconds.
 * @typedef {[failures: number, ratio: number, pause: number]} Breaker
 */

/**
 * What must let a request pass before it is sent.
 * @typedef {object} Admission
 * @property {string} policy the value of `RateLimit-Policy`
 * @property {Ask[]} asks
 */

/**
 * One question to a counter.
 * @typedef {object} Ask
 * @property {string} name of the limit
 * @property {string} binding
 * @property {string} key whom it counts
 * @property {number} timeout in milliseconds
 * @property {boolean} closed whether the request is refused where the counter does not answer
 * @property {number} retry_after seconds after which a refused caller may try again, where the counter does not say
 * @property {QuotaAsk} [quota] none for a rate limit
 */

/**
 * What the Durable Object is told of a quota. Times and durations are milliseconds.
 * @typedef {object} QuotaAsk
 * @property {string} count the name of the count
 * @property {number} quota how many requests a window allows
 * @property {number} batch how many an isolate takes at a time
 * @property {[start: number, end: number]} [window] the calendar's window; none where a window begins with its first request
 * @property {number} span how long a window is that begins with its first request
 */

/** @returns {Dispatch} */
export function decodeDispatch(/** @type {string} */ text) {
  const [url, remove, set, edits, line, requestId, origin, plan, admission] = text.split(SEPARATOR);
  return {
    url,
    remove,
    set,
    edits: decodeEdits(edits),
    line,
    requestId,
    origin,
    plan: plan === "" ? undefined : JSON.parse(plan),
    admission: admission === "" ? undefined : JSON.parse(admission),
  };
}

/**
 * A response that the gateway makes itself.
 * @typedef {object} Answer
 * @property {string} line the beginning of the request's log line
 * @property {string} [reason] why the request was refused
 * @property {FieldLines} fields
 * @property {string} [body]
 */

/** @returns {Answer} */
export function decodeAnswer(/** @type {string} */ text) {
  const [line, reason, fields, body] = text.split(SEPARATOR);
  return { line, reason: reason === "" ? undefined : reason, fields, body };
}

/**
 * Calls `act` with each name and its value.
 * @param {FieldLines} fields
 * @param {(name: string, value: string) => void} act
 */
export function forEachField(fields, act) {
  const lines = fields.split("\n");
  for (let i = 0; i + 1 < lines.length; i += 2) act(lines[i], lines[i + 1]);
}

/**
 * Calls `act` with each name.
 * @param {NameLines} names
 * @param {(name: string) => void} act
 */
export function forEachName(names, act) {
  if (names !== "") for (const name of names.split("\n")) act(name);
}

/**
 * The names of a request's fields, each once.
 * @param {Iterable<string>} names
 * @returns {NameLines}
 */
export const encodeNames = (names) => [...new Set(names)].join("\n");

const FLAGS = "-----";
/** Edits without fields, by their text: there are few, and most requests have one of them. */
const flagsAlone = new Map();

/** @returns {Edits} */
export function decodeEdits(/** @type {string} */ text) {
  const known = flagsAlone.get(text);
  if (known !== undefined) return known;
  const edits = readEdits(text);
  if (edits.set.length === 0) flagsAlone.set(text, edits);
  return edits;
}

/** @returns {Edits} */
function readEdits(/** @type {string} */ text) {
  const [cors, vary, timing, privacy, isolates] = text === "" ? FLAGS : text;
  const end = Math.max(text.indexOf("\n"), FLAGS.length);
  /** @type {[name: string, value: string][]} */
  const set = [];
  forEachField(text.slice(end + 1), (name, value) => set.push([name, value]));
  return Object.freeze({
    replacesCors: cors === "c",
    varyOrigin: vary === "v",
    serverTiming: timing === "t",
    privacy: privacy === "s" ? "if-shareable" : privacy === "p" ? "unless-private" : "untouched",
    isolates: isolates === "i",
    shape: end === FLAGS.length ? undefined : Number(text.slice(FLAGS.length, end)),
    set: Object.freeze(set),
  });
}

/**
 * What the core needs of a request at once: which fields of interest there are, the method, the URL, then names and values
 * of these fields.
 * @param {number} seen
 * @param {string} method
 * @param {string} url
 * @param {string} noted made of `encodeNotedField`
 */
export const encodePrelude = (seen, method, url, noted) => `${seen}${SEPARATOR}${method}${SEPARATOR}${url}${noted}`;

export const encodeNotedField = (/** @type {string} */ name, /** @type {string | null} */ value) =>
  `${SEPARATOR}${name}${SEPARATOR}${value}`;

/**
 * A problem that can only be known when a limit or the backend is asked: an RFC 9457 document, and the log's `reason`.
 * @typedef {object} Failure
 * @property {string} type
 * @property {string} title
 * @property {number} status
 * @property {string} detail
 * @property {{ code: string, message: string, type: string }} error
 * @property {string} reason
 */

/**
 * @typedef {"unreachable" | "broken" | "timeout" | "unsized" | "unsigned" | "unopened" | "internal" | "limited"
 *   | "limit_unavailable"} FailureName
 */

/**
 * How errors are written where not as problems: by a template, or without one as a problem that lacks the member `error`.
 * @typedef {object} ErrorShape
 * @property {string} [content_type]
 * @property {string} [body] with places, as `{status}`
 */

/**
 * The problems, and the shapes that edits refer to by place.
 * @returns {Record<FailureName, Failure> & { shapes: ErrorShape[] }}
 */
export const decodeFailures = (/** @type {string} */ json) => JSON.parse(json);

/**
 * What identity tokens are signed with, and how they are sent.
 * @typedef {object} Signer
 * @property {string} field the field that holds the token
 * @property {string} scheme what stands before the token in it
 * @property {string} header the token's header, encoded
 * @property {number} lifetime in seconds
 * @property {string} kid
 * @property {{ name: string, hash?: string, namedCurve?: string }} algorithm what WebCrypto is given to sign with
 * @property {JsonWebKey} publicKey
 * @property {string} d the private member of the JWK (RFC 7518, section 6.2.2; RFC 8037, section 2)
 */

/** @returns {Signer} */
export const decodeSigner = (/** @type {string} */ json) => JSON.parse(json);

/**
 * Secrets of the Worker by the ids of the keys that are made of them.
 * @returns {Record<string, string>}
 */
export const decodeKeyRing = (/** @type {string} */ json) => JSON.parse(json);

/** How an attempt at an origin ended, as far as the origin answers for it: the core's `Ended`. */
export const ENDED = Object.freeze({ answered: 0, failed: 1, suspected: 2, nothing: 3 });

/**
 * How an attempt at an origin ended.
 * @typedef {object} AttemptReport
 * @property {number} ended one of `ENDED`
 * @property {boolean} wantsAnother whether another attempt would follow, if the core allows it
 * @property {Breaker} breaker
 * @property {string} caller
 * @property {string} key
 */

/** @returns {string} */
export const encodeAttemptReport = (/** @type {AttemptReport} */ { ended, wantsAnother, breaker, caller, key }) =>
  [ended, wantsAnother ? 1 : 0, ...breaker, caller, key].join(SEPARATOR);

/**
 * The beginning of an attempt at an origin, where limits were asked before.
 * @typedef {object} AttemptStart
 * @property {number} timeout in milliseconds
 * @property {string} caller
 * @property {string} key
 */

/** @returns {string} */
export const encodeAttemptStart = (/** @type {AttemptStart} */ { timeout, caller, key }) =>
  [timeout, caller, key].join(SEPARATOR);
