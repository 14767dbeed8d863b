// SECURITY.md names the tests that hold each promise: they exist, and no promise is without one.
import assert from "node:assert/strict";
import { existsSync, globSync } from "node:fs";
import { test } from "node:test";
import { projectFiles, readProjectFile } from "./markdown.mjs";
import { inRoot, ROOT } from "./paths.mjs";

/** The rows of promises: [{ number, tests }]. Other tables have fewer columns. */
const promises = (text) =>
  [...text.matchAll(/^\| (\d+[^|]*) \|[^|\n]*\|([^|\n]*)\|[^|\n]*\|$/gm)].map(([, number, tests]) => ({
    number,
    tests,
  }));

/** What a cell names: `name`, and the titles in quotes that follow it. */
function named(cell) {
  const [, ...parts] = cell.split("`");
  const names = [];
  for (let i = 0; i + 1 < parts.length; i += 2)
    names.push({ name: parts[i], titles: [...parts[i + 1].matchAll(/"([^"]+)"/g)].map(([, title]) => title) });
  return names;
}

const asItIs = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const pattern = (text, any) => text.split(/[*…]/).map(asItIs).join(any);

const rust = new Map(projectFiles("{src,crates,tests}/**/*.rs").map((file) => [file, readProjectFile(file)]));

/** A Rust test: its function stands in a file, or below a folder, of its module. */
function rustFault(name) {
  const modules = name.split("::");
  const functionName = modules.pop();
  const wanted = new RegExp(`#\\[test\\]\\s*(?:#\\[[^\\n]*\\]\\s*)*fn ${pattern(functionName, "\\w*")}\\(`);
  // Properties stand in a macro, behind no attribute of their own.
  const property = new RegExp(`proptest! \\{[\\s\\S]*fn ${pattern(functionName, "\\w*")}\\(`);
  const holds = ([, text]) => wanted.test(text) || property.test(text);
  const isIn = ([file]) =>
    modules.every((module) => file.replaceAll("pointsman-", "").replace(/\.rs$/, "").split("/").includes(module));
  const found = [...rust].filter(holds);
  if (found.some(isIn)) return undefined;
  const elsewhere = functionName === "*" ? [] : found.map(([file]) => file);
  return `${name}: no such test${elsewhere.length > 0 ? `; one of that name stands in ${elsewhere.join(", ")}` : ""}`;
}

/** A file of Node's tests, and tests in it by their titles, of which templates fill parts. */
function nodeFaults(name, titles) {
  const file = `tests/${name}.test.mjs`;
  if (!existsSync(inRoot(file))) return [`${file}: no such file`];
  const text = readProjectFile(file);
  const missing = titles.filter((title) => !new RegExp(`["\`]${pattern(title, "[^\\n]*")}["\`]`).test(text));
  return missing.map((title) => `${file}: no test "${title}"`);
}

function faults({ name, titles }) {
  if (name.startsWith("cases/"))
    return globSync(`fixtures/${name}.json`, { cwd: ROOT }).length > 0 ? [] : [`${name}: no such case`];
  if (/^(workerd|edge|cli|console|browser)\/[\w-]+$/.test(name)) return nodeFaults(name, titles);
  if (/^\w+(::[\w*…]+)+$/.test(name)) return [rustFault(name)].filter(Boolean);
  if (/^tests\/\w+\.rs$/.test(name)) return rust.has(name) ? [] : [`${name}: no such file`];
  // The name of a field, say.
  return /^[A-Z]/.test(name) ? [] : [`${name}: neither a test nor a case`];
}

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
