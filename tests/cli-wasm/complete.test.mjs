// All tests of the command line run on its WebAssembly too.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { inRoot } from "../../scripts/lib/paths.mjs";

/** `npm run pointsman` is of the native one alone. */
const NATIVE_ALONE = ["script.test.mjs"];

test("each file of tests/cli is run here too", () => {
  const here = new Set(readdirSync(inRoot("tests", "cli-wasm")));
  const missing = readdirSync(inRoot("tests", "cli"))
    .filter((name) => name.endsWith(".test.mjs") && !NATIVE_ALONE.includes(name))
    .filter((name) => !here.has(name));
  assert.deepEqual(missing, [], "add tests/cli-wasm/NAME.test.mjs, which imports the file of tests/cli");
});
