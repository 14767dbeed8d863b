// Secrets on the command line: made here, and never taken from an argument, which other users of the machine can see.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isMinted } from "../../console/secret.js";
import { freshPointsman } from "../../scripts/lib/pointsman.mjs";

let program;
const folder = mkdtempSync(join(tmpdir(), "pointsman-secrets-"));
before(async () => {
  program = await freshPointsman();
});
after(() => rmSync(folder, { recursive: true }));

const run = (args, options = {}) => spawnSync(program, args, { encoding: "utf8", env: { ...process.env, CLOUDFLARE_ENV: "", NO_COLOR: "1" }, ...options });

test("a secret is made, and is another one each time", () => {
  const made = new Set(Array.from({ length: 5 }, () => run(["secret", "create"]).stdout));
  assert.equal(made.size, 5);
  for (const line of made) assert.ok(isMinted(line.replace(/\n$/, "")), line);
});

test("in a file it is for its owner alone, and no file is written over", () => {
  const file = join(folder, "secret.txt");
  const { status, stdout } = run(["secret", "create", "--out", file]);
  assert.deepEqual([status, stdout], [0, ""]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const text = readFileSync(file, "utf8");
  assert.ok(isMinted(text.trim()));
  assert.equal(run(["secret", "create", "--out", file]).status, 1);
  assert.equal(readFileSync(file, "utf8"), text);
});
