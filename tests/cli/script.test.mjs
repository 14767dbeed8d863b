// `npm run pointsman`: what it prints on stdout is the program's own, and so are exit code and folder.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { before, test } from "node:test";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { freshPointsman } from "../../scripts/lib/pointsman.mjs";

before(() => freshPointsman());

const npm = (args, cwd) => {
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", "pointsman", "--", ...args], {
    cwd,
    encoding: "utf8",
    // As from a shell: npm says itself from where it was called.
    env: { ...process.env, INIT_CWD: undefined, CLOUDFLARE_ENV: "" },
  });
  return { status, stdout, stderr };
};

test("stdout can be piped on, and paths count from where npm was called", () => {
  const { status, stdout, stderr } = npm(["check", "gateway.toml", "--json"], inRoot("fixtures", "check", "gateway"));
  assert.equal(status, 1, stderr);
  assert.deepEqual(
    JSON.parse(stdout).findings.map(({ file, line }) => [file, line]),
    [
      ["gateway.toml", 6],
      ["gateway.toml", 7],
    ],
  );
});

test("the exit code is the program's, and the usual files are found from folders below", () => {
  assert.equal(npm(["nonsense"], inRoot()).status, 2);
  const { status, stdout } = npm(["compile"], inRoot("docs"));
  assert.equal(status, 0);
  assert.ok(JSON.parse(stdout).routes.length > 0);
});
