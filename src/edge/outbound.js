// The one way out. Every call of the network and of another Worker is made here, the console's too; a test of
// tests/edge finds any other.

/**
 * A Worker's fetch reads through the cache of the zone that the Worker runs in. The key of that cache is the URL alone:
 * what one caller's request brought would be the answer to the next caller's. The guard of RFC 9111, section 3.5, is the
 * request's Authorization, and a gateway takes that field off. `cacheTtl: -1` stores and reads nothing. The init member
 * `cache: "no-store"` says the same, but also sends Cache-Control and Pragma to the backend.
 */
const NOTHING_CACHED = Object.freeze({ cacheTtl: -1 });

/** What a call over the network goes by. Not the default of `callOut`: a binding that is missing must fail. */
export const NETWORK = globalThis;

/**
 * Calls `target`, a URL or a Request, by a service binding or by `NETWORK`. `init` is the init of fetch, and belongs to
 * this call alone.
 * @param {Pick<Fetcher, "fetch">} by
 * @param {string | URL | Request} target
 * @param {RequestInit} init
 */
export function callOut(by, target, init) {
  init.cf = NOTHING_CACHED;
  // A redirect that is followed takes a request, and the fields that vouch for its caller, to a host that no
  // configuration names.
  init.redirect = "manual";
  return by.fetch(target, init);
}

/**
 * What the runtime says of a call that failed, as far as it names nothing: a pattern and what the log says.
 * @type {[RegExp, string][]}
 */
const KNOWN_FAILURES = [
  [/^Network connection lost\.?$/i, "the connection was lost"],
  [/^Invalid URL/i, "the URL cannot be called"],
  [/^Fetch API cannot load/i, "the URL cannot be called"],
  [/^Too many subrequests/i, "the platform allows this request no further call"],
  [/^The operation was aborted/i, "the call was aborted"],
  [/DNS/i, "the host was not found"],
  [/certificate|TLS/i, "there is no TLS connection"],
  [/timed? ?out/i, "the call timed out"],
  [/^internal error/i, "the platform failed"],
];

/**
 * Why a call failed, for the log. Never in the runtime's own words: those may quote the URL, and a URL of a
 * configuration may hold a secret, in its query or before its host.
 * @param {unknown} error
 */
export function whyCallFailed(error) {
  const said = String(/** @type {Partial<Error> | undefined} */ (error)?.message ?? "");
  const [, why = "no HTTP answer came"] = KNOWN_FAILURES.find(([pattern]) => pattern.test(said)) ?? [];
  return why;
}
