// A trap of wasm ends the futures of all requests that wait for one: each must come to an end all the same.
import assert from "node:assert/strict";
import { test } from "node:test";

/** As the runtime tells of an exception that nobody caught. */
const listeners = [];
globalThis.addEventListener = (name, hear) => listeners.push(hear);
const { untilTrap } = await import("../../src/edge/glue.js");
delete globalThis.addEventListener;
const trap = (error) => {
  for (const hear of listeners) hear({ error });
};

test("whoever waits when wasm traps is told", async () => {
  const never = new Promise(() => {});
  const waits = [untilTrap(never), untilTrap(never)];
  const error = new WebAssembly.RuntimeError("unreachable");
  trap(error);
  for (const wait of waits) await assert.rejects(wait, error);
});

test("what has settled stays settled", async () => {
  const settled = [untilTrap(Promise.resolve(1)), untilTrap(Promise.reject(new Error("own")))];
  assert.equal(await settled[0], 1);
  await assert.rejects(settled[1], /own/);
  trap(new Error("later"));
  assert.equal(await settled[0], 1);
});
