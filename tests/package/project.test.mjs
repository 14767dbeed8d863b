// `npm test` and `npm run deploy` in a user's repository, an upgrade, and what is in the packages.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { pack } from "../../scripts/lib/package-pack.mjs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { openUser } from "./support/user.mjs";

const user = openUser();
after(() => user.close());

/** Values that are no examples, for a deployment. */
function filled(name, ...args) {
  const project = user.project(name, ...args);
  const file = existsSync(project.path("wrangler.toml")) ? "wrangler.toml" : "wrangler.jsonc";
  project.edit(file, "backend.example.com", "backend.acme.com");
  return project;
}

test("npm test decides the cases offline and in workerd, for keys, tokens and both", () => {
  for (const callers of ["keys", "tokens", "both"]) {
    const project = user.project(`test-${callers}`, "--callers", callers);
    const passed = project.npm("test");
    assert.equal(passed.status, 0, passed.all);
    assert.match(passed.out, /cases\/, offline\n(?:ok .*\n)+3 of 3 cases as expected/);
    assert.match(passed.out, /cases\/, in workerd\n(?:ok .*\n)+3 of 3 cases as expected/);
  }
});

test("npm test ends with 1 where a case is otherwise, where there is none, and where the check finds a fault", () => {
  const project = user.project("test-fails");
  project.edit("cases/routing.toml", 'backend = "main"', 'backend = "other"');
  const wrong = project.npm("test");
  assert.notEqual(wrong.status, 0);
  assert.match(wrong.all, /backend is main, not other/);
  project.write("cases/routing.toml", "");
  assert.match(project.npm("test").all, /cases/);
  assert.notEqual(project.npm("test").status, 0);
  project.edit("gateway.toml", 'to = "main"', 'to = "mian"');
  const fault = project.npm("test");
  assert.notEqual(fault.status, 0);
  assert.match(fault.all, /gateway\.toml:\d+: error: .*mian/);
});

/** What npm says where neither the registry nor its own cache has a package. */
const NO_REGISTRY = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENOTCACHED|ERR_SOCKET_TIMEOUT/;

test("npm install, as a user does it: wrangler beside the archive", (t) => {
  const project = user.project("registry", { install: false });
  const installed = project.npm("install", "--prefer-offline", "--no-audit", "--no-fund");
  if (installed.status !== 0 && NO_REGISTRY.test(installed.all))
    return t.skip("neither the registry nor npm's cache has wrangler");
  assert.equal(installed.status, 0, installed.all);
  assert.ok(existsSync(project.path("node_modules", "wrangler", "package.json")));
  const version = project.pointsman(["--version"]);
  assert.equal(version.status, 0, version.all);
  const dryRun = project.npm("run", "deploy", "--", "--dry-run");
  assert.match(dryRun.all, /these are still the example's values/);
});

test("a dry run of the deployment, for both environments", () => {
  const project = filled("deploy");
  for (const args of [[], ["--env", "staging"]]) {
    const { status, all } = project.pointsman(["deploy", "--dry-run", ...args]);
    assert.equal(status, 0, all);
    const title = args.length > 0 ? "deploy-staging-POINTSMAN_KV" : "deploy-POINTSMAN_KV";
    assert.ok(all.includes(`would create the KV namespace ${title}, and write its id into wrangler.toml`), all);
    assert.match(all, /Total Upload: \d/);
    assert.match(all, /env\.LEDGER \(Ledger\)/);
    assert.match(all, /everything that can be checked here is in order/);
    // What would be uploaded is the package's wasm, byte for byte.
    const wasm = readFileSync(inRoot("build", "index_bg.wasm"));
    const folder = project.path(".pointsman", "dry-run");
    const uploaded = readFileSync(join(folder, wasmIn(folder)));
    assert.ok(uploaded.equals(wasm));
  }
});

/** The core's wasm, which wrangler calls by its digest. */
const wasmIn = (folder) => {
  const script = readFileSync(join(folder, "worker.js"), "utf8");
  return /"\.\/([0-9a-f]+-index_bg\.wasm)"/.exec(script)[1];
};

test("examples and faults are not deployed, not even dry", () => {
  const project = user.project("examples");
  const examples = project.pointsman(["deploy", "--dry-run"]);
  assert.equal(examples.status, 1);
  assert.match(examples.err, /these are still the example's values; nothing was deployed\n {2}BACKEND_URL/);
  project.edit("gateway.toml", 'to = "main"', 'to = "mian"');
  const fault = project.pointsman(["deploy", "--dry-run"]);
  assert.equal(fault.status, 1);
  assert.match(fault.err, /the check found faults: nothing was deployed/);
});

/** The package as it would be of another version. */
function archiveOf(version) {
  const folder = user.path(`version-${version}`);
  mkdirSync(folder);
  user.must("tar", ["-xzf", user.archive, "-C", folder]);
  const file = join(folder, "package", "package.json");
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), version }));
  const [packed] = JSON.parse(user.must("npm", ["pack", "--json", join(folder, "package")], { cwd: folder }).out);
  return join(folder, packed.filename);
}

test("after an upgrade the check names each line of which the grammar has changed, and the line to write", () => {
  const project = user.project("upgrade", { install: false });
  project.install(archiveOf("0.0.1"));
  const installed = () => JSON.parse(project.read("node_modules", "pointsman", "package.json")).version;
  assert.equal(installed(), "0.0.1");
  const before = project.pointsman(["check"]);
  assert.equal(before.status, 0, before.all);
  // What a version had that called the member otherwise.
  const written = project.read("gateway.toml");
  project.edit("gateway.toml", 'to = "main"', 'backend = "main"');
  project.install(user.archive);
  assert.notEqual(installed(), "0.0.1");
  const after = project.pointsman(["check"]);
  assert.equal(after.status, 1, after.all);
  const line = written.split("\n").findIndex((text) => text.includes('to = "main"')) + 1;
  assert.ok(after.all.includes(`gateway.toml:${line}: error: `), after.all);
  assert.ok(after.all.includes('there is no `backend` here: write to = "…"'), after.all);
  project.edit("gateway.toml", 'backend = "main"', 'to = "main"');
  const mended = project.pointsman(["check"]);
  assert.equal(mended.status, 0, mended.all);
});

test("what is installed is small, whole, and the same when it is packed again", () => {
  const { pointsman, "create-pointsman": creator } = user.archives;
  assert.ok(pointsman.unpackedSize + creator.unpackedSize < 10_000_000, `${pointsman.unpackedSize} bytes`);
  for (const file of [
    "LICENSE",
    "THIRD-PARTY-LICENSES",
    "worker.d.ts",
    "schemas/gateway.schema.json",
    "docs/configuration.md",
  ])
    assert.ok(pointsman.files.includes(file), file);
  assert.ok(!pointsman.files.some((file) => /\.test\.mjs$|tsconfig/.test(file)));
  assert.equal(
    JSON.parse(readFileSync(inRoot("packages", "pointsman", "package.json"), "utf8")).dependencies,
    undefined,
  );
  for (const again of pack(user.path("again")))
    assert.equal(again.sha256, user.archives[again.name].sha256, again.name);
  // npm's archive, with no time and no owner of this machine in its header.
  const archive = readFileSync(user.archive);
  assert.deepEqual([...archive.subarray(4, 8)], [...gzipSync("").subarray(4, 8)]);
});
