// The page of one key.
import { mintsKeys } from "../configuration.js";
import { digestIn, entryOfDigest, keyEntry, millisOf, mintKey } from "../core.js";
import { howSoonItWorks } from "../how-soon.js";
import { isUsable } from "../key-entries.js";
import { hasLedger, openRecords } from "../records.js";
import { linkToChanges } from "./audit.js";
import { done, refusal, shownWith } from "./changing.js";
import { keyFields, valuesOf } from "./key-form.js";
import { endOf, linkTo, stateOf } from "./key-list.js";
import { show } from "./layout.js";
import { box, facts, form, html, json, summary, tree } from "./parts.js";
import { KEY_DIGITS, usageOf } from "./usage.js";
import { when } from "./when.js";

/** @import { ContentfulStatusCode } from "hono/utils/http-status" */
/** @import { Content, Ctx, FormFault, KeyEntry, KeyValues, Records, StoredKey, UsableKeyEntry, Version } from "../types.d.ts" */

export const AT = "/keys";
/** @type {Record<string, string>} */
const DONE = { saved: "Saved.", disabled: "Disabled.", enabled: "Enabled.", revoked: "Revoked." };

/** @type {(c: Ctx, records: Records) => Content} */
export const keyDone = (c, records) => done(c, records, "keys", DONE);
/** @type {(text: string) => boolean} */
export const isDigest = (text) => /^[0-9a-f]{64}$/.test(text);
/** @type {(entry: KeyEntry) => string} */
export const nameOf = (entry) =>
  (typeof entry.record?.name === "string" && entry.record.name) || `Key ${entry.digest.slice(0, 12)}…`;

/**
 * The entry that the address names, or a page that says why there is none.
 * @param {Ctx} c
 * @returns {Promise<{ records: Records, entry: StoredKey, missing?: undefined } | { records: Records, entry?: undefined, missing: Response | Promise<Response> }>}
 */
export async function find(c) {
  const digest = c.req.query("digest") ?? "";
  const records = await openRecords(c.get("settings"));
  const entry = isDigest(digest) ? await records.key(digest) : undefined;
  if (entry) return { records, entry };
  const what =
    records.kind === "ledger"
      ? "There is no key with this digest. It may have been revoked."
      : "KV holds no key with this digest. It may have been revoked, or KV has not carried it here yet.";
  const changes = hasLedger(c.get("settings")) && isDigest(digest) && linkToChanges(entryOfDigest(digest));
  const content = html`<p>${what}</p><p><a href="${AT}">All keys</a>${changes && html` · ${changes}`}</p>`;
  return { records, missing: show(c, { status: 404, title: "No such key", at: AT, content }) };
}

/**
 * @param {Ctx} c
 * @param {Records} records
 * @param {{ entry: StoredKey, faults?: FormFault[], status?: ContentfulStatusCode, values?: KeyValues, operation?: string }} parts
 */
export async function showOne(c, records, { entry, faults = [], status = 200, values, operation }) {
  const { configuration } = c.get("settings");
  const { csrf } = c.get("session");
  const { record } = entry;
  const off = entry.key?.state === "disabled";
  const good = isUsable(entry);
  const usage = await usageOf(c, "/key", { digest: entry.digest }, { key: entry.digest.slice(0, KEY_DIGITS) });
  const broken =
    !good &&
    box(
      "warning",
      html`<p><strong>The gateway cannot use this record.</strong> Requests with this key get 500. Revoke it, or repair the entry with <code>wrangler kv</code>:</p><ul>${entry.findings.map(({ pointer, message }) => html`<li><code>${pointer || "(the record)"}</code> ${message}</li>`)}</ul>`,
    );
  const content = html`${keyDone(c, records)}${refusal(records)}${summary(faults)}${leak(entry)}${broken}
    ${facts([
      ["State", stateOf(entry)],
      ["Subject", record && tree(record.subject)],
      [
        "Customer",
        entry.customer
          ? html`<a href="/customer?${new URLSearchParams({ id: entry.customer })}">${entry.customer}</a>`
          : undefined,
      ],
      ["Ends", record && endOf(entry)],
      ["Made", record?.createdAt ? madeAt(record.createdAt) : undefined],
      ["Allowed addresses", record?.allowedIps ? tree(record.allowedIps) : undefined],
      ["Methods", record?.methods ? tree(record.methods) : undefined],
      ["Claims", record?.claims ? tree(record.claims) : undefined],
      ["KV entry", html`<code class="break">${entryOfDigest(entry.digest)}</code>`],
    ])}
    <div class="actions">
      ${good && form(csrf, linkTo(entry.digest, "/key/switch"), html`${shownWith(entry.was)}<button name="to" value="${off ? "on" : "off"}">${off ? "Enable" : "Disable"}</button>`)}
      ${good && mintsKeys(configuration) ? html`<a class="button" href="${linkTo(entry.digest, "/key/roll")}">Roll …</a>` : ""}
      <a class="button danger" href="${linkTo(entry.digest, "/key/revoke")}">Revoke …</a>
      ${hasLedger(c.get("settings")) ? linkToChanges(entryOfDigest(entry.digest)) : ""}
    </div>
    ${usage}
    ${good ? html`<h2>Edit</h2>${editor(c, entry, { values, faults, operation })}` : ""}
    <h2>The record</h2>
    ${json(record ?? entry.text)}`;
  return show(c, { title: nameOf(entry), at: AT, status, faulty: faults.length > 0, content });
}

/**
 * @param {Ctx} c
 * @param {UsableKeyEntry & Version} entry
 * @param {{ values?: KeyValues, faults: FormFault[], operation?: string }} parts
 */
function editor(c, entry, { values = valuesOf(entry.record), faults, operation }) {
  const { configuration } = c.get("settings");
  const fields = keyFields({ values, faults, configuration, shown: shownWith(entry.was, operation) });
  const content = html`${fields}<p class="actions"><button>Save</button> <a href="${AT}">Cancel</a></p>`;
  return form(c.get("session").csrf, linkTo(entry.digest), content, html` novalidate`);
}

/** @param {unknown} createdAt */
function madeAt(createdAt) {
  const at = typeof createdAt === "string" ? millisOf(createdAt) : undefined;
  return at === undefined ? tree(createdAt) : when(at);
}

/** @param {StoredKey} entry */
function leak({ leaked }) {
  if (leaked === undefined) return "";
  const where = leaked.found && html` at <code class="break">${leaked.found}</code>`;
  return box(
    "warning",
    html`<p><strong>This key has leaked.</strong> It was reported ${when(leaked.at)}${where}. Roll it, or revoke it.</p>`,
  );
}

/**
 * A key that was just made, and how it is stored.
 * @param {string} prefix
 */
export function mint(prefix) {
  const key = mintKey(prefix);
  const name = keyEntry(key);
  return { key, name, digest: digestIn(name) };
}

/**
 * Shows a key, this once. It is in no store, address or log; this page is the only place where it ever stands.
 * @param {Ctx} c
 * @param {Records} records
 * @param {{ key: string, digest: string, title: string, more?: Content }} parts
 */
export function reveal(c, records, { key, digest, title, more = "" }) {
  const content = html`
    ${box("good", html`<p role="status"><strong>This is the key. It is shown this once.</strong> Copy it now and hand it over by a safe way. Nobody can see it again, here or elsewhere.</p>`)}
    <p class="reveal"><code id="key" class="key" tabindex="0" translate="no">${key}</code> <button type="button" class="copy" data-copy="key" hidden>Copy</button> <span role="status" class="copied"></span></p>
    ${more}
    <p>${howSoonItWorks(c.get("settings").configuration, records)}</p>
    <p><a href="${linkTo(digest)}">Its record</a> · <a href="${AT}">All keys</a></p>`;
  return show(c, { title, at: AT, content });
}

const AGAIN =
  "This form was sent already, and its key was made then. Where nobody copied that key, revoke it. To make another one, begin with a new form.";
/** @type {(c: Ctx) => Response | Promise<Response>} */
export const sentAlready = (c) =>
  show(c, {
    status: 409,
    title: "Sent already",
    at: AT,
    content: html`<p>${AGAIN}</p><p><a href="${AT}">All keys</a>${hasLedger(c.get("settings")) ? html` · <a href="/audit">What was changed last</a>` : ""}</p>`,
  });
