// What a request takes in calls, as bench/crossings.json says: over the boundary between JavaScript and wasm, and of the
// runtime. They are what a request costs, and unlike time they are the same everywhere.
import assert from "node:assert/strict";
import { after, test } from "node:test";
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
