// Customers by their own hosts, at the built Worker: two isolates, each at a host of its own, that follow one ledger.
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { openIsolates } from "./support/directory.mjs";
import { until } from "./support/log.mjs";

const TOML = `
[api_keys]
prefixes = []
checksum = false
[customers]
[directory]
max_staleness = "10s"
[[routes]]
path = "/own/{+path}"
auth = ["api_key"]
customer = "$host"
rules = [{ name = "own", to = "customer" }]
`;
const HOSTS = ["isolate-0.example.com", "isolate-1.example.com"];
const KEY = "a-key-of-wayne";
const digest = createHash("sha256").update(KEY).digest("hex");

let isolates;
before(async () => {
  isolates = await openIsolates({ toml: TOML });
  const key = JSON.stringify({ subject: "ci", claims: { customerId: "wayne" } });
  await commit({ edit: "putKey", digest, json: key }, put("acme", HOSTS[0]), put("wayne", HOSTS[1]));
});
after(() => isolates?.stop());

const put = (id, ...hosts) => {
  const json = JSON.stringify({ customerId: id, backendUrl: `https://${id}.example.com`, hosts });
  return { edit: "putCustomer", id, json };
};
async function commit(...edits) {
  const said = await isolates.ledger.commit(JSON.stringify({ operation: randomUUID(), actor: "a test", edits }));
  const { error, ...more } = JSON.parse(said);
  assert.equal(error, undefined, JSON.stringify(more));
}
async function told(index, credential = KEY) {
  const { status, text } = await isolates.ask(index, credential, { path: "/own/x" });
  return status === 200 ? new URL(text).hostname : JSON.parse(text).type.split(":").at(-1);
}

test("a key is good at its own customer's host, and at no other", async () => {
  assert.equal(await told(1), "wayne.example.com");
  assert.equal(await told(0), "not-permitted");
  assert.equal(await told(0, "nobody's"), "credential-invalid");
});

test("a host that moves is the other customer's everywhere within the bound", async () => {
  await commit(put("acme"), put("wayne", ...HOSTS));
  await until(async () => (await told(0)) === "wayne.example.com", "heard", 10_000);
  await commit({ edit: "removeCustomer", id: "wayne" });
  await until(async () => (await told(0)) === "route-not-found", "heard", 10_000);
  await until(async () => (await told(1, "nobody's")) === "route-not-found", "heard", 10_000);
});

test("a host that is another's is a conflict, and KV is told of whose hosts are", async () => {
  await commit(put("acme", HOSTS[0]));
  const edits = [put("stark", HOSTS[0])];
  const said = await isolates.ledger.commit(JSON.stringify({ operation: randomUUID(), actor: "a test", edits }));
  assert.deepEqual(JSON.parse(said), { error: "hostTaken", edit: 0, host: HOSTS[0], customer: "acme" });
  const kv = await isolates.kv();
  await until(async () => (await kv.get(`host:${HOSTS[0]}`)) === '{"customerId":"acme"}', "written behind", 20_000);
});
