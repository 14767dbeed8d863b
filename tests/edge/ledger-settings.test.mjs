// What the ledger learns of the gateway's configuration.
import assert from "node:assert/strict";
import { test } from "node:test";
import { keyListOf, settingsOf } from "../../src/edge/ledger_settings.js";

const settings = ({ customers, ...form }, env = {}) => {
  const checked = { allow_http: "never", customers: customers && { claim: "customerId", ...customers }, ...form };
  return JSON.parse(settingsOf(JSON.stringify(checked), env));
};

test("the ledger learns where plain http may be spoken, how old a copy may be, and where customers come from", () => {
  assert.deepEqual(settings({ customers: null }), { allowHttp: "never", stale: 0, source: "none" });
  assert.deepEqual(settings({ customers: { source: null }, directory: { max_staleness: 60000 } }), {
    allowHttp: "never",
    maxStaleness: 60000,
    stale: 0,
    source: "none",
    customerClaim: "customerId",
  });
  assert.equal(settings({ api_keys: { stale: 5 }, customers: { stale: 7 } }).stale, 7);
  assert.equal(settings({ api_keys: { stale: 9 }, customers: { stale: 7 } }).customersStale, 7);
  assert.equal(settings({ customers: { source: { by_id: true } } }).source, "byId");
  const { announced, customersFresh } = settings({
    customers: { fresh: 3, source: { by_id: true, announced: true } },
  });
  assert.deepEqual([announced, customersFresh], [true, 3]);
  assert.equal(settings({ customers: { source: { by_id: false } } }).source, "list");
});

test("the ledger learns which claim names a customer, and that none does where there are no customers", () => {
  assert.equal(settings({ customers: { claim: "/org/id" } }).customerClaim, "/org/id");
  assert.equal(
    settings({ customers: { claim: "https://${HOST}/id" } }, { HOST: "a.example" }).customerClaim,
    "https://a.example/id",
  );
  assert.equal("customerClaim" in settings({ customers: null }), false);
});

test("variables are those of the object, and one that is missing allows nothing", () => {
  assert.equal(settings({ allow_http: "${HTTP}" }, { HTTP: "loopback" }).allowHttp, "loopback");
  assert.equal(settings({ allow_http: "${HTTP}" }).allowHttp, "");
});

test("the ledger learns what becomes of a key that has leaked, and where a scanner's public keys are", () => {
  const url = "https://keys.example.com";
  const operator = { leaked_keys: { action: "mark", github: true, github_keys_url: url } };
  const { leakAction, githubReports } = settings({ operator });
  assert.deepEqual([leakAction, githubReports], ["mark", true]);
  const list = (form, env = {}) =>
    keyListOf(JSON.stringify({ allow_http: "never", user_agent: "acme", operator, ...form }), env);
  assert.deepEqual(list({}), { url, userAgent: "acme" });
  const at = (github_keys_url) => ({ operator: { leaked_keys: { ...operator.leaked_keys, github_keys_url } } });
  assert.equal(list({ ...at("${KEYS}"), user_agent: "${WHO}" }, { KEYS: url, WHO: "me" }).userAgent, "me");
  const plain = "http://127.0.0.1:1/keys";
  assert.equal(list({ ...at(plain), allow_http: "loopback" }).url, plain);
  assert.equal(list({ ...at(plain), allow_http: "${HTTP}" }, { HTTP: "always" }).url, plain);
  for (const refused of [plain, "", "ftp://a.example", "${MISSING}"])
    assert.equal(list(at(refused)), undefined, refused);
  assert.equal(list({ operator: { leaked_keys: null } }), undefined);
  assert.equal(list({ operator: {} }), undefined);
});
