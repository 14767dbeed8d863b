import { audit } from "../audit.js";
import { customerClaim, mintsKeys, prefixes } from "../configuration.js";
import { checkKey, digestIn, entryOfDigest, keyEntry, millisOf, mintKey } from "../core.js";
import { base64url, digestOf } from "../encoding.js";
import { endAfterGrace, endThatLiesAhead, isUsable, readKey } from "../key-entries.js";
import { write } from "../store.js";
import { createOnce } from "../throttle.js";
import { endField, faultInForm, keyFields, noValues, recordOf, valuesTyped } from "./key-form.js";
import { BY, findKeys, keyTable, linkTo, stateOf } from "./key-list.js";
import { show } from "./layout.js";
import { box, choice, facts, form, hidden, html, json, summary, tree } from "./parts.js";

/** @import { ContentfulStatusCode } from "hono/utils/http-status" */
/** @import { App, Content, Ctx, FormFault, KeyEntry, KeyRecord, KeyValues, UsableKeyEntry } from "../types.d.ts" */

const AT = "/keys";
/** @type {Record<string, string>} */
const DONE = { disabled: "Disabled.", enabled: "Enabled.", revoked: "Revoked." };
const LATER =
  "KV takes a minute or more to carry a change everywhere; isolates use the old record for [api_keys] fresh after that.";
/** @type {(c: Ctx) => Content} */
const done = (c) => {
  const said = DONE[c.req.query("done") ?? ""];
  return said && box("good", html`<p role="status"><strong>${said}</strong> ${LATER}</p>`);
};
const onceId = () => base64url(crypto.getRandomValues(new Uint8Array(18)));
/** @type {(text: string) => boolean} */
const isDigest = (text) => /^[0-9a-f]{64}$/.test(text);

/** @param {Ctx} c */
async function list(c) {
  const settings = c.get("settings");
  const [by] = BY.find(([name]) => name === c.req.query("by")) ?? BY[0];
  const [text, cursor] = [(c.req.query("text") ?? "").trim(), c.req.query("cursor")];
  const { found, cursor: next, looked } = await findKeys(settings, { by, text, cursor });
  /** @type {(more: Record<string, string>) => string} */
  const link = (more) => `${AT}?${new URLSearchParams({ by, text, ...more })}`;
  const content = html`${done(c)}
    <div class="bar">
      <form method="get" action="${AT}" role="search" class="inline">
        <label for="by">Search by</label>
        <select id="by" name="by">${BY.map(([name, label]) => html`<option value="${name}"${name === by ? html` selected` : ""}>${label}</option>`)}</select>
        <label for="text" class="sr">What it contains</label>
        <input id="text" name="text" value="${text}" autocapitalize="off" spellcheck="false">
        <button>Search</button>
      </form>
      ${mintsKeys(settings.configuration) ? html`<a class="button" href="/keys/new">New key</a>` : ""}
    </div>
    <p class="hint">KV holds digests. No page can show a key that was made before.</p>
    ${keyTable(found, text ? `Keys whose ${by} contains “${text}”` : "Keys in KV", text ? "None of those that were looked at." : "KV holds no keys.")}
    <nav class="pager" aria-label="Pages">${cursor && html`<a href="${link({})}">From the beginning</a>`}${next && html`<span>${looked} entries looked at.</span> <a href="${link({ cursor: next })}">Go on</a>`}</nav>`;
  return show(c, { title: "Keys", at: AT, content });
}

/**
 * The entry that the address names, or a page that says why there is none.
 * @param {Ctx} c
 * @returns {Promise<{ entry: KeyEntry, missing?: undefined } | { entry?: undefined, missing: Response | Promise<Response> }>}
 */
async function find(c) {
  const digest = c.req.query("digest") ?? "";
  const { store: kv, configuration } = c.get("settings");
  const name = entryOfDigest(digest);
  const text = isDigest(digest) ? await kv.get(name, "text") : null;
  if (text !== null) return { entry: readKey({ name, text }, configuration) };
  const content = html`<p>KV holds no key with this digest. It may have been revoked, or KV has not carried it here yet.</p><p><a href="${AT}">All keys</a></p>`;
  return { missing: show(c, { status: 404, title: "No such key", at: AT, content }) };
}

/** @type {(entry: KeyEntry) => string} */
const nameOf = (entry) =>
  (typeof entry.record?.name === "string" && entry.record.name) || `Key ${entry.digest.slice(0, 12)}…`;

const CHANGED = {
  what: "The record was changed by somebody else since the page was loaded: nothing was done. What KV holds now stands below.",
};

/**
 * Whether the form was sent from a page that showed what KV holds now: else it would take back what somebody else wrote.
 * @type {(c: Ctx, entry: KeyEntry) => Promise<boolean>}
 */
const isUnchanged = async (c, entry) => c.get("form").get("was") === (await digestOf(entry.text));

/**
 * @param {Ctx} c
 * @param {{ entry: KeyEntry, faults?: FormFault[], status?: ContentfulStatusCode }} parts
 */
async function showOne(c, { entry, faults = [], status = 200 }) {
  const { configuration } = c.get("settings");
  const { csrf } = c.get("session");
  const { record } = entry;
  const off = entry.key?.state === "disabled";
  const good = isUsable(entry);
  const was = await digestOf(entry.text);
  const broken =
    !good &&
    box(
      "warning",
      html`<p><strong>The gateway cannot use this record.</strong> Requests with this key get 500. Revoke it, or repair the entry with <code>wrangler kv</code>:</p><ul>${entry.findings.map(({ pointer, message }) => html`<li><code>${pointer || "(the record)"}</code> ${message}</li>`)}</ul>`,
    );
  const content = html`${done(c)}${summary(faults)}${broken}
    ${facts([
      ["State", stateOf(entry)],
      ["Subject", record && tree(record.subject)],
      [
        "Customer",
        entry.customer
          ? html`<a href="/customer?${new URLSearchParams({ id: entry.customer })}">${entry.customer}</a>`
          : undefined,
      ],
      ["Ends", record && (record.expiresAt ? tree(record.expiresAt) : "never")],
      ["Made", record?.createdAt ? tree(record.createdAt) : undefined],
      ["Allowed addresses", record?.allowedIps ? tree(record.allowedIps) : undefined],
      ["Methods", record?.methods ? tree(record.methods) : undefined],
      ["Claims", record?.claims ? tree(record.claims) : undefined],
      ["KV entry", html`<code class="break">${entryOfDigest(entry.digest)}</code>`],
    ])}
    <div class="actions">
      ${good && form(csrf, linkTo(entry.digest, "/key/switch"), html`${hidden("was", was)}<button name="to" value="${off ? "on" : "off"}">${off ? "Enable" : "Disable"}</button>`)}
      ${good && mintsKeys(configuration) ? html`<a class="button" href="${linkTo(entry.digest, "/key/roll")}">Roll …</a>` : ""}
      <a class="button danger" href="${linkTo(entry.digest, "/key/revoke")}">Revoke …</a>
    </div>
    <h2>The record in KV</h2>
    ${json(record ?? entry.text)}`;
  return show(c, { title: nameOf(entry), at: AT, status, faulty: faults.length > 0, content });
}

/**
 * @param {Ctx} c
 * @param {KeyValues} values
 * @param {FormFault[]} [faults]
 */
function showNew(c, values, faults = []) {
  const { configuration } = c.get("settings");
  const known = prefixes(configuration);
  const fields = keyFields({ values, faults, configuration, prefixes: known, once: onceId() });
  const content = html`${summary(faults)}
    <p>The key is made here and shown once. KV gets its digest.</p>
    ${form(c.get("session").csrf, "/keys/new", html`${fields}<p class="actions"><button>Create key</button> <a href="${AT}">Cancel</a></p>`, html` novalidate`)}`;
  return show(c, {
    title: "New key",
    at: AT,
    status: faults.length > 0 ? 422 : 200,
    faulty: faults.length > 0,
    content,
  });
}

/**
 * Shows a key, this once. It is in no store, address or log; this page is the only place where it ever stands.
 * @param {Ctx} c
 * @param {{ key: string, digest: string, title: string, more?: Content }} parts
 */
function reveal(c, { key, digest, title, more = "" }) {
  const content = html`
    ${box("good", html`<p role="status"><strong>This is the key. It is shown this once.</strong> Copy it now and hand it over by a safe way. Nobody can see it again, here or elsewhere.</p>`)}
    <p class="reveal"><code id="key" class="key" tabindex="0" translate="no">${key}</code> <button type="button" class="copy" data-copy="key" hidden>Copy</button> <span role="status" class="copied"></span></p>
    ${more}
    <p>The key works as soon as KV has carried it to the place where it is used: mostly at once, sometimes after a minute or more.</p>
    <p><a href="${linkTo(digest)}">Its record</a> · <a href="${AT}">All keys</a></p>`;
  return show(c, { title, at: AT, content });
}

const AGAIN = "This form was sent already, and its key was made then. To make another one, begin with a new form.";
/** @type {(c: Ctx) => Response | Promise<Response>} */
const sentAlready = (c) =>
  show(c, {
    status: 409,
    title: "Sent already",
    at: AT,
    content: html`<p>${AGAIN}</p><p><a href="${AT}">All keys</a></p>`,
  });

/**
 * @param {Ctx} c
 * @param {KeyRecord} record
 * @param {string} prefix
 * @param {string} action
 * @param {{ endOf?: string }} [options]
 */
async function store(c, record, prefix, action, options) {
  const key = mintKey(prefix);
  const name = keyEntry(key);
  await write(c.get("settings").store, name, record, options);
  audit(c.get("who"), action, name);
  return { key, digest: digestIn(name) };
}

/**
 * Creates a key where the form is good and was not sent before.
 * @type {(once: (id: string) => boolean) => (c: Ctx) => Promise<Response>}
 */
const creator = (once) => async (c) => {
  const { configuration } = c.get("settings");
  const typed = c.get("form");
  const values = valuesTyped(typed);
  const { record, faults } = recordOf(values, configuration, Date.now());
  if (!prefixes(configuration).includes(values.prefix))
    faults.push({ id: "prefix", label: "Prefix", what: "must be one of [api_keys] prefixes" });
  const { findings } = checkKey(JSON.stringify(record), customerClaim(configuration), Date.now());
  faults.push(...findings.map(faultInForm));
  if (faults.length > 0) return showNew(c, values, faults);
  const formId = typed.get("once");
  if (!formId || !once(formId)) return sentAlready(c);
  const { key, digest } = await store(c, record, values.prefix, "create key");
  return reveal(c, { key, digest, title: "Key created" });
};

/** @param {Ctx} c */
async function switchOnOff(c) {
  const { entry, missing } = await find(c);
  if (missing) return missing;
  if (!isUsable(entry)) return showOne(c, { entry, status: 422 });
  if (!(await isUnchanged(c, entry))) return showOne(c, { entry, faults: [CHANGED], status: 409 });
  const off = c.get("form").get("to") === "off";
  const { disabled, ...rest } = entry.record;
  await write(c.get("settings").store, entryOfDigest(entry.digest), off ? { ...rest, disabled: true } : rest);
  audit(c.get("who"), off ? "disable key" : "enable key", entryOfDigest(entry.digest));
  return c.redirect(`${linkTo(entry.digest)}&done=${off ? "disabled" : "enabled"}`, 303);
}

/** @typedef {{ grace: string, prefix: string, expiresAt: string }} RollValues */

const HOUR = 3_600_000;
/**
 * How long an old key may go on.
 * @type {{ name: string, label: string, millis: number }[]}
 */
const GRACES = [
  { name: "0s", label: "at once", millis: 0 },
  { name: "1h", label: "in an hour", millis: HOUR },
  { name: "24h", label: "in a day", millis: 24 * HOUR },
  { name: "7d", label: "in a week", millis: 7 * 24 * HOUR },
  { name: "30d", label: "in 30 days", millis: 30 * 24 * HOUR },
];

/**
 * @param {Ctx} c
 * @param {UsableKeyEntry} entry
 * @param {RollValues} values
 * @param {FormFault[]} [faults]
 */
async function showRoll(c, entry, values, faults = []) {
  /** @type {(id: string) => string | undefined} */
  const fault = (id) => faults.find((one) => one.id === id)?.what;
  const known = prefixes(c.get("settings").configuration);
  const was = await digestOf(entry.text);
  const content = html`${summary(faults)}
    <p>Makes a new key with the record of <a href="${linkTo(entry.digest)}">${nameOf(entry)}</a>, and lets the old key expire, never later than it would have expired anyway.</p>
    ${entry.key.state === "disabled" ? box("warning", html`<p>The old key is disabled and stays so. The new one will work.</p>`) : ""}
    ${form(
      c.get("session").csrf,
      linkTo(entry.digest, "/key/roll"),
      html`${hidden("once", onceId())}${hidden("was", was)}
        ${choice({ id: "grace", label: "The old key ends", value: values.grace, options: GRACES.map(({ name, label }) => [name, label]), fault: fault("grace"), hint: entry.record.expiresAt ? `As it is, it ends ${entry.record.expiresAt}.` : "As it is, it has no end." })}
        ${choice({ id: "prefix", label: "Prefix of the new key", value: values.prefix, options: known.map((prefix) => [prefix, `${prefix}_…`]), fault: fault("prefix"), hint: "KV does not tell the old one's." })}
        ${endField(values.expiresAt, fault("expiresAt"), "The new key ends")}
        <p class="actions"><button>Roll the key</button> <a href="${linkTo(entry.digest)}">Cancel</a></p>`,
      html` novalidate`,
    )}`;
  return show(c, {
    title: `Roll ${nameOf(entry)}`,
    at: AT,
    status: faults[0] === CHANGED ? 409 : faults.length > 0 ? 422 : 200,
    faulty: faults.length > 0,
    content,
  });
}

/** @param {Ctx} c */
async function askToRoll(c) {
  const { entry, missing } = await find(c);
  if (missing) return missing;
  if (!isUsable(entry)) return showOne(c, { entry, status: 422 });
  return showRoll(c, entry, {
    grace: "24h",
    prefix: prefixes(c.get("settings").configuration)[0],
    expiresAt: endThatLiesAhead(entry, Date.now()),
  });
}

/**
 * The new key is stored before the old one gets its end: whatever fails between, one of them works.
 * @type {(once: (id: string) => boolean) => (c: Ctx) => Promise<Response>}
 */
const roller = (once) => async (c) => {
  const { entry, missing } = await find(c);
  if (missing) return missing;
  if (!isUsable(entry)) return showOne(c, { entry, status: 422 });
  const now = Date.now();
  const typed = c.get("form");
  const values = {
    grace: typed.get("grace") ?? "",
    prefix: typed.get("prefix") ?? "",
    expiresAt: (typed.get("expiresAt") ?? "").trim(),
  };
  const faults = [];
  const grace = GRACES.find(({ name }) => name === values.grace);
  if (!grace) faults.push({ id: "grace", label: "The old key ends", what: "must be one of the list" });
  if (!prefixes(c.get("settings").configuration).includes(values.prefix))
    faults.push({ id: "prefix", label: "Prefix", what: "must be one of [api_keys] prefixes" });
  const end = values.expiresAt && millisOf(values.expiresAt);
  if (values.expiresAt && end === undefined)
    faults.push({
      id: "expiresAt",
      label: "The new key ends",
      what: "must be an RFC 3339 instant such as 2026-12-31T23:59:59Z",
    });
  else if (end && end <= now) faults.push({ id: "expiresAt", label: "The new key ends", what: "must lie ahead" });
  if (!(await isUnchanged(c, entry))) faults.unshift(CHANGED);
  if (!grace || faults.length > 0) return showRoll(c, entry, values, faults);
  const formId = typed.get("once");
  if (!formId || !once(formId)) return sentAlready(c);

  const { disabled, expiresAt, ...rest } = entry.record;
  const record = {
    ...rest,
    ...(values.expiresAt && { expiresAt: values.expiresAt }),
    createdAt: new Date(now).toISOString(),
  };
  // An end that KV itself gives the old key is one of the key, unless another was typed.
  const ends = values.expiresAt === endThatLiesAhead(entry, now) ? { endOf: entryOfDigest(entry.digest) } : {};
  const { key, digest } = await store(c, record, values.prefix, "roll key: new", ends);
  const oldEnd = endAfterGrace(entry, now, grace.millis);
  await write(c.get("settings").store, entryOfDigest(entry.digest), { ...entry.record, expiresAt: oldEnd });
  audit(c.get("who"), "roll key: old", entryOfDigest(entry.digest));
  return reveal(c, {
    key,
    digest,
    title: "Key rolled",
    more: html`<p>The <a href="${linkTo(entry.digest)}">old key</a> ends <code>${oldEnd}</code>.</p>`,
  });
};

/** @param {Ctx} c */
async function askToRevoke(c) {
  const { entry, missing } = await find(c);
  if (missing) return missing;
  const content = html`
    <p>This deletes the key's entry from KV. It cannot be taken back: the key is stored nowhere, and a new one is another key. To stop it for a while, disable it instead.</p>
    ${facts([
      ["Subject", entry.record && tree(entry.record.subject)],
      ["State", stateOf(entry)],
      ["KV entry", html`<code class="break">${entryOfDigest(entry.digest)}</code>`],
    ])}
    ${form(c.get("session").csrf, linkTo(entry.digest, "/key/revoke"), html`<p class="actions"><button class="danger">Revoke</button> <a href="${linkTo(entry.digest)}">Cancel</a></p>`)}`;
  return show(c, { title: `Revoke ${nameOf(entry)}?`, at: AT, content });
}

/** @param {Ctx} c */
async function revoke(c) {
  const { entry, missing } = await find(c);
  if (missing) return missing;
  await c.get("settings").store.delete(entryOfDigest(entry.digest));
  audit(c.get("who"), "revoke key", entryOfDigest(entry.digest));
  return c.redirect(`${AT}?done=revoked`, 303);
}

/** @param {App} app */
export function keys(app) {
  const once = createOnce();
  app.get(AT, list);
  app.get("/keys/new", (c) =>
    showNew(
      c,
      noValues({ prefix: prefixes(c.get("settings").configuration)[0], customer: c.req.query("customer") ?? "" }),
    ),
  );
  app.post("/keys/new", creator(once));
  app.get("/key", async (c) => {
    const { entry, missing } = await find(c);
    return missing ?? showOne(c, { entry });
  });
  app.post("/key/switch", switchOnOff);
  app.get("/key/roll", askToRoll);
  app.post("/key/roll", roller(once));
  app.get("/key/revoke", askToRevoke);
  app.post("/key/revoke", revoke);
}
