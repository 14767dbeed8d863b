// What is read here of a configuration in checked form. The core reads all of it (crates/pointsman-checked).

/**
 * @typedef {object} Form
 * @property {string} allow_http
 * @property {{ prefixes: string[], header: string[], scheme: string[], checksum: boolean } | null} api_keys
 * @property {Issuer[]} issuers
 * @property {{ claim: string, source: { url: string, token: string | null, by_id: boolean } | null } | null} customers
 * @property {Backend[]} backends
 * @property {Route[]} routes
 * @property {{ health: string | null, status: string | null, secret: string | null } | null} [operator]
 */
/** @typedef {{ name: string, issuer: string, tenants: string[] | null, header: string[], audience: string[], audience_claims: string[], algorithms: string[], jwks_url: string | null, secret: string | null, secret_format: string | null, keys: object | null, subject: string }} Issuer */
/** @typedef {{ name: string, origins: { url: string }[] }} Backend */
/** @typedef {{ name: string, path: string, methods: string[] | null, api_key: boolean, issuers: number[], anonymous: boolean, rules: { name: string, to?: unknown }[] }} Route */

const NAME = /\$\{(\w+)\}/g;

/**
 * The variables that a configuration names, each once.
 * @param {string} text in checked form
 */
export const variablesIn = (text) => [...new Set([...text.matchAll(NAME)].map(([, name]) => name))];

/**
 * The configuration with its variables filled in; one that is missing stays as it is written.
 * @param {string} text in checked form
 * @param {Record<string, unknown>} variables
 * @returns {Form}
 */
export const filledIn = (text, variables) =>
  JSON.parse(text, (_, value) =>
    typeof value === "string" ? value.replace(NAME, (whole, name) => String(variables[name] ?? whole)) : value,
  );

/**
 * The URL, where a text is one: not where a variable is missing, nor for the binding of another Worker.
 * @param {string | null | undefined} text
 */
export const urlOf = (text) => (text && /^https?:/.test(text) && URL.canParse(text) ? new URL(text) : undefined);

/**
 * The document that says where an issuer's keys are, where no key set is named.
 * @param {Issuer} issuer
 */
export const discoveryUrl = ({ issuer }) => `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;

/**
 * The URL from which an issuer's keys come; undefined where they stand in the configuration.
 * @param {Issuer} issuer
 */
export function keysUrl(issuer) {
  if (issuer.secret !== null || issuer.keys !== null) return undefined;
  return urlOf(issuer.jwks_url ?? discoveryUrl(issuer));
}

/**
 * The route that a path most likely has: of those whose path fits, the one with the longest beginning that is no parameter. The
 * gateway's own table decides; this is for what is offered to be pasted.
 * @param {Form} form
 * @param {string} target
 */
export function routeOf({ routes }, target) {
  const path = target.replace(/^https?:\/\/[^/]+/, "").split("?")[0];
  const fixed = (/** @type {Route} */ { path }) => path.split("{")[0].length;
  return routes.filter((route) => fits(route.path, path)).sort((a, b) => fixed(b) - fixed(a))[0];
}

/** @type {(pattern: string, path: string) => boolean} */
function fits(pattern, path) {
  const parts = pattern.split(/(\{[^}]*\})/).map((part) => {
    if (part.startsWith("{+")) return ".*";
    return part.startsWith("{") ? "[^/]+" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("")}$`).test(path);
}
