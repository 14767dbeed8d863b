// The command line in WebAssembly prints what the native one prints, to the byte, and ends with the same code.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { LAUNCHER } from "../../scripts/lib/cli-build.mjs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { freshPointsman } from "../../scripts/lib/pointsman.mjs";
import "./support/wasm.mjs";

let native;
before(async () => {
  native = await freshPointsman();
});

const run = (program, args, options) => {
  const env = { ...process.env, CLOUDFLARE_ENV: "" };
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: inRoot(), encoding: "utf8", env, ...options });
  // The systems number their errors differently: 2 and 44 are both "No such file or directory".
  return { status, stdout, stderr: stderr.replaceAll(/ \(os error \d+\)/g, "") };
};

function assertSame(args, options) {
  const [ours, theirs] = [LAUNCHER, native].map((program) => run(program, args, options));
  // The package has commands of its own, which its help adds below.
  const [shared, added] = ours.stdout.split("\nIn the repository of a gateway:\n");
  assert.equal(added !== undefined, args[0] === "--help");
  ours.stdout = shared;
  assert.deepEqual(ours, theirs, args.join(" "));
  return ours;
}

const EXPLAIN = ["explain", "--now", "2026-07-30T12:00:00Z", "--data", "fixtures/explain/data"];

test("help, generated texts and wrong usage", () => {
  for (const args of [
    ["--help"],
    ["explain", "--help"],
    ["schema"],
    ["reference"],
    ["completions", "bash"],
    ["keys"],
    ["check", "--nonsense"],
    ["check", "no-such-file.toml"],
    ["check", "docs"],
    ["plan", "no-such-folder", "--local"],
  ]) {
    assertSame(args);
  }
});

test("explanations", () => {
  const token = "fixtures/tokens/good-es256.jwt";
  for (const args of [
    [...EXPLAIN, "--path", "/hybrid/orders?x=1"],
    [...EXPLAIN, "--path", "/hybrid/orders", "--jwt-file", token, "--jwks", "main=fixtures/keys/issuer.jwks.json"],
    [...EXPLAIN, "--path", "/hybrid/orders", "--jwt-file", token],
    [...EXPLAIN, "--path", "/hybrid/orders", "--claims", '{"customerId":"acme"}', "--json"],
    [...EXPLAIN, "--path", "/nowhere", "--claims", "{}"],
  ]) {
    assertSame(args);
  }
  const key = assertSame([...EXPLAIN, "--path", "/hybrid/x", "--key", "-"], {
    input: "sk_live_DEMOacmeCorp0000000000_4LCaYg\n",
  });
  assert.equal(key.status, 0, key.stderr);
});

test("configurations: all of the golden cases", () => {
  const gateways = inRoot("fixtures", "gateways");
  const files = readdirSync(gateways).filter((name) => name.endsWith(".toml"));
  assert.ok(files.length > 10);
  for (const name of files) assertSame(["compile", join("fixtures", "gateways", name), "--any-variable"]);
});

/** Every file below a folder, by its path, with its text. */
const contentOf = (folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort()
    .map((name) => [name, readFileSync(join(folder, name), "utf8")]);

test("imports from another gateway", () => {
  const projects = inRoot("fixtures", "import", "zuplo");
  for (const name of readdirSync(projects).filter((name) => statSync(join(projects, name)).isDirectory())) {
    const folders = [LAUNCHER, native].map(() => mkdtempSync(join(tmpdir(), "pointsman-import-")));
    try {
      const [ours, theirs] = [LAUNCHER, native].map((program, index) => ({
        ...run(program, ["import", "zuplo", join(projects, name), "--out", "gateway.toml"], { cwd: folders[index] }),
        files: contentOf(folders[index]),
      }));
      assert.deepEqual(ours, theirs, name);
      assert.ok(ours.files.length > 0, `${name}: ${ours.stderr}`);
    } finally {
      for (const folder of folders) rmSync(folder, { recursive: true });
    }
  }
});
