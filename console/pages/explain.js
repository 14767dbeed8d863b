import { keyField } from "../configuration.js";
import { explain } from "../gateway.js";
import { readObject } from "../json.js";
import { explanation } from "./explanation.js";
import { show } from "./layout.js";
import { area, box, choice, form, html, lines, summary, textField } from "./parts.js";

const AT = "/explain";
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const KINDS = [
  ["none", "none"],
  ["key", "an API key"],
  ["token", "a token"],
  ["claims", "claims, as if a credential had been checked"],
];
const PLACE = ["country", "continent", "regionCode", "colo"];
/** What the console itself says to the gateway, and what the runtime makes. */
const OWN_FIELDS = /^(x-pointsman-.*|host|connection|content-length|transfer-encoding|upgrade|cf-.*)$/i;
const CONTINENTS = ["", "AF", "AN", "AS", "EU", "NA", "OC", "SA"].map((code) => [code, code || "–"]);

/** What was typed. The credential is in `secret`, which no page shows again. */
function typedOf(typed) {
  const of = (name) => typed.get(name) ?? "";
  return {
    method: of("method"),
    url: of("url").trim(),
    fields: of("fields"),
    kind: of("kind"),
    claims: of("claims"),
    place: Object.fromEntries([...PLACE, "eu"].map((name) => [name, of(name).trim()])),
    secret: of("secret").trim(),
  };
}

const START = { method: "GET", url: "/", fields: "", kind: "none", claims: "", place: {}, secret: "" };

/** The request that was meant: { request, faults }. */
function requestOf(values, settings) {
  const faults = [];
  const fault = (id, label, what) => void faults.push({ id, label, what });
  let url;
  try {
    url = new URL(values.url, settings.gatewayUrl);
    if (!/^https?:$/.test(url.protocol) || url.username || url.password) throw new TypeError("not a URL of ours");
  } catch {
    fault("url", "URL", "must be a path such as /api/v1/orders?page=2, or a URL with a host");
  }
  if (!METHODS.includes(values.method)) fault("method", "Method", "must be one of the list");
  const fields = lines(values.fields).map((line, i) => {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*([\x20-\x7e]*)$/.exec(line) ?? [];
    if (name === undefined) fault("fields", `Fields, line ${i + 1},`, "must be Name: value, in ASCII");
    else if (OWN_FIELDS.test(name)) fault("fields", `Fields, line ${i + 1},`, `must not set ${name}`);
    return [name, value];
  });
  const credential = { kind: values.kind, text: values.secret };
  if (!KINDS.some(([kind]) => kind === values.kind)) fault("kind", "Credential", "must be one of the list");
  if (values.kind === "key" || values.kind === "token") {
    if (values.secret === "") fault("secret", "Key or token", "must be typed each time: it is never kept");
    else if (!/^[\x21-\x7e]+$/.test(values.secret))
      fault("secret", "Key or token", "must be visible ASCII without spaces");
    const field = values.kind === "key" ? keyField(settings.configuration).field : "authorization";
    if (fields.some(([name]) => name?.toLowerCase() === field))
      fault("fields", "Fields", `must not set ${field}, which holds the credential`);
  }
  if (values.kind === "claims") {
    const { value, what } = readObject(values.claims.trim() || "{}");
    if (what) fault("claims", "Claims", what);
    credential.claims = value;
  }
  const place = Object.fromEntries(
    PLACE.filter((name) => values.place[name]).map((name) => [name, values.place[name]]),
  );
  if (values.place.eu === "yes") place.isEUCountry = "1";
  return { faults, request: { method: values.method, url, fields, credential, place } };
}

function fieldset(values, faults, { configuration, gatewayUrl }) {
  const fault = (id) => faults.find((one) => one.id === id)?.what;
  const { place } = values;
  const placeField = (id, label, hint) => textField({ id, label, value: place[id] ?? "", hint });
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
    <fieldset><legend>Place</legend>
      ${placeField("country", "Country", "Two letters: DE")}
      ${choice({ id: "continent", label: "Continent", value: place.continent ?? "", options: CONTINENTS })}
      ${placeField("regionCode", "Part of the country", "Its code: BY")}
      ${placeField("colo", "Data centre", "Its code: FRA")}
      ${choice({
        id: "eu",
        label: "In the EU",
        value: place.eu ?? "",
        options: [
          ["", "no"],
          ["yes", "yes"],
        ],
      })}
    </fieldset>`;
}

/** What must be set before anything can be asked; undefined where all is. A gateway that cannot explain would forward. */
function missing({ operatorSecret, configuration }) {
  const lacks = [];
  if (!configuration.operator?.secret)
    lacks.push(html`<code>secret</code> under <code>[operator]</code> in <code>gateway.toml</code>`);
  if (!operatorSecret)
    lacks.push(
      html`the console’s secret <code>OPERATOR_SECRET</code>, with the gateway’s own value: <code>npx wrangler secret put OPERATOR_SECRET --env console</code>`,
    );
  if (lacks.length === 0) return undefined;
  return box(
    "warning",
    html`<p>The gateway explains its decisions to operators only. To be set yet:</p><ul>${lacks.map((text) => html`<li>${text}</li>`)}</ul>`,
  );
}

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

async function ask(c) {
  const settings = c.get("settings");
  const values = typedOf(c.get("form"));
  if (missing(settings)) return view(c, values);
  const { request, faults } = requestOf(values, settings);
  if (faults.length > 0) return view(c, values, { faults });
  return view(c, values, { answer: await explain(settings, request) });
}

export function explainPages(app) {
  app.get(AT, (c) => view(c, { ...START, url: c.req.query("url") ?? START.url }));
  app.post(AT, ask);
}
