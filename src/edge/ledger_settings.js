// What the gateway's configuration says of the ledger. The object has no other way to it: whoever calls the object may be of
// another version of the Worker.

/**
 * What is used here of the configuration in checked form; crates/pointsman-checked reads all of it.
 * @typedef {object} Form
 * @property {string} allow_http
 * @property {{ max_staleness?: number } | null} [directory]
 * @property {string} [problem_base]
 * @property {string} [user_agent]
 * @property {{ leaked_keys?: { action: string, github: boolean, github_keys_url: string } | null }} [operator]
 * @property {{ stale: number, prefixes?: string[] } | null} [api_keys]
 * @property {{ claim: string, fresh?: number, stale?: number, source?: { by_id: boolean, announced?: boolean } | null } | null} [customers]
 */

/** Where a scanner's public keys are, and as whom the gateway asks for them. @typedef {{ url: string, userAgent: string }} KeyList */

/**
 * The settings as the ledger's wasm reads them: JSON.
 * @param {string} form
 * @param {object} env the object's bindings, among which are the variables that the form names
 */
export function settingsOf(form, env) {
  /** @type {Form} */
  const { allow_http, directory, api_keys, customers, operator, problem_base } = JSON.parse(form);
  const source = customers?.source;
  const variables = /** @type {Record<string, unknown>} */ (env);
  return JSON.stringify({
    allowHttp: filled(allow_http, variables),
    maxStaleness: directory?.max_staleness,
    // Shards stay in KV for as long as somebody may go on by them.
    stale: Math.max(api_keys?.stale ?? 0, customers?.stale ?? 0),
    customersStale: customers?.stale,
    customersFresh: customers?.fresh,
    announced: source?.announced,
    problemBase: problem_base,
    prefixes: api_keys?.prefixes,
    source: source ? (source.by_id ? "byId" : "list") : "none",
    // By it the ledger finds the keys of a customer.
    customerClaim: customers ? filled(customers.claim, variables) : undefined,
    leakAction: operator?.leaked_keys?.action,
    githubReports: operator?.leaked_keys?.github,
  });
}

/**
 * Where GitHub's public keys are; undefined where the URL may not be called.
 * @param {string} form
 * @param {object} env
 * @returns {KeyList | undefined}
 */
export function keyListOf(form, env) {
  /** @type {Form} */
  const { allow_http, operator, user_agent = "" } = JSON.parse(form);
  const variables = /** @type {Record<string, unknown>} */ (env);
  const url = filled(operator?.leaked_keys?.github_keys_url ?? "", variables);
  const isPlain = ["loopback", "always"].includes(filled(allow_http, variables));
  const isAllowed = url.startsWith("https://") || (isPlain && url.startsWith("http://"));
  return isAllowed ? { url, userAgent: filled(user_agent, variables) } : undefined;
}

/**
 * A text with its variables filled in; a variable that is missing leaves nothing, which allows nothing.
 * @param {string} text
 * @param {Record<string, unknown>} env
 */
const filled = (text, env) => text.replace(/\$\{(\w+)\}/g, (_, name) => String(env[name] ?? ""));
