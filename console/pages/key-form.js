// A key's record as a form, and the form as a record.
import { customerClaim } from "../configuration.js";
import { millisOf } from "../core.js";
import { asTyped, instantTyped } from "../dates.js";
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
    ...(values.expiresAt.trim() && { expiresAt: instantTyped(values.expiresAt) }),
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

/**
 * When a key ends, to be picked from a calendar. A browser shows such a field what is an instant, and nothing else.
 * @type {(value: string, fault: string | undefined, label?: string) => Html}
 */
export function endField(value, fault, label = "Ends") {
  const at = millisOf(instantTyped(value));
  return textField({
    id: "expiresAt",
    label,
    type: "datetime-local",
    value: at === undefined ? value : asTyped(at),
    fault,
    hint: "Date and time in UTC. Empty: it works until it is revoked.",
    more: { step: "1" },
  });
}

/**
 * The end that was meant. A field that still says what it was shown with means the end as it stands in the record, to the
 * millisecond and in its words.
 * @param {string} typed
 * @param {string | null | undefined} before
 */
export function endTyped(typed, before) {
  const text = instantTyped(typed);
  const [a, b] = [millisOf(text), millisOf(before ?? "")];
  const isSame = a !== undefined && b !== undefined && Math.floor(a / 1000) === Math.floor(b / 1000);
  return isSame && before ? before : text;
}

/**
 * What a key's form is shown with.
 * @param {KeyRecord} record
 * @returns {KeyValues}
 */
export const valuesOf = (record) =>
  noValues({
    subject: record.subject,
    name: record.name ?? "",
    claims: JSON.stringify(record.claims ?? {}, undefined, 2),
    expiresAt: record.expiresAt ?? "",
    allowedIps: (record.allowedIps ?? []).join("\n"),
    methods: (record.methods ?? []).join(", "),
  });

/** The members that the form holds; all others of a record stay as they are. */
const OWN = ["subject", "claims", "name", "expiresAt", "allowedIps", "methods"];

/**
 * A record with what was typed in the place of what the form holds.
 * @param {KeyRecord} before
 * @param {KeyValues} values
 * @param {Configuration} configuration
 */
export function recordEdited(before, values, configuration) {
  const { record, faults } = recordOf(values, configuration, 0);
  const { createdAt, ...typed } = record;
  const kept = Object.fromEntries(Object.entries(before).filter(([name]) => !OWN.includes(name)));
  const end = typed.expiresAt && { expiresAt: endTyped(values.expiresAt, before.expiresAt) };
  return { record: /** @type {KeyRecord} */ ({ ...kept, ...typed, ...end }), faults };
}

/**
 * The fields of a key. `shown` names this form, so that it is carried out once. A new key has a prefix, and its customer may
 * be typed apart from its claims.
 * @param {{ values: KeyValues, faults: FormFault[], configuration: Configuration, prefixes?: string[], shown: Html }} parts
 */
export function keyFields({ values, faults, configuration, prefixes, shown }) {
  /** @type {(id: string) => string | undefined} */
  const fault = (id) => faults.find((one) => one.id === id)?.what;
  const claim = customerClaim(configuration);
  return html`${shown}
    ${prefixes ? choice({ id: "prefix", label: "Prefix", value: values.prefix, options: prefixes.map((prefix) => [prefix, `${prefix}_…`]), fault: fault("prefix") }) : ""}
    ${textField({ id: "subject", label: "Subject", value: values.subject, required: true, fault: fault("subject"), hint: "Whom the key stands for: in the log, at the backend, in rules." })}
    ${prefixes && hasCustomerField(configuration) ? textField({ id: "customer", label: "Customer", value: values.customer, fault: fault("customer"), hint: html`Becomes the claim <code>${claim}</code>.` }) : ""}
    ${textField({ id: "name", label: "Name", value: values.name, fault: fault("name"), hint: "What people call it." })}
    ${area({ id: "claims", label: "Claims", value: values.claims, rows: prefixes ? 3 : 6, fault: fault("claims"), hint: html`What rules read, as a JSON object: <code>{ "environment": "production" }</code>` })}
    ${endField(values.expiresAt, fault("expiresAt"))}
    ${area({ id: "allowedIps", label: "Allowed addresses", value: values.allowedIps, fault: fault("allowedIps"), hint: "One address or range a line: from where alone the key may be used." })}
    ${textField({ id: "methods", label: "Methods", value: values.methods, fault: fault("methods"), hint: "With which alone it may be used: GET, HEAD" })}`;
}
