// SECURITY.md names the tests that hold each promise: they exist, and no promise is without one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readProjectFile } from "./markdown.mjs";
import { faults, named } from "./named-tests.mjs";

/** The rows of promises: [{ number, tests }]. Other tables have fewer columns. */
const promises = (text) =>
  [...text.matchAll(/^\| (\d+[^|]*) \|[^|\n]*\|([^|\n]*)\|[^|\n]*\|$/gm)].map(([, number, tests]) => ({
    number,
    tests,
  }));

const rows = promises(readProjectFile("SECURITY.md"));

test("every test that SECURITY.md names exists", () => {
  const missing = rows.flatMap(({ number, tests }) =>
    named(tests).flatMap((one) => faults(one).map((fault) => `${number}: ${fault}`)),
  );
  assert.deepEqual(missing, []);
});

test("every promise has its number once, and a test", () => {
  const numbers = rows
    .map(({ number }) => number)
    .filter((number) => /^\d+$/.test(number))
    .map(Number);
  assert.ok(numbers.length > 60, `only ${numbers.length} promises found`);
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].sort((one, other) => one - other),
  );
  for (const { number, tests } of rows) assert.ok(named(tests).length > 0, `promise ${number} names no test`);
});

test("a test that does not exist is missed, whatever its kind", () => {
  const gone =
    '`journeys::no_such_test`, `jwt::rotation_is_followed`, `cases/token/no-such-*`, `workerd/none`, `workerd/promises` "no such title" (`Set-Cookie`), `nonsense`';
  assert.deepEqual(named(gone).flatMap(faults), [
    "journeys::no_such_test: no such test",
    "jwt::rotation_is_followed: no such test; one of that name stands in tests/journeys.rs",
    "cases/token/no-such-*: no such case",
    "tests/workerd/none.test.mjs: no such file",
    'tests/workerd/promises.test.mjs: no test "no such title"',
    "nonsense: neither a test nor a case",
  ]);
  const there =
    '`journeys::rotation_is_followed`, `jwt::*`, `cases/token/bad-*`, `workerd/promises` "a revoked key stops within fresh", "…is not followed"';
  assert.deepEqual(named(there).flatMap(faults), []);
});
