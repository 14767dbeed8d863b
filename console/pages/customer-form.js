// A customer's record as a form, and the form as a record.
import { regions } from "../configuration.js";
import { mostBackends } from "../core.js";
import { isObject } from "../json.js";
import { area, html, lines, textField, tick } from "./parts.js";

/** @import { BackendValues, Configuration, CustomerValues, Field, Finding, FormFault, Html, JsonObject } from "../types.d.ts" */

/** @type {(value: unknown) => string} */
const text = (value) =>
  value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
/** @type {(list: unknown) => string} */
const joined = (list) => (Array.isArray(list) ? list.map(text).join("\n") : text(list));

/**
 * What the form holds for a record, as far as one can be read.
 * @param {JsonObject} [record]
 * @returns {CustomerValues}
 */
export function valuesOf(record = {}) {
  const backends = (Array.isArray(record.backends) ? record.backends : []).filter(isObject);
  return {
    customerId: text(record.customerId),
    environmentName: text(record.environmentName),
    backendUrl: text(record.backendUrl),
    backends: backends.map(({ url, region, weight }) => ({
      url: text(url),
      region: text(region),
      weight: text(weight),
    })),
    allowedIps: joined(record.allowedIps),
    hosts: joined(record.hosts),
    limits: isObject(record.limits)
      ? joined(Object.entries(record.limits).map(([name, quota]) => `${name} ${text(quota)}`))
      : text(record.limits),
    secrets: joined(record.secrets),
    disabled: record.disabled === true,
    takeOver: false,
  };
}

/**
 * What was typed, as it was typed.
 * @param {URLSearchParams} form
 * @returns {CustomerValues}
 */
export function valuesTyped(form) {
  /** @type {(name: string) => string} */
  const of = (name) => form.get(name) ?? "";
  const rows = Array.from({ length: mostBackends() }, (_, i) => ({
    url: of(`url-${i}`),
    region: of(`region-${i}`),
    weight: of(`weight-${i}`),
  }));
  const used = rows.findLastIndex((row) => Object.values(row).some((value) => value.trim() !== "")) + 1;
  return {
    customerId: of("customerId"),
    environmentName: of("environmentName"),
    backendUrl: of("backendUrl"),
    backends: rows.slice(0, used),
    allowedIps: of("allowedIps"),
    hosts: of("hosts"),
    limits: of("limits"),
    secrets: of("secrets"),
    disabled: form.has("disabled"),
    takeOver: form.has("takeOver"),
  };
}

/**
 * The record that was meant, with where its backends stand in the form: { record, rows }.
 * @param {CustomerValues} values
 * @param {string} id
 */
export function recordOf(values, id) {
  const rows = [...values.backends.keys()].filter((i) =>
    Object.values(values.backends[i]).some((value) => value.trim() !== ""),
  );
  const backends = rows.map((i) => {
    const { url, region, weight } = values.backends[i];
    const number = weight.trim();
    return {
      url: url.trim(),
      ...(region.trim() && { region: region.trim() }),
      // What is no number stays as it is, and is a fault.
      ...(number && { weight: /^\d{1,10}$/.test(number) ? Number(number) : number }),
    };
  });
  const ranges = lines(values.allowedIps);
  const hosts = lines(values.hosts);
  const limits = quotas(lines(values.limits));
  const secrets = lines(values.secrets);
  const record = {
    customerId: id,
    ...(values.backendUrl.trim() && { backendUrl: values.backendUrl.trim() }),
    ...(backends.length > 0 && { backends }),
    ...(values.environmentName.trim() && { environmentName: values.environmentName.trim() }),
    ...(values.disabled && { disabled: true }),
    ...(ranges.length > 0 && { allowedIps: ranges }),
    ...(hosts.length > 0 && { hosts }),
    ...(Object.keys(limits).length > 0 && { limits }),
    ...(secrets.length > 0 && { secrets }),
  };
  return { record, rows };
}

/**
 * Lines such as `monthly 50000` as a record's quotas.
 * @param {string[]} written
 */
function quotas(written) {
  const pairs = written.map((line) => {
    const [, name, number] = /^([^\s:=]+)\s*[\s:=]\s*(\S+)$/.exec(line) ?? [line, line, ""];
    // What is no number stays as it is, and is a fault.
    return [name, /^\d{1,15}$/.test(number) ? Number(number) : number];
  });
  return Object.fromEntries(pairs);
}

/** @type {Record<string, string>} */
const LABELS = {
  customerId: "Customer id",
  environmentName: "Environment",
  backendUrl: "Backend URL",
  allowedIps: "Allowed addresses",
  hosts: "Own hosts",
  limits: "Own quotas",
  secrets: "Sealed secrets",
  disabled: "Disabled",
};

/**
 * A finding of a record as a fault of the form: { id, label, what }. `rows` say where in the form the backends stand of a
 * record that the form made. Such a record lacks nothing but a backend.
 * @param {Finding} finding
 * @param {number[]} [rows]
 * @returns {FormFault}
 */
export function faultInForm({ pointer, message: what }, rows) {
  const [, member, index, part] = pointer.split("/");
  if (rows && member === undefined) return { id: "backendUrl", label: "The record", what };
  if (member === "backends" && index !== undefined) {
    const row = rows?.[Number(index)] ?? Number(index);
    return {
      id: `${["url", "region", "weight"].includes(part) ? part : "url"}-${row}`,
      label: `Backend ${row + 1}`,
      what,
    };
  }
  if (member === "backends") return { id: "url-0", label: "Further backends", what };
  if (member === "allowedIps" && index !== undefined)
    return { id: "allowedIps", label: `Allowed addresses, line ${Number(index) + 1},`, what };
  if (member === "hosts" && index !== undefined)
    return { id: "hosts", label: `Own hosts, line ${Number(index) + 1},`, what };
  if (member === "limits" && index !== undefined) return { id: "limits", label: `Own quota ${index}`, what };
  if (member === "secrets" && index !== undefined)
    return { id: "secrets", label: `Sealed secrets, line ${Number(index) + 1},`, what };
  return LABELS[member] ? { id: member, label: LABELS[member], what } : { label: pointer || "The record", what };
}

/**
 * @param {BackendValues} row
 * @param {number} i
 * @param {(id: string) => string | undefined} fault
 */
function backendRow(row, i, fault) {
  /** @type {(part: keyof BackendValues, label: string, more?: Partial<Field>) => Html} */
  const field = (part, label, more = {}) =>
    textField({ optional: false, id: `${part}-${i}`, label, value: row[part], fault: fault(`${part}-${i}`), ...more });
  return html`<fieldset class="row"><legend>Backend ${i + 1}</legend>
    ${field("url", "URL", { wide: true, more: { inputmode: "url" } })}${field("region", "Region", { more: { list: "regions" } })}${field("weight", "Weight", { more: { inputmode: "numeric" } })}
  </fieldset>`;
}

/**
 * The fields. `isNew` lets the id be typed; `ofApi` asks whether to take the record over; `shown` names this form and what it was shown with.
 * @param {{ values: CustomerValues, faults: FormFault[], isNew: boolean, ofApi: boolean, shown: Html, configuration: Configuration }} parts
 */
export function customerFields({ values, faults, isNew, ofApi, shown, configuration }) {
  /** @type {(id: string) => string | undefined} */
  const fault = (id) => faults.find((one) => one.id === id)?.what;
  const empty = { url: "", region: "", weight: "" };
  const rows = [...values.backends, empty, empty].slice(
    0,
    Math.min(mostBackends(), Math.max(2, values.backends.length + 1)),
  );
  return html`${shown}
    ${
      isNew
        ? textField({
            id: "customerId",
            label: "Customer id",
            value: values.customerId,
            required: true,
            fault: fault("customerId"),
            hint: "As it stands in keys and tokens, byte for byte. It cannot be changed later.",
          })
        : ""
    }
    ${textField({ id: "backendUrl", label: "Backend URL", value: values.backendUrl, fault: fault("backendUrl"), wide: true, optional: false, hint: "Where this customer's requests go: https://host, a port and a base path if need be. Or several backends, below.", more: { inputmode: "url" } })}
    ${textField({ id: "environmentName", label: "Environment", value: values.environmentName, fault: fault("environmentName"), hint: "A name for the log." })}
    ${area({ id: "allowedIps", label: "Allowed addresses", value: values.allowedIps, fault: fault("allowedIps"), hint: "One address or range a line. Callers from anywhere else are refused; none lets all in." })}
    ${area({ id: "hosts", label: "Own hosts", value: values.hosts, fault: fault("hosts"), hint: "One host name a line, such as api.acme.com, for routes on which the host says whose a request is." })}
    ${area({ id: "limits", label: "Own quotas", value: values.limits, fault: fault("limits"), hint: "One a line: the name of a quota with from_record in gateway.toml, and the number, such as monthly 50000." })}
    ${area({ id: "secrets", label: "Sealed secrets", value: values.secrets, fault: fault("secrets"), hint: "One a line, as pointsman customers seal writes them; taken away here, a secret is gone." })}
    <details${values.backends.length > 0 || faults.some(({ id }) => /^(url|region|weight)-/.test(id ?? "")) ? html` open` : ""}>
      <summary>Several backends</summary>
      <p class="hint">The next one is asked where one fails. With a weight at one of them, requests are shared out by weight. Save to get another line, up to ${mostBackends()}.</p>
      <datalist id="regions">${regions(configuration).map((name) => html`<option value="${name}"></option>`)}</datalist>
      ${rows.map((row, i) => backendRow(row, i, fault))}
    </details>
    ${tick({ id: "disabled", label: "Disabled: refuse this customer's requests", checked: values.disabled })}
    ${
      ofApi
        ? tick({
            id: "takeOver",
            label: "Take this record over from the config API",
            checked: values.takeOver,
            fault: fault("takeOver"),
            hint: "From then on it is yours: no refresh changes it, whatever the config API says.",
          })
        : ""
    }`;
}
