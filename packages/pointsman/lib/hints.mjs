// What to do about a refusal, for whoever runs the gateway on their own machine: the log has the reason, and the answer has not.

/**
 * @typedef {Record<string, unknown> & { reason?: string, backend?: string, origin?: string, route?: string, message?: string }} Line
 * @typedef {string | ((line: Line) => string)} Hint
 */

/** @type {Record<string, Hint>} */
const HINTS = {
  credential_missing: "the route wants a credential: send a key or a token, or set anonymous = true on the route",
  credential_kind_not_accepted: ({ route }) => `auth of the route ${route} does not list this kind of credential`,
  api_key_unknown: "no such key on this machine: put it into data/, or make one with npx pointsman keys create --local",
  api_key_checksum: "the key is mistyped or cut off",
  api_key_disabled: 'its record says "disabled": true',
  api_key_root: "it is a root key, which is for the management API alone",
  api_key_expired: "its record's expiresAt has come",
  token_issuer:
    "iss of the token is not byte for byte the issuer of gateway.toml: look for a slash at the end, and where it has a {claim}, for that claim of the token",
  token_audience:
    "aud of the token, or the claim of audience_claims that it has, is none of the issuer's audience in gateway.toml",
  token_algorithm: "alg of the token is not among the issuer's algorithms in gateway.toml",
  token_key_unknown: "the issuer's key set has no such key: is the token another issuer's?",
  customer_id_missing: "the caller's claims name no customer: see claim under [customers]",
  customer_unknown: 'put the customer into data/customers.json, or use unlisted = "next" in the rule',
  no_rule_matched: "no rule of the route fits this caller's claims: npx pointsman explain says why not",
  route_unknown: "no route of gateway.toml has this path",
  method_not_on_route: "the route's methods do not list this one",
  key_set_unavailable:
    "the issuer's keys cannot be fetched: is the issuer running, and its jwks_url right? --demo brings one",
  customer_source_unavailable: "the config API does not answer as it should: see url and token of [customers] source",
  backend_unreachable: ({ backend, origin }) =>
    `nothing answers at ${origin ?? "the backend"}: is backend ${backend} running? --demo answers in its place`,
  backend_timeout: ({ origin }) => `${origin ?? "the backend"} took longer than the timeout`,
  misconfigured: "the configuration cannot be used here: the lines misconfigured say what is missing",
  limit_unavailable: "the limit's counter does not answer: is its binding in wrangler's file?",
  ledger_unavailable: "LEDGER is not bound: see durable_objects in wrangler's file",
  loop_detected: "a backend's address leads back to this gateway",
};

/** What other lines mean for this machine. @type {Record<string, Hint>} */
const OF_EVENTS = {
  misconfigured: ({ message }) => variableHint(String(message ?? "")),
};

/** @param {string} message */
function variableHint(message) {
  const name = /the variable (\w+) is not set/.exec(message)?.[1];
  return name ? `set ${name} in .dev.vars for this machine, and under [vars] or as a secret where it is deployed` : "";
}

/**
 * What to do; empty where there is nothing to say.
 * @param {Line} line
 */
export function hintFor(line) {
  const hint = line.event === "request" ? HINTS[line.reason ?? ""] : OF_EVENTS[String(line.event)];
  return typeof hint === "function" ? hint(line) : (hint ?? "");
}
