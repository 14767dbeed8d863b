// A key's record as a form, and the form as a record.
import { customerClaim } from "../configuration.js";
import { readObject } from "../json.js";
import { area, choice, html, lines, textField } from "./parts.js";

/** @import { Configuration, Finding, FormFault, Html, KeyRecord, KeyValues } from "../types.d.ts" */

/** @type {(keyof KeyValues)[]} */
const NAMES = ["prefix", "subject", "name", "customer", "claims", "expiresAt", "allowedIps", "methods"];

/** @type {(of: (name: keyof KeyValues) => string) => KeyValues} */
const valuesFrom = (of) => /** @type {KeyValues} */ (Object.fromEntries(NAMES.map((name) => [name, of(name)])));

/** @type {(form: URLSearchParams) => KeyValues} */
export const valuesTyped = (form) => valuesFrom((name) => form.get(name) ?? "");
/** @type {(given?: Partial<KeyValues>) => KeyValues} */
export const noValues = (given = {}) => valuesFrom((name) => given[name] ?? "");

/**
 * Whether the customer can be a field of its own: where a plain claim names it, and no path into claims.
 * @type {(configuration: Configuration) => boolean}
 */
const hasCustomerField = (configuration) =>
  Boolean(configuration.customers) && !customerClaim(configuration).startsWith("/");

/**
 * The record that was meant: { record, faults } with faults in the form.
 * @param {KeyValues} values
 * @param {Configuration} configuration
 * @param {number} now
 * @returns {{ record: KeyRecord, faults: FormFault[] }}
 */
export function recordOf(values, configuration, now) {
  /** @type {FormFault[]} */
  const faults = [];
  const written = values.claims.trim() || "{}";
  const { value: claims, what } = readObject(written);
  if (what !== undefined) faults.push({ id: "claims", label: "Claims", what });
  const customer = values.customer.trim();
  const claim = customerClaim(configuration);
  if (claims && customer && hasCustomerField(configuration)) {
    if (Object.hasOwn(claims, claim) && claims[claim] !== customer)
      faults.push({ id: "claims", label: "Claims", what: `has another ${claim} than the field above` });
    claims[claim] = customer;
  }
  const ranges = lines(values.allowedIps);
  const methods = values.methods.split(/[\s,]+/).filter(Boolean);
  const record = {
    subject: values.subject.trim(),
    claims: claims ?? {},
    ...(values.name.trim() && { name: values.name.trim() }),
    ...(values.expiresAt.trim() && { expiresAt: values.expiresAt.trim() }),
    ...(ranges.length > 0 && { allowedIps: ranges }),
    ...(methods.length > 0 && { methods }),
    createdAt: new Date(now).toISOString(),
  };
  return { record, faults };
}

/** @type {Record<string, string>} */
const LABELS = {
  subject: "Subject",
  name: "Name",
  claims: "Claims",
  expiresAt: "Ends",
  allowedIps: "Allowed addresses",
  methods: "Methods",
};

/**
 * A finding of a record as a fault of the form.
 * @param {Finding} finding
 * @returns {FormFault}
 */
export function faultInForm({ pointer, message: what }) {
  const [, member, index] = pointer.split("/");
  if (!LABELS[member]) return { label: pointer || "The record", what };
  const label =
    member === "allowedIps" && index !== undefined ? `Allowed addresses, line ${Number(index) + 1},` : LABELS[member];
  return { id: member, label, what };
}

/** @type {(value: string, fault: string | undefined, label?: string) => Html} */
export const endField = (value, fault, label = "Ends") =>
  textField({
    id: "expiresAt",
    label,
    value,
    fault,
    hint: "RFC 3339, such as 2026-12-31T23:59:59Z. None: it works until it is revoked.",
  });

/**
 * The fields of a new key. `shown` names this form, so that it mints one key only.
 * @param {{ values: KeyValues, faults: FormFault[], configuration: Configuration, prefixes: string[], shown: Html }} parts
 */
export function keyFields({ values, faults, configuration, prefixes, shown }) {
  /** @type {(id: string) => string | undefined} */
  const fault = (id) => faults.find((one) => one.id === id)?.what;
  const claim = customerClaim(configuration);
  return html`${shown}
    ${choice({ id: "prefix", label: "Prefix", value: values.prefix, options: prefixes.map((prefix) => [prefix, `${prefix}_…`]), fault: fault("prefix") })}
    ${textField({ id: "subject", label: "Subject", value: values.subject, required: true, fault: fault("subject"), hint: "Whom the key stands for: in the log, at the backend, in rules." })}
    ${hasCustomerField(configuration) ? textField({ id: "customer", label: "Customer", value: values.customer, fault: fault("customer"), hint: html`Becomes the claim <code>${claim}</code>.` }) : ""}
    ${textField({ id: "name", label: "Name", value: values.name, fault: fault("name"), hint: "What people call it." })}
    ${area({ id: "claims", label: "Claims", value: values.claims, fault: fault("claims"), hint: html`What rules read, as a JSON object: <code>{ "environment": "production" }</code>` })}
    ${endField(values.expiresAt, fault("expiresAt"))}
    ${area({ id: "allowedIps", label: "Allowed addresses", value: values.allowedIps, fault: fault("allowedIps"), hint: "One address or range a line: from where alone the key may be used." })}
    ${textField({ id: "methods", label: "Methods", value: values.methods, fault: fault("methods"), hint: "With which alone it may be used: GET, HEAD" })}`;
}
