// Backends in private networks. What stands for a network is a Worker that says what it was asked for: how the platform
// carries a request through a tunnel, nobody sees here.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { demoKey } from "../../demo/seed.mjs";
import { bearer, openGateway } from "./support/gateway.mjs";

const ADDRESS = "http://10.0.0.5:8080";
const network = (name) => ({
  name,
  modules: true,
  compatibilityDate: "2026-07-30",
  script: `export default {
    async fetch(request) {
      if (new URL(request.url).pathname.endsWith("/down")) throw new Error("no route to host");
      return Response.json({ network: "${name}", url: request.url, method: request.method, headers: [...request.headers], body: await request.text() });
    },
  };`,
});
const TOML = `
  [api_keys]
  prefixes = ["sk_live", "sk_test"]
  [customers]
  networks = ["ACME_NET", "WAYNE_NET"]
  [backends.ours]
  url = "vpc:ACME_NET/${ADDRESS}/ours"
  [[routes]]
  path = "/own/{+path}"
  methods = ["GET", "POST"]
  auth = ["api_key"]
  rewrite = "/{+path}"
  rules = [{ name = "own", to = "customer" }]
  [[routes]]
  path = "/ours/{+path}"
  auth = ["api_key"]
  rewrite = "/{+path}"
  rules = [{ name = "all", to = "ours" }]`;

let gateway;
before(async () => {
  gateway = await openGateway({
    toml: TOML,
    overrides: { serviceBindings: { ACME_NET: "acme-net", WAYNE_NET: "wayne-net", OTHER_NET: "acme-net" } },
    workers: [network("acme-net"), network("wayne-net")],
  });
});
after(() => gateway?.stop());
beforeEach(() => gateway.world.clear());

const CALLERS = { "acme-corp": "acme", "wayne-ent": "wayne" };
const send = (customer, target, more) =>
  gateway.send({ target, ...more, headers: [bearer(demoKey(CALLERS[customer])), ["X-Custom", "1"]] });
async function records(entries) {
  await gateway.restart();
  const store = await gateway.store();
  for (const [customerId, backendUrl] of Object.entries(entries))
    await store.put(`customer:${customerId}`, JSON.stringify({ customerId, backendUrl }));
}

test("two customers at one private address are each reached in their own network", async () => {
  const nets = { "acme-corp": "ACME_NET", "wayne-ent": "WAYNE_NET" };
  await records(Object.fromEntries(Object.entries(nets).map(([id, net]) => [id, `vpc:${net}/${ADDRESS}/base`])));
  for (const round of [1, 2]) {
    for (const [id, net] of Object.entries(nets)) {
      const answer = await send(id, `/own/orders?round=${round}`, { method: "POST", body: "a body" });
      assert.equal(answer.status, 200, answer.text());
      const got = answer.json();
      assert.deepEqual(
        [got.network, got.url, got.method, got.body],
        [net.toLowerCase().replace("_", "-"), `${ADDRESS}/base/orders?round=${round}`, "POST", "a body"],
      );
      const values = (name) => got.headers.filter(([own]) => own === name).map(([, value]) => value);
      assert.deepEqual([values("x-custom"), values("x-customer-id"), values("authorization")], [["1"], [id], []]);
      const line = await gateway.log.request(values("x-request-id")[0]);
      assert.deepEqual([line.origin, line.customer, line.status], [`vpc:${net}/${ADDRESS}`, id, 200]);
    }
  }
  assert.deepEqual(gateway.called(), [], "nothing goes over the internet");
});

test("a record that names a binding which the gateway's file does not list reaches nobody", async () => {
  await records({ "acme-corp": `vpc:OTHER_NET/${ADDRESS}`, "wayne-ent": `vpc:POINTSMAN_KV/${ADDRESS}` });
  for (const id of Object.keys(CALLERS)) {
    const answer = await send(id, "/own/x");
    assert.deepEqual([answer.status, answer.json().type.split(":").at(-1)], [500, "gateway-misconfigured"]);
    assert.ok(!answer.text().includes("10.0.0.5") && !answer.text().includes("_NET"), answer.text());
    const line = await gateway.log.request(answer.get("x-request-id"));
    assert.equal(line.reason, "customer_record_not_permitted");
  }
  assert.deepEqual(gateway.called(), []);
});

test("a backend of the gateway's file stands in a network, and one that fails there is 502", async () => {
  const answer = await send("acme-corp", "/ours/a");
  assert.deepEqual([answer.status, answer.json().url], [200, `${ADDRESS}/ours/a`]);
  const down = await send("acme-corp", "/ours/down");
  assert.equal(down.status, 502, down.text());
  assert.doesNotMatch(down.text(), /route to host|10\.0/);
});
