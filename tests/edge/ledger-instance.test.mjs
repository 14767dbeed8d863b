// When an instance of the ledger's wasm is made: not before somebody needs it, and again after a call that did not come back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeInstance } from "../../src/edge/ledger_instance.js";

test("an instance is made by the first call, used by all others, and made anew after a call that threw", () => {
  const made = [];
  const { enter } = makeInstance({ start: () => made.push("start"), reset: () => made.push("reset") });
  assert.deepEqual(made, []);
  assert.equal(
    enter(() => 1),
    1,
  );
  assert.equal(
    enter(() => undefined),
    undefined,
  );
  assert.deepEqual(made, ["start"]);
  const trap = () => {
    throw new WebAssembly.RuntimeError("unreachable");
  };
  assert.throws(() => enter(trap), WebAssembly.RuntimeError);
  assert.deepEqual(made, ["start"], "not before it is needed again");
  assert.equal(
    enter(() => 2),
    2,
  );
  assert.equal(
    enter(() => 3),
    3,
  );
  assert.deepEqual(made, ["start", "reset"]);
});

test("an instance that cannot be made is made by the next call", () => {
  let fails = true;
  const made = [];
  const start = () => {
    if (fails) throw new Error("no memory");
    made.push("start");
  };
  const { enter } = makeInstance({ start, reset: () => made.push("reset") });
  assert.throws(() => enter(() => 1), /no memory/);
  fails = false;
  assert.equal(
    enter(() => 1),
    1,
  );
  assert.deepEqual(made, ["start"]);
});
