// All keys, and new ones.
import { audit } from "../audit.js";
import { customerClaim, prefixes } from "../configuration.js";
import { checkKey } from "../core.js";
import { openRecords } from "../records.js";
import { createOnce } from "../throttle.js";
import { change, notDone, operationIn, refusal, shownWith } from "./changing.js";
import { askToRevoke, askToRoll, edit, revoke, roller, switchOnOff } from "./key-changes.js";
import { faultInForm, keyFields, noValues, recordOf, valuesTyped } from "./key-form.js";
import { linkTo } from "./key-list.js";
import { AT, find, mint, reveal, sentAlready, showOne } from "./key-page.js";
import { keysThatBegin, listKeys } from "./key-search.js";
import { show } from "./layout.js";
import { form, html, summary } from "./parts.js";

/** @import { ContentfulStatusCode } from "hono/utils/http-status" */
/** @import { App, Ctx, FormFault, KeyValues, Records } from "../types.d.ts" */

/**
 * @param {Ctx} c
 * @param {Records} records
 * @param {KeyValues} values
 * @param {{ faults?: FormFault[], status?: ContentfulStatusCode, operation?: string }} [parts]
 */
function showNew(c, records, values, { faults = [], status = 200, operation } = {}) {
  const { configuration } = c.get("settings");
  const known = prefixes(configuration);
  const fields = keyFields({ values, faults, configuration, prefixes: known, shown: shownWith("", operation) });
  const content = html`${refusal(records)}${summary(faults)}
    <p>The key is made here and shown once. Its digest is stored.</p>
    ${form(c.get("session").csrf, "/keys/new", html`${fields}<p class="actions"><button>Create key</button> <a href="${AT}">Cancel</a></p>`, html` novalidate`)}`;
  return show(c, { title: "New key", at: AT, status, faulty: faults.length > 0, content });
}

/**
 * Creates a key where the form is good and was not sent before.
 * @type {(once: (id: string) => boolean) => (c: Ctx) => Promise<Response>}
 */
const creator = (once) => async (c) => {
  const { configuration } = c.get("settings");
  const records = await openRecords(c.get("settings"));
  const values = valuesTyped(c.get("form"));
  const { record, faults } = recordOf(values, configuration, Date.now());
  if (!prefixes(configuration).includes(values.prefix))
    faults.push({ id: "prefix", label: "Prefix", what: "must be one of [api_keys] prefixes" });
  const { findings } = checkKey(JSON.stringify(record), customerClaim(configuration), Date.now());
  faults.push(...findings.map(faultInForm));
  if (faults.length > 0) return showNew(c, records, values, { faults, status: 422, operation: operationIn(c) });
  const operation = operationIn(c);
  // The ledger knows for all isolates which forms were sent; of those that change KV this isolate alone does.
  const isNew = records.kind === "ledger" || records.refuses !== undefined || (operation && once(operation));
  if (!operation || !isNew) return sentAlready(c);
  const made = mint(values.prefix);
  const outcome = await change(c, records, [{ put: made.name, record, was: "" }]);
  if (!outcome.done) {
    if (outcome.why === "again") return sentAlready(c);
    const { fault, status } = notDone(outcome);
    return showNew(c, records, values, { faults: [fault], status, operation });
  }
  audit(c.get("who"), "create key", made.name);
  return reveal(c, records, { ...made, title: "Key created" });
};

/**
 * The page of the key whose digest begins so, as points and log lines name it; the list where there is none, or several.
 * @param {Ctx} c
 */
async function ofBeginning(c) {
  const begin = (c.req.query("begin") ?? "").toLowerCase();
  const list = `${AT}?${new URLSearchParams({ by: "digest", text: begin })}`;
  if (!/^[0-9a-f]{8,64}$/.test(begin)) return c.redirect(AT, 303);
  const found = await keysThatBegin(await openRecords(c.get("settings")), c.get("settings").configuration, begin);
  return c.redirect(found.length === 1 ? linkTo(found[0].digest) : list, 303);
}

/** @param {App} app */
export function keys(app) {
  const once = createOnce();
  app.get(AT, listKeys);
  app.get("/keys/new", async (c) => {
    const { configuration } = c.get("settings");
    const values = noValues({ prefix: prefixes(configuration)[0], customer: c.req.query("customer") ?? "" });
    return showNew(c, await openRecords(c.get("settings")), values);
  });
  app.post("/keys/new", creator(once));
  app.get("/key/of", ofBeginning);
  app.get("/key", async (c) => {
    const { records, entry, missing } = await find(c);
    return missing ?? showOne(c, records, { entry });
  });
  app.post("/key", edit);
  app.post("/key/switch", switchOnOff);
  app.get("/key/roll", askToRoll);
  app.post("/key/roll", roller(once));
  app.get("/key/revoke", askToRevoke);
  app.post("/key/revoke", revoke);
}
