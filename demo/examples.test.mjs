// What `npm start` prints is true: each example, sent to the built gateway, ends where it says.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { withOperator } from "../scripts/lib/demo-console.mjs";
import { checkedForm, configurationAsWritten } from "../scripts/lib/pointsman.mjs";
import { examples } from "./examples.mjs";
import { startGateway } from "./gateway.mjs";
import { seed, seedRootKey } from "./seed.mjs";
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
