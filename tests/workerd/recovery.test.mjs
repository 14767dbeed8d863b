// A trap in wasm leaves its memory as it was in the middle of something: borrowed, half written. The next request must
// find a new instance.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { head } from "../../bench/lib/heads.mjs";
import { startGenerator, startOrigin } from "../../bench/lib/load.mjs";
import { FLAGS, gateway, modules } from "../../bench/lib/pointsman.mjs";
import { endAll } from "../../bench/lib/processes.mjs";
import { startWorkerd } from "../../bench/lib/workerd.mjs";
import { path } from "./support/files.mjs";

/** The Worker, in which the call out of wasm traps that a request names: by the time that a field is read, the caches are borrowed. */
const TRAPPING = `
import { wrapInstances } from "./wrap-instances.js";
let traps = null;
wrapInstances((direction, name, call) => (...given) => {
  if (direction === "out" && name === traps) throw new WebAssembly.RuntimeError("unreachable");
  return call(...given);
});
const { default: worker } = await import("./index.js");
export default {
  async fetch(request, env, ctx) {
    traps = request.headers.get("x-trap");
    try {
      return await worker.fetch(request, env, ctx);
    } finally {
      traps = null;
    }
  },
};`;

after(endAll);

test("after a trap the next request finds a new instance", async () => {
  const [origin, generator] = [await startOrigin(), startGenerator()];
  const instrumented = [
    { name: "main.js", text: TRAPPING },
    { name: "wrap-instances.js", path: path("bench/workers/wrap-instances.js") },
    ...modules(gateway),
  ];
  const worker = await startWorkerd({
    modules: instrumented,
    flags: FLAGS,
    limit: true,
    origin: origin.port,
    kv: {},
  });
  const send = async (order) => {
    const { statuses, body } = await generator.run({
      port: worker.port,
      ...order,
      count: 1,
      connections: 1,
      allowed: [],
      keepBody: true,
    });
    const [status, ...more] = Object.keys(statuses).map(Number);
    assert.deepEqual(more, []);
    // Whatever happened, there is an answer of the gateway's.
    if (status >= 500) assert.equal(JSON.parse(body).type, "urn:pointsman:problem:gateway-error");
    return [status];
  };
  const usual = { head: head("/customer/x"), credentials: { kind: "key", count: 1 } };
  // A preflight is the request whose decision reads a field that was not noted before.
  const preflight = (more) => {
    const fields = [["origin", "https://app.example.com"], ["access-control-request-method", "GET"], ...more];
    return { ...usual, head: head("/cors/x", { method: "OPTIONS", more: fields }) };
  };
  assert.deepEqual(await send(usual), [200]);
  assert.deepEqual(await send(preflight([])), [204]);
  assert.deepEqual(await send(preflight([["x-trap", "field"]])), [500]);
  // All is cold again: this one traps in a future, while it loads.
  assert.deepEqual(await send({ ...usual, head: head("/customer/x", { more: [["x-trap", "kvGet"]] }) }), [500]);
  for (const name of ["survey", "dispatch"]) {
    assert.deepEqual(await send({ ...usual, head: head("/customer/x", { more: [["x-trap", name]] }) }), [500]);
    assert.deepEqual(await send(usual), [200]);
  }
  assert.deepEqual(await send(preflight([])), [204]);
});
