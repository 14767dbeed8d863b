// What every answer of the console carries, whatever it is.

const POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "img-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

const FIELDS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
  "x-robots-tag": "noindex, nofollow",
  "x-frame-options": "DENY",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/**
 * @param {Response} answer
 * @param {URL} url
 */
export function guardAnswer(answer, url) {
  for (const [name, value] of Object.entries(FIELDS)) answer.headers.set(name, value);
  if (url.protocol === "https:") answer.headers.set("strict-transport-security", "max-age=31536000");
}
