// docs/directory.md names the tests of what can go wrong between isolates, ledger and KV: they exist, and each row has one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readProjectFile } from "./markdown.mjs";
import { faults, named } from "./named-tests.mjs";

/** The rows of the table below a heading: [[cell, …], …], without its head. */
function rowsBelow(text, heading) {
  const [, behind] = text.split(`\n## ${heading}\n`);
  const [section] = (behind ?? "").split("\n## ");
  const lines = section.split("\n").filter((line) => line.startsWith("| "));
  return lines.slice(2).map((line) => line.slice(2, -2).split(" | "));
}

const rows = rowsBelow(readProjectFile("docs/directory.md"), "What is tested");

test("every test that docs/directory.md names exists", () => {
  const missing = rows.flatMap(([what, tests]) =>
    named(tests).flatMap((one) => faults(one).map((fault) => `${what}: ${fault}`)),
  );
  assert.deepEqual(missing, []);
});

test("every row has a test", () => {
  assert.ok(rows.length >= 14, `only ${rows.length} rows found`);
  for (const [what, tests] of rows) assert.ok(named(tests).length > 0, `${what}: no test`);
});

test("a row without a test, and a test that is gone, are missed", () => {
  const text =
    "# D\n\n## Here\n\n| what | tests |\n| --- | --- |\n| a | `flood::gone` |\n| b | none |\n\n## There\n| c | d |\n";
  const found = rowsBelow(text, "Here");
  assert.deepEqual(
    found.map(([what, tests]) => [what, named(tests).flatMap(faults)]),
    [
      ["a", ["flood::gone: no such test"]],
      ["b", []],
    ],
  );
});
