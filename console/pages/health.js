import { status } from "../gateway.js";
import { isObject } from "../json.js";
import { bounds } from "./bounds.js";
import { show } from "./layout.js";
import { box, facts, html, json, table, tree } from "./parts.js";
import { whenWritten } from "./when.js";

/** @import { App, Asked, Content, Ctx, Html, Isolate, Issuer, JsonObject, Settings, StatusDocument } from "../types.d.ts" */

const AT = "/health";

/** @type {(value: unknown) => Content} */
const number = (value) => (typeof value === "number" ? value.toLocaleString("en") : tree(value));
/** @type {(value: unknown) => string} */
const percent = (value) => (typeof value === "number" ? `${(value * 100).toFixed(1)} %` : "–");

/** @type {(caches: Record<string, JsonObject>) => Content[][]} */
const cacheRows = (caches) =>
  Object.entries(caches).map(([name, cache]) => [
    name.replaceAll("_", " "),
    number(cache.entries),
    `${number(cache.bytes)} of ${number(cache.budget)}`,
    number(cache.hits),
    number(cache.misses),
    percent(cache.hit_ratio),
    number(cache.failed_loads),
  ]);

/** @type {(error: Asked["last_error"]) => Content} */
const failure = (error) => (error ? html`${whenWritten(error.time)}: ${error.message}` : "none");

/**
 * @param {Isolate} isolate
 * @returns {Content[][]}
 */
function sourceRows({ kv, config_api: configApi }) {
  /** @type {(name: string, asked: Asked | undefined) => Content[]} */
  const row = (name, asked) => [
    name,
    asked?.answered_at ? whenWritten(asked.answered_at) : "not asked yet",
    failure(asked?.last_error),
  ];
  return [
    ...(kv ? [row("KV", kv)] : []),
    ...(configApi ? [row(`Config API (${configApi.form})`, configApi.asked)] : []),
  ];
}

/** @type {(issuers: Issuer[]) => Content[][]} */
const issuerRows = (issuers) =>
  issuers.map((issuer) => [
    issuer.name,
    issuer.keys === null ? "not loaded yet" : tree(issuer.keys),
    issuer.state ?? "–",
    issuer.as_of ? whenWritten(issuer.as_of) : "–",
    html`${number(issuer.failures_in_a_row)}${issuer.retry_at ? html`, asked again ${whenWritten(issuer.retry_at)}` : ""}`,
    failure(issuer.asked?.last_error),
  ]);

/**
 * What this page does not know of, so that nothing the gateway says is lost.
 * @type {(object: object, known: string[]) => Content}
 */
const rest = (object, known) => {
  const more = Object.entries(object).filter(([name]) => !known.includes(name));
  return more.length > 0 ? html`<h2>More</h2>${tree(Object.fromEntries(more))}` : "";
};

/**
 * @param {unknown} json
 * @returns {json is StatusDocument}
 */
const isStatus = (json) => isObject(json) && isObject(json.isolate);

/** @param {StatusDocument} found */
function document(found) {
  const { isolate } = found;
  /** @type {(title: string, content: Content) => Html} */
  const section = (title, content) => html`<h2>${title}</h2>${content}`;
  return html`
    ${box("note", html`<p><strong>This is one isolate’s view.</strong> The platform runs many, each with its own memory, and another may have answered the last time. Counters begin anew with each.</p>`)}
    ${facts([
      ["Version", found.version],
      ["Configuration", tree(found.configuration)],
      ["Its time", whenWritten(found.time)],
    ])}
    ${section("Sources", table({ caption: "Sources, as this isolate has seen them", columns: ["Source", "Last answered", "Last error"], rows: sourceRows(isolate), none: "None was asked." }))}
    ${isolate.config_api?.scheduled_refresh ? html`<h3>Scheduled refresh</h3>${tree(isolate.config_api.scheduled_refresh)}` : ""}
    ${section("Key sets", table({ caption: "Issuers whose keys are fetched", columns: ["Issuer", "Keys", "State", "As of", "Failures in a row", "Last error"], rows: issuerRows(isolate.issuers ?? []), none: "No issuer’s keys are fetched." }))}
    ${section("Open circuits", isolate.open_circuits?.length ? table({ caption: "Origins that failed, and are asked last until then", columns: ["Backend", "Origin", "Until"], rows: isolate.open_circuits.map(({ backend, origin, until }) => [backend, origin, whenWritten(until)]) }) : html`<p class="none">None: all that were called are well.</p>`)}
    ${section("Caches", table({ caption: "Caches of this isolate", columns: ["Cache", "Entries", "Bytes", "Hits", "Misses", "Hit ratio", "Failed loads"], rows: cacheRows(isolate.caches ?? {}) }))}
    ${found.bounds?.length ? section("Bounds", bounds(found.bounds)) : ""}
    ${rest(found, ["version", "configuration", "time", "isolate", "bounds"])}
    ${rest(isolate, ["caches", "kv", "config_api", "issuers", "open_circuits"])}`;
}

/** @param {Settings} settings */
function lacking({ configuration, operatorSecret }) {
  const lacks = [];
  if (!configuration.operator?.status)
    lacks.push(
      html`<code>status</code> under <code>[operator]</code> in <code>gateway.toml</code>, a path such as <code>/gateway/status</code>`,
    );
  if (!configuration.operator?.secret)
    lacks.push(html`<code>secret</code> under <code>[operator]</code> in <code>gateway.toml</code>`);
  if (!operatorSecret)
    lacks.push(html`the operator secret, <code>OPERATOR_SECRET</code>, with the gateway’s own value`);
  return lacks;
}

/** @param {Ctx} c */
async function page(c) {
  const settings = c.get("settings");
  /** @type {(content: Content) => Response | Promise<Response>} */
  const view = (content) => show(c, { title: "Health", at: AT, content });
  const lacks = lacking(settings);
  if (lacks.length > 0) {
    return view(
      box(
        "warning",
        html`<p>The gateway shows its state to operators only. To be set yet:</p><ul>${lacks.map((text) => html`<li>${text}</li>`)}</ul>`,
      ),
    );
  }
  const said = await status(settings);
  if (said.failed !== undefined)
    return view(box("warning", html`<p>The gateway could not be asked: ${said.failed}</p>`));
  if (said.status === 200 && isStatus(said.json)) return view(document(said.json));
  return view(
    html`${box("warning", html`<p><strong>The gateway answered ${said.status}, and not with its state.</strong> Is the operator secret (<code>OPERATOR_SECRET</code>) the one that it has, and is its configuration the one of this console?</p>`)}${json(said.json ?? said.text ?? "")}`,
  );
}

/** @type {(app: App) => void} */
export const health = (app) => void app.get(AT, page);
