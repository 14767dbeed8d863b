// "This customer changed" at the built Worker, with a config API that is asked for one customer at a time and one that lists
// them all; and a ledger that is switched off. The other isolate hears of all that.
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { openIsolates } from "./support/directory.mjs";
import { until } from "./support/log.mjs";

const MAX_STALENESS = 10_000;
const SECRET = "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2";
const toml = (source) => `
[api_keys]
prefixes = []
checksum = false
[customers]
source = { url = "https://config.example.com/customers", ${source} }
[directory]
max_staleness = "10s"
[operator]
ledger = "/ops/ledger"
secret = "${SECRET}"
[backends.shared]
url = "https://shared.example.com"
[[routes]]
path = "/hybrid/{+path}"
auth = ["api_key"]
rules = [{ name = "dedicated", to = "customer", unlisted = "next" }, { name = "shared", to = "shared" }]
`;
const record = (id, host) => ({ customerId: id, backendUrl: `https://${host}.example.com` });
const backend = (host) => `https://${host}.example.com/hybrid/x`;
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function open(source, configApi, customers) {
  const isolates = await openIsolates({ toml: toml(source), configApi });
  const edits = customers.map((id) => ({
    edit: "putKey",
    digest: createHash("sha256").update(`key-${id}`).digest("hex"),
    json: JSON.stringify({ subject: id, claims: { customerId: id } }),
  }));
  const commit = { operation: randomUUID(), actor: "a test", edits };
  assert.equal(JSON.parse(await isolates.ledger.commit(JSON.stringify(commit))).error, undefined);
  return {
    ...isolates,
    /** A `POST` to the operator's endpoint of the first isolate. */
    async operate(action, body, secret = SECRET) {
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const target = { path: `/ops/ledger?do=${action}`, method: "POST", body: text };
      const { status, text: answer } = await isolates.ask(0, secret, target);
      return { status, answer: JSON.parse(answer) };
    },
    /** Where a request of that customer goes in an isolate. */
    async backendOf(index, id) {
      const { status, text } = await isolates.ask(index, `key-${id}`);
      return status === 200 ? text : status;
    },
  };
}

describe("a config API that is asked by id, whose changes are announced", () => {
  const customers = new Map([["acme", record("acme", "a")]]);
  const asked = [];
  let status = 200;
  let isolates;
  before(async () => {
    const configApi = (path) => {
      const id = path.split("/").at(-1);
      asked.push(id);
      if (status !== 200) return new Response("", { status });
      return customers.has(id) ? JSON.stringify(customers.get(id)) : new Response("", { status: 404 });
    };
    isolates = await open('by_id = true, changes = "announced"', configApi, ["acme", "stranger"]);
  });
  after(() => isolates?.stop());

  test("what one isolate was told the other need not ask for", async () => {
    assert.equal(await isolates.backendOf(0, "acme"), backend("a"));
    await pause(MAX_STALENESS);
    asked.length = 0;
    assert.equal(await isolates.backendOf(1, "acme"), backend("a"));
    assert.deepEqual(asked, []);
    assert.equal(await isolates.backendOf(1, "stranger"), backend("shared"));
    assert.deepEqual((await (await isolates.kv()).list({ prefix: "source:customer:" })).keys, []);
  });

  test("a customer who changed counts everywhere before the bound, and one who is gone is refused", async () => {
    customers.set("acme", record("acme", "b"));
    assert.deepEqual(await isolates.operate("customers-changed", { customers: ["acme"] }), {
      status: 200,
      answer: { taken: 1, failed: [] },
    });
    await pause(MAX_STALENESS);
    for (const index of [0, 1]) assert.equal(await isolates.backendOf(index, "acme"), backend("b"));
    customers.delete("acme");
    assert.equal((await isolates.operate("customers-changed", { customers: ["acme"] })).status, 200);
    await pause(MAX_STALENESS);
    for (const index of [0, 1]) assert.equal(await isolates.backendOf(index, "acme"), 403);
  });

  test("where the config API fails, whoever announced the change is told so, and what was before counts", async () => {
    customers.set("acme", record("acme", "c"));
    await isolates.operate("customers-changed", { customers: ["acme"] });
    await pause(MAX_STALENESS);
    status = 500;
    const { status: said, answer } = await isolates.operate("customers-changed", { customers: ["acme"] });
    assert.equal(said, 502);
    assert.deepEqual([answer.taken, answer.failed.map(({ customer }) => customer)], [0, ["acme"]]);
    await pause(MAX_STALENESS);
    for (const index of [0, 1]) assert.equal(await isolates.backendOf(index, "acme"), backend("c"));
    status = 200;
  });

  test("only an operator may announce, and only customers", async () => {
    assert.equal((await isolates.operate("customers-changed", { customers: ["acme"] }, "wrong")).status, 401);
    const ids = Array.from({ length: 501 }, (_, n) => `c${n}`);
    for (const body of [
      "",
      "{",
      "[]",
      {},
      { customers: [] },
      { customers: [7] },
      { customers: [""] },
      { customers: ids },
    ]) {
      assert.equal((await isolates.operate("customers-changed", body)).status, 422, JSON.stringify(body));
    }
    assert.equal((await isolates.operate("nothing", {})).status, 400);
  });

  test("the ledger goes off only where revocations may be dropped, and on again at once", async () => {
    const revocation = { edit: "revokeToken", issuer: "i", sub: "s", until: Date.now() + 3_600_000 };
    const commit = { operation: randomUUID(), actor: "a test", edits: [revocation] };
    assert.equal(JSON.parse(await isolates.ledger.commit(JSON.stringify(commit))).error, undefined);
    const refused = await isolates.operate("off", "");
    assert.deepEqual(refused, { status: 409, answer: { error: "revocationsAlive", revocations: 1 } });
    assert.equal((await isolates.operate("off", { dropRevocations: true })).status, 200);
    const status = async () => JSON.parse(await isolates.ledger.status());
    assert.notEqual((await status()).leaving, null);
    assert.equal((await isolates.operate("customers-changed", { customers: ["acme"] })).status, 503);
    // What the config API said is told to KV, for isolates that will ask there.
    const kv = await isolates.kv();
    const told = await until(() => kv.get("source:customer:acme", "json"), "the record in KV");
    assert.equal(told.backendUrl, "https://c.example.com");
    assert.equal((await isolates.operate("on", "")).status, 200);
    assert.equal((await status()).leaving, null);
    assert.equal((await isolates.operate("customers-changed", { customers: ["acme"] })).status, 200);
    for (const action of ["accept-removals", "restored"]) {
      assert.equal((await isolates.operate(action, "")).status, 200, action);
    }
  });
});

describe("a config API with a list", () => {
  test("takes all of the list over where a customer changed", async () => {
    const list = Array.from({ length: 20 }, (_, n) => record(`c-${n}`, `c-${n}`));
    const isolates = await open("", () => JSON.stringify(list), ["c-1"]);
    try {
      assert.equal(await isolates.refresh(), "ok");
      await pause(MAX_STALENESS);
      assert.equal(await isolates.backendOf(1, "c-1"), backend("c-1"));
      list[1] = record("c-1", "moved");
      assert.equal((await isolates.operate("customers-changed", { customers: ["c-1"] })).status, 200);
      await pause(MAX_STALENESS);
      assert.equal(await isolates.backendOf(1, "c-1"), backend("moved"));
    } finally {
      await isolates.stop();
    }
  });
});
