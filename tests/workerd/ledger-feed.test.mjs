// The scheduled refresh of the built Worker hands the config API's list to the ledger, and another isolate follows it.
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { openIsolates } from "./support/directory.mjs";

const MAX_STALENESS = 10_000;
/** More than a thousand in a minute count when shards are published. POINTSMAN_CUSTOMERS=100000 shows how long the first fill of so many takes. */
const CUSTOMERS = Number(process.env.POINTSMAN_CUSTOMERS ?? 900);
const TOML = `
[api_keys]
prefixes = []
checksum = false
[customers]
source = { url = "https://config.example.com/customers", max_size = "32MB" }
[directory]
max_staleness = "10s"
[backends.shared]
url = "https://shared.example.com"
[[routes]]
path = "/hybrid/{+path}"
auth = ["api_key"]
rules = [{ name = "dedicated", to = "customer", unlisted = "next" }, { name = "shared", to = "shared" }]
`;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("the config API's list and a ledger", () => {
  const list = Array.from({ length: CUSTOMERS }, (_, n) => ({
    customerId: `c-${n}`,
    backendUrl: `https://c-${n}.example.com`,
  }));
  let isolates;
  before(async () => {
    isolates = await openIsolates({ toml: TOML, configApi: () => JSON.stringify(list) });
    const edits = ["c-1", "c-2", "c-3", "stranger"].map((id) => ({
      edit: "putKey",
      digest: createHash("sha256").update(`key-${id}`).digest("hex"),
      json: JSON.stringify({ subject: id, claims: { customerId: id } }),
    }));
    const commit = { operation: randomUUID(), actor: "a test", edits };
    assert.equal(JSON.parse(await isolates.ledger.commit(JSON.stringify(commit))).error, undefined);
  });
  after(() => isolates?.stop());

  async function refresh(what) {
    const began = Date.now();
    assert.equal(await isolates.refresh(), "ok");
    console.log(`  ${what}: ${Date.now() - began} ms`);
  }

  /** How many customers the ledger has of the config API's. */
  async function provided() {
    let count = 0;
    for (let behind = "", full = true; full; ) {
      const page = new Uint8Array(await isolates.ledger.provided(behind, 5000));
      behind = Buffer.from(page.slice(-33, -16)).toString("hex");
      count += page.length / 33;
      full = page.length === 5000 * 33;
    }
    return count;
  }

  const backendOf = async (id) => {
    const { status, text } = await isolates.ask(1, `key-${id}`);
    return status === 200 ? text : status;
  };

  test("one run takes the whole list over, and writes no customer to KV", async () => {
    await refresh(`the first fill of ${CUSTOMERS}`);
    assert.equal(await provided(), CUSTOMERS);
    const kv = await isolates.kv();
    assert.deepEqual((await kv.list({ prefix: "source:customer:" })).keys, []);
    assert.equal(await backendOf("c-1"), "https://c-1.example.com/hybrid/x");
    const { revision } = JSON.parse(await isolates.ledger.status());
    assert.equal(typeof revision, "number");
    await refresh("a run without changes");
    assert.equal(JSON.parse(await isolates.ledger.status()).revision, revision);
  });

  test("what changes, is removed or cannot be used counts in the other isolate", {
    skip: CUSTOMERS > 1000,
  }, async () => {
    assert.equal(await backendOf("c-2"), "https://c-2.example.com/hybrid/x");
    list[1].backendUrl = "https://moved.example.com";
    list[3] = { customerId: "c-3", backendURL: "https://c-3.example.com" };
    list.splice(2, 1);
    await refresh("a run with three changes");
    await pause(MAX_STALENESS);
    assert.equal(await backendOf("c-1"), "https://moved.example.com/hybrid/x");
    assert.equal(await backendOf("c-2"), 403);
    assert.equal(
      await backendOf("c-3"),
      "https://c-3.example.com/hybrid/x",
      "the record before, for as long as it may be stale",
    );
  });
});
