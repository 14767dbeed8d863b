// What the ledger learns of the gateway's configuration.
import assert from "node:assert/strict";
import { test } from "node:test";
import { settingsOf } from "../../src/edge/ledger_settings.js";

const settings = (form, env = {}) => JSON.parse(settingsOf(JSON.stringify({ allow_http: "never", ...form }), env));

test("the ledger learns where plain http may be spoken, how old a copy may be, and where customers come from", () => {
  assert.deepEqual(settings({ customers: null }), { allowHttp: "never", stale: 0, source: "none" });
  assert.deepEqual(settings({ customers: { source: null }, directory: { max_staleness: 60000 } }), {
    allowHttp: "never",
    maxStaleness: 60000,
    stale: 0,
    source: "none",
  });
  assert.equal(settings({ api_keys: { stale: 5 }, customers: { stale: 7 } }).stale, 7);
  assert.equal(settings({ api_keys: { stale: 9 }, customers: { stale: 7 } }).customersStale, 7);
  assert.equal(settings({ customers: { source: { by_id: true } } }).source, "byId");
  assert.equal(settings({ customers: { source: { by_id: false } } }).source, "list");
});

test("variables are those of the object, and one that is missing allows nothing", () => {
  assert.equal(settings({ allow_http: "${HTTP}" }, { HTTP: "loopback" }).allowHttp, "loopback");
  assert.equal(settings({ allow_http: "${HTTP}" }).allowHttp, "");
});
