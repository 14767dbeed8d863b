// What a customer's own backend may not say. All customers share the gateway's host, and to a browser that is one origin:
// a field that speaks for the origin, or a cookie for the whole domain, would speak for the other customers too.

/** Fields by which one answer changes what a browser does with all of its origin, its host or its site. */
const OF_THE_ORIGIN = new Set([
  // Cookies, storage and caches of everybody (Clear Site Data); storage that origins share.
  "clear-site-data",
  "shared-storage-write",
  // How the host is reached, or no longer (RFC 6797, RFC 7469, RFC 7838, RFC 9163).
  "strict-transport-security",
  "public-key-pins",
  "public-key-pins-report-only",
  "expect-ct",
  "expect-staple",
  "alt-svc",
  "alternate-protocol",
  // Where reports on all requests to the host go (Network Error Logging, Reporting).
  "nel",
  "report-to",
  "reporting-endpoints",
  // What the browser keeps apart, and what it lets a script control.
  "origin-agent-cluster",
  "origin-isolation",
  "service-worker-allowed",
  "activate-storage-access",
  // What the browser sends with every later request (Client Hints, compression dictionaries).
  "accept-ch",
  "critical-ch",
  "accept-ch-lifetime",
  "use-as-dictionary",
  // Who the site says is signed in, and sessions that are bound to the device.
  "set-login",
  "sec-session-registration",
  "secure-session-registration",
  "sec-session-challenge",
  "secure-session-challenge",
  // Registered in the name of the origin.
  "attribution-reporting-register-source",
  "attribution-reporting-register-trigger",
  "attribution-reporting-register-os-source",
  "attribution-reporting-register-os-trigger",
  "observe-browsing-topics",
  "x-permitted-cross-domain-policies",
  // Cookies of a standard that was given up; where one is understood, its Domain is too.
  "set-cookie2",
]);

/**
 * Whether a field, by its name in lower case, speaks for the origin.
 * @type {(name: string) => boolean}
 */
export const speaksForOrigin = (name) => OF_THE_ORIGIN.has(name);

/** @type {(attribute: string) => boolean} */
const isDomain = (attribute) => attribute.split("=", 1)[0].trim().toLowerCase() === "domain";

/**
 * A cookie without its Domain, so that it is the host's only; undefined where it has none. All else stays byte for byte.
 * Quotes do not hold a semicolon in (RFC 6265, section 5.2).
 * @param {string} cookie
 */
export function hostOnlyCookie(cookie) {
  const [pair, ...attributes] = cookie.split(";");
  const kept = attributes.filter((attribute) => !isDomain(attribute));
  return kept.length === attributes.length ? undefined : [pair, ...kept].join(";");
}
