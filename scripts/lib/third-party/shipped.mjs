// The packages of others whose code is in what is deployed or published: crates in the wasm, npm packages in the modules of the
// two Workers.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { build } from "esbuild";
import { Failure } from "../failure.mjs";
import { inRoot, ROOT } from "../paths.mjs";
import { WASI_TARGET, WASM_TARGET } from "../versions.mjs";

/**
 * A package of others. `licence` is an expression of SPDX's, `folder` where the package stands on this machine.
 * @typedef {{ name: string, version: string, licence: string, url: string | undefined, folder: string }} Package
 */

/**
 * A package as cargo's metadata has it. Our own have no source.
 * @typedef {object} CargoPackage
 * @property {string} name
 * @property {string} version
 * @property {string | null} source
 * @property {string | null} license
 * @property {string | null} repository
 * @property {string} manifest_path
 */

/** @param {string[]} args */
function cargo(...args) {
  const { status, stdout, stderr, error } = spawnSync("cargo", args, {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (status !== 0)
    throw new Failure(`cargo ${args[0]} failed`, { advice: error?.message ?? stderr.trim().split("\n").slice(-10) });
  return stdout;
}

/** The crates of ours that are compiled to wasm, and for what. */
const WORKERS = { ours: ["pointsman", "pointsman-js", "pointsman-ledger-wasm"], target: WASM_TARGET };
const COMMAND_LINE = { ours: ["pointsman-cli"], target: WASI_TARGET };

/** What is linked into the two Workers. */
export const crates = () => linkedInto(WORKERS);
/** What is linked into the command line's wasm. */
export const cratesOfCommandLine = () => linkedInto(COMMAND_LINE);

/**
 * The tree says what is linked: its features are those of what is built, and macros,
 * which run while it is compiled, are left out. Where the sources are, the metadata says.
 * @param {{ ours: string[], target: string }} built
 * @returns {Package[]}
 */
function linkedInto({ ours, target }) {
  const tree = cargo(
    "tree",
    "--locked",
    ...ours.flatMap((name) => ["--package", name]),
    "--target",
    target,
    "--edges",
    "normal,no-proc-macro",
    "--prefix",
    "none",
    "--format",
    "{p}",
  );
  const linked = new Set(tree.split("\n").map((line) => /^(\S+) v(\S+)/.exec(line)?.slice(1, 3).join(" ")));
  const metadata = JSON.parse(cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", target));
  /** @type {CargoPackage[]} */
  const packages = metadata.packages;
  return packages
    .filter(({ name, version, source }) => source && linked.has(`${name} ${version}`))
    .map(({ name, version, license, repository, manifest_path }) => ({
      name,
      version,
      licence: license ?? "",
      url: address(repository),
      folder: dirname(manifest_path),
    }))
    .sort(byName);
}

/**
 * The same of npm packages: those that esbuild takes into the gateway's modules and into the console.
 * @returns {Promise<Package[]>}
 */
export async function npmPackages() {
  const inputs = await Promise.all([bundled("src/edge/worker.js"), bundled("console/index.js")]);
  const folders = new Set(
    inputs.flat().flatMap((file) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []),
  );
  return [...folders]
    .map((folder) => {
      const { name, version, license, repository } = JSON.parse(readFileSync(inRoot(folder, "package.json"), "utf8"));
      return {
        name,
        version,
        licence: license ?? "",
        url: address(repository?.url ?? repository),
        folder: inRoot(folder),
      };
    })
    .sort(byName);
}

/**
 * Where a package's source is, as a reader's browser takes it. npm lets `owner/name` stand for GitHub's.
 * @type {(repository: string | null | undefined) => string | undefined}
 */
const address = (repository) =>
  repository
    ?.replace(/^git\+/, "")
    .replace(/\.git$|\/$/, "")
    .replace(/^(?=[\w.-]+\/[\w.-]+$)/, "https://github.com/");

/**
 * Which files a bundle of `entry` is made of, from the root. What only a build makes is left out: it is ours.
 * @param {string} entry
 */
async function bundled(entry) {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    bundle: true,
    write: false,
    outdir: "unwritten",
    metafile: true,
    format: "esm",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "pointsman:*", "#pointsman-js", "*/build/gateway.json", "*.wasm"],
    loader: { ".css": "text", ".md": "text", ".svg": "text", ".client.js": "text" },
    logLevel: "silent",
  });
  return Object.keys(metafile.inputs).map((file) => relative(ROOT, join(ROOT, file)));
}

/** @type {(one: Package, other: Package) => number} */
const byName = (one, other) =>
  one.name < other.name ? -1 : one.name > other.name ? 1 : one.version < other.version ? -1 : 1;
