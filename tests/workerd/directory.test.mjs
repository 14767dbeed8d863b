// Two isolates of the built Worker that follow one ledger. Times are printed, and asserted only as "before the bound".
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { openIsolates, UNBOUND } from "./support/directory.mjs";

const MAX_STALENESS = 10_000;
const TOML = `
[api_keys]
prefixes = []
checksum = false
[customers]
[directory]
max_staleness = "10s"
[operator]
status = "/ops/status"
ledger = "/ops/ledger"
secret = "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2"
[backends.shared]
url = "https://shared.example.com"
[[routes]]
path = "/hybrid/{+path}"
auth = ["api_key"]
rules = [{ name = "dedicated", to = "customer", unlisted = "next" }, { name = "shared", to = "shared" }]
`;

const SECRET = "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2";
const digestOf = (key) => createHash("sha256").update(key).digest("hex");
const keyRecord = (customer) => JSON.stringify({ subject: customer, claims: { customerId: customer } });
const customerRecord = (id, host) => JSON.stringify({ customerId: id, backendUrl: `https://${host}.example.com` });
const putKey = (key, customer) => ({ edit: "putKey", digest: digestOf(key), json: keyRecord(customer) });
const removeKey = (key) => ({ edit: "removeKey", digest: digestOf(key) });
const putCustomer = (id, host) => ({ edit: "putCustomer", id, json: customerRecord(id, host) });
const someKey = () => `key-${randomUUID()}`;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("two isolates and one ledger", () => {
  let isolates;
  before(async () => {
    isolates = await openIsolates({ toml: TOML });
  });
  after(() => isolates?.stop());

  const commit = async (...edits) => {
    const answer = JSON.parse(
      await isolates.ledger.commit(JSON.stringify({ operation: randomUUID(), actor: "a test", edits })),
    );
    assert.equal(answer.error, undefined, JSON.stringify(answer));
  };

  /**
   * How long it takes until an isolate answers with this status, and where `url` is given from there, asked again and
   * again.
   */
  async function untilAnswers(index, key, status, bound, what, url) {
    const began = Date.now();
    for (;;) {
      const answer = await isolates.ask(index, key);
      const passed = Date.now() - began;
      if (answer.status === status && (url === undefined || answer.text === url)) {
        console.log(`  ${what}: ${passed} ms`);
        return answer;
      }
      assert.ok(passed <= bound, `${what}: still ${answer.status} after ${passed} ms, ${answer.text}`);
      await pause(100);
    }
  }

  test("a key that was just made works at the first request, in both", async () => {
    const key = someKey();
    await isolates.ask(0, "somebody");
    await isolates.ask(1, "somebody");
    await commit(putKey(key, "acme"), putCustomer("acme", "acme-0"));
    for (const index of [0, 1]) {
      const answer = await untilAnswers(index, key, 200, 1500, `made, then accepted in isolate ${index}`);
      assert.equal(answer.text, "https://acme-0.example.com/hybrid/x");
    }
  });

  test("a revoked key is refused in the other isolate within max_staleness, while requests go on", async () => {
    const key = someKey();
    await commit(putKey(key, "acme"));
    for (const index of [0, 1]) assert.equal((await untilAnswers(index, key, 200, 3000, "made")).status, 200);
    await commit(removeKey(key));
    for (const index of [0, 1]) {
      await untilAnswers(index, key, 401, MAX_STALENESS, `revoked, then refused in isolate ${index}`);
    }
    for (let again = 0; again < 20; again += 1) assert.equal((await isolates.ask(again % 2, key)).status, 401);
  });

  test("a customer that is changed, and then one that is disabled, is so in both within max_staleness", async () => {
    const key = someKey();
    const backend = (host) => `https://${host}.example.com/hybrid/x`;
    await commit(putKey(key, "wayne"), putCustomer("wayne", "wayne-0"));
    for (const index of [0, 1]) await untilAnswers(index, key, 200, MAX_STALENESS, "made", backend("wayne-0"));
    await commit(putCustomer("wayne", "wayne-1"));
    const both = (status, what, url) =>
      Promise.all(
        [0, 1].map((index) =>
          untilAnswers(index, key, status, MAX_STALENESS, `${what}, then so in isolate ${index}`, url),
        ),
      );
    await both(200, "changed", backend("wayne-1"));
    const disabled = JSON.stringify({ ...JSON.parse(customerRecord("wayne", "wayne-1")), disabled: true });
    await commit({ edit: "putCustomer", id: "wayne", json: disabled });
    await both(403, "disabled");
  });

  test("a key that is rolled: the new one is accepted and the old one refused in both within max_staleness", async () => {
    const [old, next] = [someKey(), someKey()];
    await commit(putKey(old, "acme"), putCustomer("acme", "acme-0"));
    for (const index of [0, 1]) await untilAnswers(index, old, 200, MAX_STALENESS, "made");
    await commit(putKey(next, "acme"), removeKey(old));
    await Promise.all(
      [0, 1].flatMap((index) => [
        untilAnswers(index, next, 200, MAX_STALENESS, `rolled, the new key accepted in isolate ${index}`),
        untilAnswers(index, old, 401, MAX_STALENESS, `rolled, the old key refused in isolate ${index}`),
      ]),
    );
  });

  test("operators edit by the gateway's own path, and nobody else does", async () => {
    const key = someKey();
    const edits = [putKey(key, "acme")];
    const body = JSON.stringify({ operation: randomUUID(), actor: "ann", edits });
    const post = (secret, text = body) => isolates.ask(0, secret, { path: "/ops/ledger", method: "POST", body: text });
    assert.equal((await post("pso_somebody")).status, 401);
    assert.equal((await post(undefined)).status, 401);
    assert.equal((await isolates.ask(1, key)).status, 401);
    const made = await post(SECRET);
    assert.equal(made.status, 200, made.text);
    assert.deepEqual(JSON.parse((await post(SECRET)).text), JSON.parse(made.text), "once, however often it is sent");
    // This isolate has asked in vain before, so that it may have paused asking.
    await untilAnswers(1, key, 200, MAX_STALENESS, "made by an operator, then accepted");
    const wrong = JSON.stringify({ operation: "", actor: "ann", edits: [{ ...edits[0], json: '{"subject":true}' }] });
    const refused = await post(SECRET, wrong);
    assert.deepEqual([refused.status, JSON.parse(refused.text).faults[0].pointer], [422, "/subject"]);
    assert.equal((await post(SECRET, "no JSON")).status, 400);

    const ledger = await isolates.ask(0, SECRET, { path: "/ops/ledger" });
    assert.equal(ledger.status, 200, ledger.text);
    assert.ok(!ledger.text.includes("acme"), "it lists nobody");
    const { revision } = JSON.parse(made.text);
    const trail = await isolates.ask(0, SECRET, { path: "/ops/ledger?audit=0" });
    assert.ok(JSON.parse(trail.text).some(({ actor, name }) => actor === "ann" && name === `key:${digestOf(key)}`));
    assert.equal((await isolates.ask(0, SECRET, { path: "/ops/ledger", method: "DELETE" })).status, 405);

    const status = JSON.parse((await isolates.ask(1, SECRET, { path: "/ops/status" })).text);
    assert.ok(status.isolate.directory.revision >= 1 && revision >= 1);
    assert.ok(status.bounds.some(({ id, within_ms }) => id === "api_key_revoked" && within_ms === MAX_STALENESS));
  });

  test("without a ledger the operator's path is ledger_unavailable, and callers are served as ever", async () => {
    const answer = await isolates.ask(UNBOUND, SECRET, { path: "/ops/ledger" });
    assert.equal(answer.status, 503);
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    const key = someKey();
    await (await isolates.kv()).put(`key:${digestOf(key)}`, keyRecord("acme"));
    assert.equal((await isolates.ask(UNBOUND, key)).status, 200);
  });

  test("a key that is made by hand in KV works at the first request", async () => {
    const key = someKey();
    await isolates.ask(1, "somebody");
    const kv = await isolates.kv();
    await kv.put(`key:${digestOf(key)}`, keyRecord("acme"));
    await untilAnswers(1, key, 200, 3000, "made by hand, then accepted");
  });
});
