// What is published can be compared with what the sources give, wherever and by whomever they are built.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { PUBLISHED } from "../../scripts/lib/build-again.mjs";
import { MACHINE } from "../../scripts/lib/machine-paths.mjs";
import { inRoot } from "../../scripts/lib/paths.mjs";

test("no wasm names a folder or a registry of the machine that built it", () => {
  for (const name of PUBLISHED) {
    const text = readFileSync(inRoot("build", name), "latin1");
    const found = MACHINE.exec(text);
    assert.equal(found, null, `${name}: ${found?.[0]}`);
  }
});
