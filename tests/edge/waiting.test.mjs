// Requests that wait for a load of another: nothing of them is left, however that load ends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { awaited, completeLoad, waitForLoad } from "../../src/edge/glue.js";

test("whoever waits hears how the load ended", async () => {
  const waits = [waitForLoad("a", 1000), waitForLoad("a", 1000), waitForLoad("b", 1000)];
  completeLoad("a", true);
  completeLoad("b", false);
  assert.deepEqual(await Promise.all(waits), [true, true, false]);
  assert.equal(awaited(), 0);
});

test("a leader that died leaves nothing behind", async () => {
  assert.deepEqual(await Promise.all([waitForLoad("a", 1), waitForLoad("a", 5), waitForLoad("b", 1)]), [
    undefined,
    undefined,
    undefined,
  ]);
  assert.equal(awaited(), 0);
  // Late, after all: nobody is there to hear it.
  completeLoad("a", true);
  assert.equal(awaited(), 0);
});

test("requests that departed with their leader are forgotten", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  // The runtime drops the timers of a request whose client has left.
  for (let number = 0; number < 64; number++) void waitForLoad(`departed ${number}`, 1000);
  context.mock.timers.reset();
  assert.equal(awaited(), 64);
  context.mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() + 5000 });
  const last = waitForLoad("one more", 1000);
  assert.equal(awaited(), 1);
  completeLoad("one more", true);
  assert.equal(await last, true);
});
