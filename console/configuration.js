// What pages need of the gateway's configuration: gateway.toml as JSON, with ${NAME} unfilled.

/** Which claim names the customer. */
export const customerClaim = (configuration) => configuration.customers?.claim ?? "customerId";

export const prefixes = (configuration) => configuration.api_keys?.prefixes ?? [];

/** Whether keys that are minted here work: those of a gateway without checksums are minted elsewhere. */
export const mintsKeys = (configuration) => prefixes(configuration).length > 0;

/** The field and scheme in which an API key is sent. */
export function keyField(configuration) {
  const field = (configuration.api_keys?.header ?? "authorization").toLowerCase();
  const scheme = configuration.api_keys?.scheme ?? (field === "authorization" ? "Bearer" : "");
  return { field, value: (key) => (scheme ? `${scheme} ${key}` : key) };
}

export const regions = (configuration) =>
  Object.keys(configuration.regions ?? { af: 1, an: 1, as: 1, eu: 1, na: 1, oc: 1, sa: 1 });

const list = (value) => [value ?? []].flat();

/** Where a rule leads: [{ to, share? }], `to` a backend's name, "customer" or { deny: status }. */
export function targets(rule) {
  if (rule.deny !== undefined) return [{ to: { deny: rule.deny } }];
  if (!rule.split) return [{ to: rule.to }];
  const whole = rule.split.reduce((sum, { weight }) => sum + weight, 0);
  return rule.split.map(({ to, weight }) => ({ to, share: `${Math.round((weight / whole) * 1000) / 10} %` }));
}

/** A backend's places as text: its URL, or those of its origins with region and weight. */
export function places(backend) {
  if (backend.url) return [backend.region ? `${backend.url} (${backend.region})` : backend.url];
  return list(backend.origins).map(({ url, region, weight }) => {
    const more = [region, weight !== undefined && `weight ${weight}`].filter(Boolean);
    return more.length > 0 ? `${url} (${more.join(", ")})` : url;
  });
}

/** How a rule shares callers out, keeps to regions or goes on, as sentences' parts. */
export function notes(rule) {
  const texts = [];
  if (rule.split) texts.push(`shared out by ${list(rule.by).join(" or ") || "$subject"}`);
  if (rule.chosen_by) texts.push(`testers choose by ${list(rule.chosen_by).join(" or ")}`);
  if (rule.within) texts.push(`only within ${list(rule.within).join(", ")}`);
  if (rule.unlisted === "next") texts.push("callers whose customer is not listed go on to the next rule");
  return texts;
}

/** How a route lets callers in. */
export function admission(route) {
  const ways = list(route.auth).map((way) => (way === "api_key" ? "API key" : `token of ${way}`));
  if (ways.length === 0) return "no credential needed";
  return ways.join(" or ") + (route.anonymous ? ", or none" : "");
}

export const methods = (route) => route.methods ?? ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
