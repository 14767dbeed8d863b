import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "smol-toml";
import { inRoot, ROOT } from "./paths.mjs";

const read = (name) => readFileSync(inRoot(name), "utf8");

const root = parse(read("Cargo.toml"));
const shared = root.workspace?.package ?? {};
/** What a manifest says, or leaves to the workspace. */
const said = (manifest, member) => (manifest.package[member]?.workspace ? shared[member] : manifest.package[member]);
const manifests = ["Cargo.toml", ...globSync("{crates/*,benches}/Cargo.toml", { cwd: ROOT })].map((file) => ({
  file,
  manifest: parse(read(file)),
}));
const packages = globSync("packages/*/package.json", { cwd: ROOT });

test("the version is the same wherever it stands", () => {
  const version = said(root, "version");
  assert.match(version, /^\d+\.\d+\.\d+$/);
  const locked = parse(read("Cargo.lock")).package.filter(({ source }) => !source);
  for (const { file, manifest } of manifests) {
    assert.equal(said(manifest, "version"), version, file);
    assert.equal(
      locked.find(({ name }) => name === manifest.package.name)?.version,
      version,
      `Cargo.lock, ${manifest.package.name}`,
    );
  }
  assert.equal(JSON.parse(read("package.json")).version, version, "package.json");
  for (const file of packages) assert.equal(JSON.parse(read(file)).version, version, file);
  const lock = JSON.parse(read("package-lock.json"));
  assert.equal(lock.version, version, "package-lock.json");
  assert.equal(lock.packages[""].version, version, "package-lock.json, its first package");
});

test("nothing can be published by mistake", () => {
  for (const { file, manifest } of manifests) assert.equal(said(manifest, "publish"), false, file);
  // The npm packages are published from what `npm run package` makes of them.
  for (const file of ["package.json", ...packages]) assert.equal(JSON.parse(read(file)).private, true, file);
});
