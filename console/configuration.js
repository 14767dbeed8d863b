// What pages need of the gateway's configuration: gateway.toml as JSON, with presets filled in and ${NAME} unfilled.

/** @import { Backend, Configuration, Route, Rule, Target } from "./types.d.ts" */

/**
 * Which claim names the customer.
 * @type {(configuration: Configuration) => string}
 */
export const customerClaim = (configuration) => configuration.customers?.claim ?? "customerId";

/** @type {(configuration: Configuration) => string[]} */
export const prefixes = (configuration) => configuration.api_keys?.prefixes ?? [];

/**
 * Whether keys that are minted here work: those of a gateway without checksums are minted elsewhere.
 * @type {(configuration: Configuration) => boolean}
 */
export const mintsKeys = (configuration) => prefixes(configuration).length > 0;

/**
 * The first field that API keys are read from, and its value for a key.
 * @param {Configuration} configuration
 */
export function keyField(configuration) {
  const fields = list(configuration.api_keys?.header ?? "authorization").map((name) => name.toLowerCase());
  const [field] = fields;
  // Where Authorization is one of several fields, the schemes are for it alone.
  const isBare = field !== "authorization" && fields.includes("authorization");
  const schemes = list(configuration.api_keys?.scheme ?? (field === "authorization" ? "Bearer" : ""));
  const scheme = isBare ? "" : schemes[0];
  const user = (/** @type {string} */ key) => (scheme.toLowerCase() === "basic" ? btoa(`${key}:`) : key);
  return { field, value: (/** @type {string} */ key) => (scheme ? `${scheme} ${user(key)}` : key) };
}

/**
 * The first field that tokens of a token's issuer are read from, and its value.
 * @param {Configuration} configuration
 * @param {string} token
 */
export function tokenField(configuration, token) {
  const [name] = list(issuerOf(configuration, token)?.header ?? "authorization");
  const field = name.toLowerCase();
  return { field, value: field === "authorization" ? `Bearer ${token}` : token };
}

/**
 * The issuer that a token names. Of a text that is no token there is none.
 * @param {Configuration} configuration
 * @param {string} token
 */
function issuerOf({ issuers = [] }, token) {
  try {
    const { iss } = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return issuers.find((issuer) => names(issuer, String(iss)));
  } catch {
    return undefined;
  }
}

/** A variable, of which the console does not know the value, or the place of the tenant. */
const PLACE = /(\$?\{[^{}]*\})/;

/**
 * Whether an issuer's tokens may have this `iss`. But for variables, the core has the same (`IssuerName::fits`).
 * @param {NonNullable<Configuration["issuers"]>[number]} issuer
 * @param {string} iss
 */
function names({ issuer, tenants }, iss) {
  const pattern = issuer.split(PLACE).map((part) => {
    if (part.startsWith("${")) return ".+";
    return PLACE.test(part) ? "([\\w-]{1,128})" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  });
  const [whole, tenant] = new RegExp(`^${pattern.join("")}$`).exec(iss) ?? [];
  const isListed = () => tenants?.some((own) => own === tenant || PLACE.test(own)) ?? true;
  return whole !== undefined && (tenant === undefined || isListed());
}

/** @type {(configuration: Configuration) => string[]} */
export const regions = (configuration) =>
  Object.keys(configuration.regions ?? { af: 1, an: 1, as: 1, eu: 1, na: 1, oc: 1, sa: 1 });

/**
 * @template T
 * @param {T | T[] | undefined} value
 * @returns {T[]}
 */
const list = (value) => (value === undefined ? [] : Array.isArray(value) ? value : [value]);

/**
 * Where a rule leads: [{ to, share? }], `to` a backend's name, "customer" or { deny: status }.
 * @param {Rule} rule
 * @returns {Target[]}
 */
export function targets(rule) {
  if (rule.deny !== undefined) return [{ to: { deny: rule.deny } }];
  if (!rule.split) return [{ to: rule.to }];
  const whole = rule.split.reduce((sum, { weight }) => sum + weight, 0);
  return rule.split.map(({ to, weight }) => ({ to, share: `${Math.round((weight / whole) * 1000) / 10} %` }));
}

/**
 * A backend's places as text: its URL, or those of its origins with region and weight.
 * @param {Backend} backend
 */
export function places(backend) {
  if (backend.url) return [backend.region ? `${backend.url} (${backend.region})` : backend.url];
  return list(backend.origins).map(({ url, region, weight }) => {
    const more = [region, weight !== undefined && `weight ${weight}`].filter(Boolean);
    return more.length > 0 ? `${url} (${more.join(", ")})` : url;
  });
}

/**
 * How a rule shares callers out, keeps to regions or goes on, as sentences' parts.
 * @param {Rule} rule
 */
export function notes(rule) {
  const texts = [];
  if (rule.split) texts.push(`shared out by ${list(rule.by).join(" or ") || "$subject"}`);
  if (rule.chosen_by) texts.push(`testers choose by ${list(rule.chosen_by).join(" or ")}`);
  if (rule.within) texts.push(`only within ${list(rule.within).join(", ")}`);
  if (rule.unlisted === "next") texts.push("callers whose customer is not listed go on to the next rule");
  return texts;
}

/**
 * How a route lets callers in.
 * @param {Route} route
 */
export function admission(route) {
  const ways = list(route.auth).map((way) => (way === "api_key" ? "API key" : `token of ${way}`));
  if (ways.length === 0) return "no credential needed";
  return ways.join(" or ") + (route.anonymous ? ", or none" : "");
}

/** @type {(route: Route) => string[]} */
export const methods = (route) => route.methods ?? ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
