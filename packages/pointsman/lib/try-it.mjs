// Requests to paste: the project's own cases, with credentials that work on this machine.
import { routeOf } from "./form.mjs";
import { keyField, tokenField } from "./key-field.mjs";

/** @import { Case, CaseRequest } from "./cases.mjs" */
/** @import { Form, Issuer } from "./form.mjs" */
/** @import { LocalKeys } from "./local-keys.mjs" */

/** More of them nobody reads. */
const MOST = 6;

/**
 * @typedef {object} Offer
 * @property {string} about
 * @property {string} expect where it goes
 * @property {string} path
 * @property {string} method
 * @property {[name: string, value: string][]} fields
 * @property {string} [missing] what the reader has to put in
 */

/**
 * What to offer.
 * @param {{ form: Form, cases: Case[], localKeys: LocalKeys, mint?: (issuer: Issuer, claims: Record<string, unknown>) => string | undefined }} parts
 *   `mint` makes tokens, where somebody can
 * @returns {Offer[]}
 */
export function offers({ form, cases, localKeys, mint }) {
  const usable = cases.filter(({ request }) => request.key === undefined && request.jwt === undefined && request.path);
  const first = form.routes[0];
  const asked = usable.length > 0 ? usable : first ? [someCaseOf(first.path)] : [];
  return asked.slice(0, MOST).map((one) => offer(one, { form, localKeys, mint }));
}

/**
 * Where a project has no cases: its first route.
 * @param {string} pattern
 * @returns {Case}
 */
const someCaseOf = (pattern) => ({
  place: "",
  request: { path: pattern.replace(/\{[^}]*\}/g, "hello"), claims: {} },
  expect: {},
});

/**
 * @param {Case} one
 * @param {{ form: Form, localKeys: LocalKeys, mint?: (issuer: Issuer, claims: Record<string, unknown>) => string | undefined }} parts
 * @returns {Offer}
 */
function offer({ name, request, expect }, parts) {
  const { method = "GET", path, headers = {} } = request;
  /** @type {[string, string][]} */
  const fields = Object.entries(headers).flatMap(([field, values]) =>
    [values].flat().map((value) => /** @type {[string, string]} */ ([field, value])),
  );
  const found = credential(request, parts);
  if (found) fields.push(found.field);
  return {
    about: name ?? path,
    expect: expectation(expect),
    path: path.replace(/^https?:\/\/[^/]+/, ""),
    method,
    fields,
    missing: found?.missing,
  };
}

/** @param {Record<string, unknown>} expect */
function expectation({ backend, status, rule }) {
  if (backend !== undefined) return `→ ${backend}`;
  if (status !== undefined) return String(status);
  return rule === undefined ? "" : `rule ${rule}`;
}

/**
 * The field with the credential of a case; undefined where it has none.
 * @param {CaseRequest} request
 * @param {{ form: Form, localKeys: LocalKeys, mint?: (issuer: Issuer, claims: Record<string, unknown>) => string | undefined }} parts
 * @returns {{ field: [name: string, value: string], missing?: string } | undefined}
 */
function credential({ path, claims, subject }, { form, localKeys, mint }) {
  if (claims === undefined && subject === undefined) return undefined;
  const route = routeOf(form, path);
  const issuers = (route?.issuers ?? []).map((index) => form.issuers[index]);
  if (form.api_keys && (route?.api_key ?? true)) {
    return { field: keyField(form.api_keys, localKeys.keyOf(form.api_keys, { subject, claims })) };
  }
  const [issuer] = issuers;
  if (issuer === undefined) return undefined;
  const token = mint?.(issuer, { ...(subject === undefined ? {} : { sub: subject }), ...claims });
  if (token !== undefined) return { field: tokenField(issuer, token) };
  return {
    field: tokenField(issuer, "$TOKEN"),
    missing: `TOKEN is one of issuer ${issuer.name} with the claims ${JSON.stringify(claims ?? {})}`,
  };
}

/**
 * An argument as a POSIX shell takes it. A variable of the shell stays one.
 * @type {(text: string) => string}
 */
const quote = (text) => {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  return text.includes("$TOKEN") ? `"${text}"` : `'${text.replaceAll("'", "'\\''")}'`;
};

/**
 * The line to paste.
 * @param {string} url
 * @param {Offer} offer
 */
export function curlLine(url, { method, path, fields }) {
  const parts = ["curl", "-si"];
  if (method !== "GET") parts.push("-X", method);
  parts.push(quote(`${url}${path}`));
  for (const [name, value] of fields) parts.push("-H", quote(`${name}: ${value}`));
  return parts.join(" ");
}
