// What `npm start` prints is true: each example, sent to the built gateway, ends where it says.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { examples } from "./examples.mjs";
import { startGateway } from "./gateway.mjs";
import { seed } from "./seed.mjs";
import { createWorld } from "./world.mjs";

const world = createWorld();
let gateway;
before(async () => {
  await world.start();
  gateway = await startGateway({ world });
  await seed(await gateway.kv());
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
      world.clear();
      const { method, path, headers, expect } = example;
      const answer = await gateway.miniflare.dispatchFetch(`${gateway.url}${path}`, { method, headers });
      const text = await answer.text();
      if (typeof expect === "number") {
        assert.equal(answer.status, expect, text);
        assert.deepEqual(backendsCalled(), []);
      } else {
        assert.equal(answer.status, 200, text);
        assert.deepEqual(backendsCalled(), [expect]);
      }
    });
}
