// What a request takes in calls, as bench/crossings.json says: over the boundary between JavaScript and wasm, and of the
// runtime. They are what a request costs, and unlike time they are the same everywhere.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { gateway } from "../../bench/lib/pointsman.mjs";
import { endAll } from "../../bench/lib/processes.mjs";
import { crossings } from "../../bench/parts/crossings.mjs";
import { json } from "./support/files.mjs";

after(endAll);

test("requests take the calls that were written down", async () => {
  const counted = await crossings();
  const advice =
    "fewer: write them down with `npm run bench -- --only=crossings`; more: that is what each request pays";
  assert.deepEqual(counted, json("bench/crossings.json"), advice);
});

/** What of the calls is another number than was written down, by kind of request. */
const more = (counted) =>
  Object.entries(json("bench/crossings.json")).map(([kind, before]) => {
    const after = { ...counted[kind].in, ...counted[kind].out, ...counted[kind].runtime };
    const was = { ...before.in, ...before.out, ...before.runtime };
    const names = [...new Set([...Object.keys(after), ...Object.keys(was)])];
    const other = names.filter((name) => after[name] !== was[name]);
    return [kind, Object.fromEntries(other.map((name) => [name, (after[name] ?? 0) - (was[name] ?? 0)]))];
  });

test("a point of metrics takes one call of the runtime, and nothing else", async () => {
  for (const [kind, calls] of more(await crossings({ metrics: true })))
    assert.deepEqual(calls, { writeDataPoint: 1 }, kind);
});

test("a trace takes one field more that is set", async () => {
  const configuration = { ...gateway, tracing: { context: "trust" } };
  // Without a traceparent there is none that a tracestate could be of.
  for (const [kind, calls] of more(await crossings({ configuration })))
    assert.deepEqual(calls, { "Headers.set": 1, "Headers.delete": 1 }, kind);
});
