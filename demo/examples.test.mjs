// What `npm start` prints is true: each example, sent to the built gateway, ends where it says.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { OpenAPIClientAxios } from "openapi-client-axios";
import { withOperator } from "../scripts/lib/demo-console.mjs";
import { checkedForm, configurationAsWritten } from "../scripts/lib/pointsman.mjs";
import { API_PATH, examples } from "./examples.mjs";
import { startGateway } from "./gateway.mjs";
import { ROOT_KEY, seed, seedRootKey } from "./seed.mjs";
import { createWorld } from "./world.mjs";

const world = createWorld();
let gateway;
before(async () => {
  await world.start();
  gateway = await startGateway({ world, gateway: checkedForm(withOperator(configurationAsWritten())) });
  await seed(await gateway.kv());
  await seedRootKey(await gateway.kv());
});
after(async () => {
  await gateway?.stop();
  await world.stop();
});

const backendsCalled = () => world.requests.filter(({ backend }) => backend).map(({ backend }) => backend);

// As docs/api.md has it.
test("a client that is made of the served description runs the whole life of a key", async () => {
  const api = new URL(API_PATH, gateway.url).href;
  const headers = { authorization: `Bearer ${ROOT_KEY}` };
  const definition = await (await fetch(`${api}/v1/openapi.json`, { headers })).json();
  definition.servers = [{ url: api }];
  const client = await new OpenAPIClientAxios({ definition, axiosConfigDefaults: { headers } }).init();
  const record = { prefix: "sk_live", subject: "life", claims: { customerId: "acme-corp" } };
  const { data: made } = await client.createKey(null, record);
  const status = async (key) => {
    const answer = await fetch(new URL("/hybrid/hello", gateway.url), { headers: { authorization: `Bearer ${key}` } });
    await answer.body?.cancel();
    return answer.status;
  };
  assert.equal(await status(made.key), 200);
  const { data: rolled } = await client.rollKey({ id: made.id }, { grace: "0" });
  assert.equal(await status(rolled.key), 200);
  await client.patchKey({ id: rolled.id }, { name: "renamed" });
  const { data: listed } = await client.listKeys({ subject: "life" });
  assert.deepEqual(
    listed.keys.map(({ id, record: { name } }) => [id, name]),
    [[rolled.id, "renamed"]],
  );
  await client.revokeKey({ id: rolled.id });
  for (const key of [made.key, rolled.key]) {
    const until = Date.now() + 12_000;
    while ((await status(key)) !== 401) {
      assert.ok(Date.now() < until, "a revoked key is refused within max_staleness");
      await setTimeout(200);
    }
  }
});

let group;
for (const example of await examples()) {
  if (example.group) group = example.group;
  else
    test(`${group}: ${example.about}`, async () => {
      const { method, path, headers, body, expect, within = 0 } = example;
      const until = Date.now() + within * 1000;
      for (;;) {
        world.clear();
        const answer = await gateway.miniflare.dispatchFetch(`${gateway.url}${path}`, { method, headers, body });
        const text = await answer.text();
        const isAsExpected =
          answer.status === (typeof expect === "number" ? expect : 200) &&
          isDeepStrictEqual(backendsCalled(), typeof expect === "number" ? [] : [expect]);
        if (isAsExpected) return;
        assert.ok(Date.now() < until, `${answer.status}, called ${backendsCalled()}: ${text}`);
        await setTimeout(200);
      }
    });
}
