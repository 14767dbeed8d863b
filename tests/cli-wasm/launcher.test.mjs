// The command line in WebAssembly where it differs from a native one: how it is started, and what JavaScript does for it.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { CLI_WASM, LAUNCHER } from "../../scripts/lib/cli-build.mjs";
import { MACHINE } from "../../scripts/lib/machine-paths.mjs";
import { inRoot, ROOT } from "../../scripts/lib/paths.mjs";
import { openProject } from "../cli/support/project.mjs";
import "./support/wasm.mjs";

const folder = mkdtempSync(join(tmpdir(), "pointsman-launcher-"));
after(() => rmSync(folder, { recursive: true }));

const pointsman = (args, options = {}) =>
  spawnSync(LAUNCHER, args, { encoding: "utf8", env: { ...process.env, CLOUDFLARE_ENV: "" }, ...options });

test("nothing but the program's own words is printed", () => {
  const { status, stdout, stderr } = pointsman(["--version"]);
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /^pointsman \d+\.\d+\.\d+\n$/);
  const wrong = pointsman(["nonsense"]);
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /^error: unrecognized subcommand 'nonsense'/);
  assert.match(wrong.stderr, /Usage: pointsman /);
});

test("it runs where it is copied to, without a package or a file beside the package's own", () => {
  const copy = join(folder, "a copy", "pointsman");
  cpSync(inRoot("packages", "pointsman"), copy, { recursive: true });
  const { status, stderr } = spawnSync(join(copy, "bin", "pointsman.mjs"), ["check"], { cwd: ROOT, encoding: "utf8" });
  assert.equal(status, 0, stderr);

  rmSync(join(copy, "pointsman.wasm"));
  const missing = spawnSync(join(copy, "bin", "pointsman.mjs"), ["check"], { cwd: ROOT, encoding: "utf8" });
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /^error: .*pointsman\.wasm: No such file or directory/);
  assert.doesNotMatch(missing.stderr, /\n\s+at /);
});

test("paths count from where it is called: files here, above, from the root, and through links", () => {
  const below = join(folder, "links", "here");
  mkdirSync(below, { recursive: true });
  const [target, one] = [inRoot("fixtures", "check", "gateway"), join(folder, "links", "gateway.toml")];
  cpSync(join(target, "gateway.toml"), one);
  symlinkSync("../gateway.toml", join(below, "relative.toml"));
  symlinkSync("relative.toml", join(below, "chain.toml"));
  symlinkSync(one, join(below, "absolute.toml"));
  symlinkSync(target, join(below, "folder"));
  for (const [cwd, file] of [
    [below, "relative.toml"],
    [below, "chain.toml"],
    [below, "./absolute.toml"],
    [below, "folder/gateway.toml"],
    [folder, "links/here/chain.toml"],
    [inRoot("fixtures", "check", "gateway"), "gateway.toml"],
    [inRoot("fixtures", "check"), "gateway/gateway.toml"],
    [inRoot("docs"), "../fixtures/check/gateway/gateway.toml"],
    [folder, inRoot("fixtures", "check", "gateway", "gateway.toml")],
  ]) {
    const { stdout, stderr } = pointsman(["compile", file, "--as-written"], { cwd });
    assert.ok(JSON.parse(stdout || "{}").routes, `${file} in ${cwd}: ${stderr}`);
  }
  // The usual names are looked for in the folders above.
  const found = pointsman(["check"], { cwd: inRoot("docs") });
  assert.equal(found.status, 0, found.stderr);
});

test("Ctrl-C ends it while it waits", { timeout: 30_000 }, async () => {
  const project = await openProject();
  try {
    project.replaceWrangler(`touch '${project.path("started")}'; exec sleep 30`);
    // A process group of its own, as a shell gives it: a terminal's Ctrl-C goes to all in it.
    const child = spawn(LAUNCHER, ["keys", "list", "--local"], {
      cwd: project.folder,
      detached: true,
      stdio: "ignore",
    });
    const ended = new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal })));
    while (!readdirSync(project.folder).includes("started")) await new Promise((resolve) => setTimeout(resolve, 20));
    process.kill(-child.pid, "SIGINT");
    assert.deepEqual(await ended, { code: null, signal: "SIGINT" });
  } finally {
    project.close();
  }
});

test("a reader that goes away is no failure", () => {
  const { status, stderr } = spawnSync(
    "sh",
    ["-c", `'${LAUNCHER}' schema | head -c 10 >/dev/null; '${LAUNCHER}' schema | true`],
    {
      encoding: "utf8",
    },
  );
  assert.deepEqual([status, stderr], [0, ""]);
});

test("the same is built on every machine: the wasm names no folder of this one", () => {
  const wasm = readFileSync(CLI_WASM).toString("latin1");
  for (const path of [ROOT, "/.cargo/", "/registry/src/"]) assert.ok(!wasm.includes(path), path);
  assert.equal(MACHINE.exec(wasm)?.[0], undefined);
  // That such paths would be found: those of our sources, which start at the root of the clone, are there.
  assert.match(wasm, /crates\/pointsman-[a-z]+\/src\/[a-z/_]+\.rs/);
});
