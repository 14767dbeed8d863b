// What a main module may hand to `gateway()`.
import assert from "node:assert/strict";
import { test } from "node:test";

const fresh = async () => import(`../../src/edge/configuration.js?${Math.random()}`);

test("the configuration is what the main module handed over", async () => {
  const { configuration, configure } = await fresh();
  assert.equal(configuration(), "");
  configure('{"format":1}');
  assert.equal(configuration(), '{"format":1}');
});

test("whatever is no compiled configuration keeps the Worker from being deployed", async () => {
  for (const wrong of [undefined, null, "", {}, { default: "{}" }]) {
    const { configure } = await fresh();
    assert.throws(() => configure(wrong), /compiled configuration/);
  }
});

test("a Worker has one configuration", async () => {
  const { configuration, configure } = await fresh();
  configure("{}");
  configure("{}");
  assert.throws(() => configure('{"other":true}'), /called twice/);
  assert.equal(configuration(), "{}");
});
