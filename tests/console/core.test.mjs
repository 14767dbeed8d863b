// The core in the console: small, and back in service after a trap.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { wrapInstances } from "../../bench/workers/wrap-instances.js";
import { checkCustomer, isCustomerId, startCore } from "../../console/core.js";

const wasm = readFileSync(new URL("../../build/console/index_bg.wasm", import.meta.url));

// With the questions that the pages of figures ask.
const CEILING = 128 * 1024;

test("it is no larger than its ceiling", () => {
  const { length } = gzipSync(wasm, { level: 9 });
  assert.ok(length > 20 * 1024, `${length} bytes: that is no core`);
  assert.ok(length <= CEILING, `${length} bytes compressed, over ${CEILING}`);
});

test("after a trap the next call finds a new instance", () => {
  let instances = 0;
  let traps = false;
  wrapInstances((direction, name, call) => {
    if (direction === "in" && name === "isCustomerId") instances += 1;
    return (...given) => {
      if (direction === "in" && traps) throw new WebAssembly.RuntimeError("unreachable");
      return call(...given);
    };
  });
  startCore(wasm);
  const record = '{"customerId":"acme","backendUrl":"https://acme.example"}';
  const calls = [
    () => isCustomerId("acme") && !isCustomerId(""),
    () => checkCustomer(record, "acme", "never").customer.id === "acme",
  ];
  for (const call of calls) {
    const before = instances;
    assert.ok(call());
    traps = true;
    assert.throws(call);
    traps = false;
    // The old instance's memory must not be what the next call writes its texts to.
    for (const after of calls) assert.ok(after());
    assert.equal(instances, before + 1);
  }
});
