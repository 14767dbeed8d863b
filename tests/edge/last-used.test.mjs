// When keys and customers were last used, for the management API: what is asked, what is told, and what is never said.
import assert from "node:assert/strict";
import { test } from "node:test";
import { addLastUsed, takeLastUsed } from "../../src/edge/last_used.js";

const SETTINGS = { CLOUDFLARE_ACCOUNT_ID: "account", METRICS_TOKEN: "token", METRICS_DATASET: "points" };
const ID = "ab".repeat(32);
const page = () => ({ status: 200, fields: [], body: { keys: [{ id: ID }, { id: "cd".repeat(32) }], next: "n" } });

/** What the SQL API is asked, and what it answers. */
function api(context, rows, status = 200) {
  const asked = [];
  context.mock.method(globalThis, "fetch", async (url, init) => {
    asked.push({ url, ...init });
    return new Response(JSON.stringify({ data: rows }), { status });
  });
  return asked;
}

test("the parameter is taken off where there is something that can be used, and left everywhere else", () => {
  for (const [path, text, kind, left] of [
    ["/v1/keys", "limit=5&lastUsed=true", "keys", "limit=5"],
    [`/v1/keys/${ID}`, "lastUsed=true", "keys", ""],
    ["/v1/customers", "lastUsed=true", "customers", ""],
    ["/v1/customers/a%2Fb", "lastUsed=true", "customers", ""],
    ["/v1/keys", "lastUsed=yes", undefined, "lastUsed=yes"],
    ["/v1/keys", "lastUsed=true&lastUsed=true", undefined, "lastUsed=true&lastUsed=true"],
    ["/v1/audit", "lastUsed=true", undefined, "lastUsed=true"],
    [`/v1/keys/${ID}/roll`, "lastUsed=true", undefined, "lastUsed=true"],
  ]) {
    const query = new URLSearchParams(text);
    assert.equal(takeLastUsed(path, query), kind, `${path}?${text}`);
    assert.equal(query.toString(), left);
  }
});

test("one call tells of a whole page when each was used, or that no use was seen", async (context) => {
  const at = Date.parse("2026-07-30T12:00:00Z") / 1000;
  const asked = api(context, [{ name: ID.slice(0, 16), last_let_in: `${at}`, sample_interval: "1" }]);
  const { body } = await addLastUsed(SETTINGS, "keys", page(), "request");
  assert.deepEqual(
    body.keys.map(({ lastUsed }) => lastUsed),
    ["2026-07-30T12:00:00.000Z", null],
  );
  assert.equal(body.next, "n");
  assert.equal(body.usage.sampled, false);
  assert.ok(Date.now() - Date.parse(body.usage.since) <= 91 * 86_400_000);
  assert.equal(asked.length, 1);
  assert.equal(asked[0].url, "https://api.cloudflare.com/client/v4/accounts/account/analytics_engine/sql");
  assert.equal(asked[0].headers.authorization, "Bearer token");
  assert.match(asked[0].body, /FROM points\n/);
  assert.match(asked[0].body, /blob8 IN \('abababababababab', 'cdcdcdcdcdcdcdcd'\)/);
});

test("what was sampled is said", async (context) => {
  api(context, [{ name: ID.slice(0, 16), last_let_in: 1, sample_interval: 10 }]);
  assert.equal((await addLastUsed(SETTINGS, "keys", page(), "request")).body.usage.sampled, true);
});

test("no id of a customer leaves its quotes", async (context) => {
  const asked = api(context, []);
  const id = "O'Brien\\') OR 1=1 --";
  const { body } = await addLastUsed(SETTINGS, "customers", { status: 200, fields: [], body: { id } }, "request");
  assert.equal(body.lastUsed, null);
  assert.ok(!asked[0].body.includes("OR 1=1"), asked[0].body);
  assert.match(asked[0].body, new RegExp(`hex\\(blob2\\) IN \\('${Buffer.from(id).toString("hex").toUpperCase()}'\\)`));
});

test("without metrics the answer says what to set, and nobody is asked", async (context) => {
  const asked = api(context, []);
  for (const missing of [{ METRICS_TOKEN: undefined }, { CLOUDFLARE_ACCOUNT_ID: "" }, { METRICS_DATASET: "a b" }]) {
    const { status, body } = await addLastUsed({ ...SETTINGS, ...missing }, "keys", page(), "request");
    assert.equal(status, 400);
    assert.match(body.detail, /METRICS_TOKEN/);
  }
  const refused = { status: 403, fields: [], body: { title: "no" } };
  assert.equal(await addLastUsed(SETTINGS, "keys", refused, "request"), refused);
  const empty = { status: 200, fields: [], body: { keys: [] } };
  assert.equal((await addLastUsed(SETTINGS, "keys", empty, "request")).status, 200);
  assert.equal(asked.length, 0);
});

test("an API that gives no answer is 503, and its words go nowhere", async (context) => {
  api(context, [], 403);
  const { status, fields, body } = await addLastUsed(SETTINGS, "keys", page(), "request");
  assert.equal(status, 503);
  assert.deepEqual(fields, [["retry-after", "5"]]);
  assert.doesNotMatch(JSON.stringify(body), /token|account/);
  context.mock.method(globalThis, "fetch", async () => Promise.reject(new TypeError("https://x/?token=secret")));
  assert.equal((await addLastUsed(SETTINGS, "keys", page(), "request")).status, 503);
});
