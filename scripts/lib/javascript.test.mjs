// A check that passes over a file says nothing of it: what runs for users and contributors must be in a project of types.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { typeProjects } from "./javascript.mjs";
import { inRoot, npmBin, ROOT } from "./paths.mjs";

/** What runs for users and contributors. */
const sources = (folders) =>
  globSync(`${folders}/**/*.{js,mjs,ts}`, { cwd: ROOT }).filter((file) => !file.endsWith(".test.mjs"));

/** The files that one project checks, as tsc itself says. */
function filesOf(project) {
  const { status, stdout, stderr } = spawnSync(npmBin("tsc"), ["--project", project, "--listFilesOnly"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
  return stdout.trim().split("\n");
}

/** The types of a line: all of a declaration's, and those in braces of a comment. */
const typesIn = (file, line) =>
  file.endsWith(".d.ts") ? line.replace(/^ *(\*|\/\/|\/\*\*).*$/, "") : (/@\w+ \{(.*)\}/.exec(line)?.[1] ?? "");

test("no type is any, which would end the check of whatever the value reaches", () => {
  const anyIn = (file, line) => /\bany\b/.test(typesIn(file, line));
  assert.ok(anyIn("a.js", " * @param {Record<string, any>} more any members"));
  assert.ok(anyIn("a.d.ts", "  more: any;"));
  assert.ok(!anyIn("a.js", " * @param {string} text any text"));
  const found = sources("{console,demo,scripts,src}").flatMap((file) => {
    const lines = readFileSync(inRoot(file), "utf8").split("\n");
    return lines.flatMap((line, at) => (anyIn(file, line) ? `${file}:${at + 1}: ${line.trim()}` : []));
  });
  assert.deepEqual(found, []);
});

test("every file that is no test has its types checked", () => {
  const checked = new Set(typeProjects().flatMap(filesOf));
  const files = sources("{bench,console,demo,scripts,src}");
  assert.ok(files.length > 100, `${files.length} files`);
  assert.deepEqual(
    files.filter((file) => !checked.has(inRoot(file))),
    [],
  );
});
