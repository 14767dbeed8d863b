import { keyField, tokenField } from "../configuration.js";
import { explain } from "../gateway.js";
import { readObject } from "../json.js";
import { COUNTRIES, label, OF_PLATFORM, requestCf, withImplied } from "../operands.js";
import { explanation } from "./explanation.js";
import { show } from "./layout.js";
import { area, box, choice, form, html, lines, summary, textField } from "./parts.js";

/** @import { App, Credential, Ctx, FormFault, Html, Operand, RequestToExplain, Said, Settings } from "../types.d.ts" */

const AT = "/explain";
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/** @type {[Credential["kind"], string][]} */
const KINDS = [
  ["none", "none"],
  ["key", "an API key"],
  ["token", "a token"],
  ["claims", "claims, as if a credential had been checked"],
];
/** What the console itself says to the gateway, and what the runtime makes. */
const OWN_FIELDS = /^(x-pointsman-.*|host|connection|content-length|transfer-encoding|upgrade|cf-.*)$/i;
/** @type {[value: string, label: string][]} */
const YES_OR_NO = [
  ["", "as the country says"],
  ["yes", "yes"],
  ["no", "no"],
];
/** @type {[value: string, label: string][]} */
const CONTINENTS = [
  ["", "as the country says"],
  ["AF", "AF"],
  ["AN", "AN"],
  ["AS", "AS"],
  ["EU", "EU"],
  ["NA", "NA"],
  ["OC", "OC"],
  ["SA", "SA"],
];

/**
 * The field of an operand that the platform provides.
 * @param {string} name
 */
const idOf = (name) => `cf-${name}`;

/**
 * What the form holds. The credential is in `secret`, which no page shows again.
 * @typedef {object} ExplainValues
 * @property {string} method
 * @property {string} url
 * @property {string} fields
 * @property {string} kind
 * @property {string} claims
 * @property {string} address
 * @property {Record<string, string>} platform By the names of operands.
 * @property {string} secret
 */

/**
 * What was typed.
 * @param {URLSearchParams} typed
 * @returns {ExplainValues}
 */
function typedOf(typed) {
  /** @type {(name: string) => string} */
  const of = (name) => typed.get(name) ?? "";
  return {
    method: of("method"),
    url: of("url").trim(),
    fields: of("fields"),
    kind: of("kind"),
    claims: of("claims"),
    address: of("address").trim(),
    platform: Object.fromEntries(OF_PLATFORM.map(({ name }) => [name, of(idOf(name)).trim()])),
    secret: of("secret").trim(),
  };
}

/** @type {ExplainValues} */
const START = { method: "GET", url: "/", fields: "", kind: "none", claims: "", address: "", platform: {}, secret: "" };

/**
 * The credential that was meant.
 * @param {ExplainValues} values
 * @param {(id: string, label: string, what: string) => void} fault
 * @returns {Credential}
 */
function credentialOf(values, fault) {
  const { kind, secret } = values;
  if (kind === "key" || kind === "token") {
    if (secret === "") fault("secret", "Key or token", "must be typed each time: it is never kept");
    else if (!/^[\x21-\x7e]+$/.test(secret)) fault("secret", "Key or token", "must be visible ASCII without spaces");
    return { kind, text: secret };
  }
  if (kind === "claims") {
    const { value, what } = readObject(values.claims.trim() || "{}");
    if (value !== undefined) return { kind, claims: value };
    fault("claims", "Claims", what);
  } else if (kind !== "none") fault("kind", "Credential", "must be one of the list");
  return { kind: "none" };
}

/** @param {string} text */
function isAddress(text) {
  if (/^\d+(\.\d+){3}$/.test(text)) return text.split(".").every((part) => Number(part) < 256);
  return /^[0-9a-f:.]+$/i.test(text) && text.includes(":") && URL.canParse(`http://[${text}]/`);
}

/**
 * The request that was meant, or what is wrong with it.
 * @param {ExplainValues} values
 * @param {Settings} settings
 */
function requestOf(values, settings) {
  /** @type {FormFault[]} */
  const faults = [];
  /** @type {(id: string, label: string, what: string) => void} */
  const fault = (id, label, what) => void faults.push({ id, label, what });
  let url = settings.gatewayUrl;
  try {
    url = new URL(values.url, settings.gatewayUrl);
    if (!/^https?:$/.test(url.protocol) || url.username || url.password) throw new TypeError("not a URL of ours");
  } catch {
    fault("url", "URL", "must be a path such as /api/v1/orders?page=2, or a URL with a host");
  }
  if (!METHODS.includes(values.method)) fault("method", "Method", "must be one of the list");
  /** @type {RequestToExplain["fields"]} */
  const fields = [];
  for (const [i, line] of lines(values.fields).entries()) {
    const [, name, value = ""] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*([\x20-\x7e]*)$/.exec(line) ?? [];
    if (name === undefined) fault("fields", `Fields, line ${i + 1},`, "must be Name: value, in ASCII");
    else if (OWN_FIELDS.test(name)) fault("fields", `Fields, line ${i + 1},`, `must not set ${name}`);
    else fields.push([name, value]);
  }
  const credential = credentialOf(values, fault);
  if (credential.kind === "key" || credential.kind === "token") {
    const { field } =
      credential.kind === "key"
        ? keyField(settings.configuration)
        : tokenField(settings.configuration, credential.text);
    if (fields.some(([name]) => name.toLowerCase() === field))
      fault("fields", "Fields", `must not set ${field}, which holds the credential`);
  }
  const { cf, faulty } = requestCf(withImplied(values.platform).platform);
  if (values.address && !isAddress(values.address))
    fault("address", "Address", "must be an IPv4 or IPv6 address such as 192.0.2.7");
  else if (values.address) cf.ip = values.address;
  for (const { operand, what } of faulty) fault(idOf(operand.name), label(operand), what);
  if (faults.length > 0) return { faults };
  return { request: { method: values.method, url, fields, credential, cf } };
}

/**
 * @param {Operand} operand
 * @param {string} value
 * @param {string | undefined} fault
 */
function platformField(operand, value, fault) {
  const field = { id: idOf(operand.name), label: label(operand), value, fault };
  if (operand.name === "continent") return choice({ ...field, options: CONTINENTS });
  if (operand.type === "boolean") return choice({ ...field, options: YES_OR_NO });
  if (operand.name === "country")
    return html`${textField({ ...field, hint: `${operand.help}. It implies the continent and the European Union below.`, more: { list: "countries", autocomplete: "off" } })}
      <datalist id="countries">${COUNTRIES.map(([code, name]) => html`<option value="${code}">${name}</option>`)}</datalist>`;
  return textField({ ...field, hint: `${operand.help}. Example: ${operand.example}` });
}

/**
 * @param {ExplainValues} values
 * @param {FormFault[]} faults
 * @param {Settings} settings
 */
function fieldset(values, faults, { configuration, gatewayUrl }) {
  /** @type {(id: string) => string | undefined} */
  const fault = (id) => faults.find((one) => one.id === id)?.what;
  /** @param {Operand} operand */
  const ofPlatform = (operand) =>
    platformField(operand, values.platform[operand.name] ?? "", fault(idOf(operand.name)));
  return html`
    <fieldset><legend>Request</legend>
      ${choice({ id: "method", label: "Method", value: values.method, options: METHODS.map((name) => [name, name]), fault: fault("method") })}
      ${textField({ id: "url", label: "URL", value: values.url, required: true, wide: true, fault: fault("url"), hint: html`A path, at <code>${gatewayUrl.host}</code>, or a URL with another host.` })}
      ${area({ id: "fields", label: "Fields", value: values.fields, fault: fault("fields"), hint: "One a line, Name: value. No credential here: what stands here is shown again." })}
    </fieldset>
    <fieldset><legend>Caller</legend>
      ${choice({ id: "kind", label: "Credential", value: values.kind, options: KINDS, fault: fault("kind") })}
      ${textField({ id: "secret", label: "Key or token", type: "password", fault: fault("secret"), wide: true, hint: html`Sent to the gateway only, a key in <code>${keyField(configuration).field}</code>. It is shown nowhere, and must be typed again each time.`, more: { autocomplete: "off" } })}
      ${area({ id: "claims", label: "Claims", value: values.claims, fault: fault("claims"), hint: html`A JSON object, for “claims” above: <code>{ "sub": "me", "customerId": "acme-corp" }</code>` })}
    </fieldset>
    <fieldset><legend>What the platform says of the client</legend>
      ${textField({ id: "address", label: "Address", value: values.address, fault: fault("address"), hint: "Where the client is: for conditions on $ip and for allowed addresses. Example: 192.0.2.7" })}
      ${OF_PLATFORM.map(ofPlatform)}
    </fieldset>`;
}

/**
 * What must be set before anything can be asked; undefined where all is. A gateway that cannot explain would forward.
 * @param {Settings} settings
 * @returns {Html | undefined}
 */
function missing({ operatorSecret, configuration }) {
  const lacks = [];
  if (!configuration.operator?.secret)
    lacks.push(html`<code>secret</code> under <code>[operator]</code> in <code>gateway.toml</code>`);
  if (!operatorSecret)
    lacks.push(
      html`the operator secret, <code>OPERATOR_SECRET</code>, with the gateway’s own value: <code>npx wrangler secret put OPERATOR_SECRET --env console</code>`,
    );
  if (lacks.length === 0) return undefined;
  return box(
    "warning",
    html`<p>The gateway explains its decisions to operators only. To be set yet:</p><ul>${lacks.map((text) => html`<li>${text}</li>`)}</ul>`,
  );
}

/**
 * @param {Ctx} c
 * @param {ExplainValues} values
 * @param {{ faults?: FormFault[], answer?: Said }} [outcome]
 */
function view(c, values, { faults = [], answer } = {}) {
  const settings = c.get("settings");
  const lacking = missing(settings);
  const content = html`${summary(faults)}
    <p>What becomes of a request, and why, step by step. The gateway decides as it would for a caller, and forwards nothing.</p>
    ${lacking ?? ""}
    ${answer ? explanation(answer) : ""}
    ${lacking ? "" : form(c.get("session").csrf, AT, html`${answer ? html`<h2>Ask again</h2>` : ""}${fieldset(values, faults, settings)}<p class="actions"><button>Explain</button></p>`, html` novalidate`)}`;
  return show(c, {
    title: "Explain",
    at: AT,
    status: faults.length > 0 ? 422 : 200,
    faulty: faults.length > 0,
    content,
  });
}

/** @param {Ctx} c */
async function ask(c) {
  const settings = c.get("settings");
  const values = typedOf(c.get("form"));
  if (missing(settings)) return view(c, values);
  const { request, faults } = requestOf(values, settings);
  if (faults !== undefined) return view(c, values, { faults });
  return view(c, values, { answer: await explain(settings, request) });
}

/** @param {App} app */
export function explainPages(app) {
  app.get(AT, (c) => view(c, { ...START, url: c.req.query("url") ?? START.url }));
  app.post(AT, ask);
}
