// From a crate to wasm, by cargo.
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { wasmBindings } from "./cargo-tools.mjs";
import { Failure } from "./failure.mjs";
import { withNpmBins } from "./modern-node.mjs";
import { inRoot } from "./paths.mjs";
import { attempt, show } from "./run.mjs";
import { WASI_TARGET, WASM_TARGET } from "./versions.mjs";
import { wasmToolchain } from "./wasm-std.mjs";

// Apart from target/ and from each other: no build invalidates another's work or waits for its lock.
/** @type {(dev: boolean) => string} */
const targetFolder = (dev) => inRoot("target", dev ? "wasm-dev" : "wasm");

// A quick build is the release profile with its slow parts turned off. cargo's own dev profile takes three times as
// long from cold, since there Cargo.toml asks for optimised dependencies, for the native tests' sake.
const QUICK = {
  CARGO_PROFILE_RELEASE_OPT_LEVEL: "1",
  CARGO_PROFILE_RELEASE_LTO: "off",
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: "16",
  CARGO_PROFILE_RELEASE_INCREMENTAL: "true",
  CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS: "true",
  CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS: "true",
};

/** Small rather than quick, down to the standard library's generic code: for what no request waits for. */
const SMALL = { CARGO_PROFILE_RELEASE_OPT_LEVEL: "s" };

/**
 * For programs, which are large: one crate after the other is optimised on all cores, and not all of them as one on a single
 * core, which takes minutes.
 */
const IN_PARTS = { CARGO_PROFILE_RELEASE_LTO: "thin", CARGO_PROFILE_RELEASE_CODEGEN_UNITS: "16" };

/** The environment of all steps of a wasm build. */
export function wasmBuildEnvironment({ dev = false, small = false, target = WASM_TARGET } = {}) {
  const toolchain = wasmToolchain(target);
  if (!toolchain || (target === WASM_TARGET && !existsSync(wasmBindings().path)))
    throw new Failure("tools are missing", { advice: ["npm run setup"] });
  return {
    ...withNpmBins(),
    ...toolchain,
    PATH: withNpmBins({ PATH: toolchain.PATH ?? process.env.PATH }).PATH,
    CARGO_TARGET_DIR: targetFolder(dev),
    ...(small && SMALL),
    ...(target === WASI_TARGET && IN_PARTS),
    ...(dev && QUICK),
  };
}

/**
 * How much a function may cost that is copied into its callers, as LLVM counts. What is compiled for size has 50 by itself; in
 * what is linked as a whole, that still copies much into places that run once. V8 inlines what is hot as it runs.
 */
const INLINED = 25;

/**
 * What makes a build the same wherever the clone, the home folder and the registry's copy are: panics name the files of
 * their source, and these would be machine paths. Only what is compiled for the target has the flags.
 */
function withoutMachinePaths({ dev = false } = {}) {
  const sources = join(process.env.CARGO_HOME || join(homedir(), ".cargo"), "registry", "src");
  // A folder for each registry, whose name is that of its host.
  const registries = existsSync(sources) ? readdirSync(sources).map((name) => join(sources, name)) : [];
  const renamed = [[targetFolder(dev), "target"], ...registries.map((folder) => [folder, "crates"])];
  const flags = renamed.map(([folder, name]) => `--remap-path-prefix=${folder}=${name}`);
  return { CARGO_ENCODED_RUSTFLAGS: [...flags, `-Cllvm-args=-inline-threshold=${INLINED}`].join("\x1f") };
}

/** @typedef {{ quiet: boolean, env: NodeJS.ProcessEnv }} StepOptions */

/**
 * Runs a step of a wasm build; `quiet` keeps its output for the case that it fails.
 * @param {string} program
 * @param {string[]} args
 * @param {StepOptions} options
 */
export async function step(program, args, { quiet, env }) {
  const what = "the wasm build failed";
  if (!quiet) {
    if ((await show(program, args, { env })) !== 0) throw new Failure(what);
    return;
  }
  const { ok, tail } = await attempt(program, args, { env });
  if (!ok) throw new Failure(what, { advice: tail.slice(-40) });
}

/**
 * Builds for a target.
 * @param {string[]} what
 * @param {string} target
 * @param {StepOptions & { dev: boolean }} options
 */
async function cargo(what, target, { dev, quiet, env }) {
  // Before cargo has fetched sources from a registry, their folder cannot be told to it.
  await step("cargo", ["fetch", "--quiet", "--locked", "--target", target], { quiet, env });
  await step("cargo", ["build", ...what, "--release", "--target", target], {
    quiet,
    env: { ...env, ...withoutMachinePaths({ dev }) },
  });
}

/**
 * Compiles the crate of this name. Resolves to { folder, file }: the wasm, and where it stands.
 * @param {string} crate
 * @param {StepOptions & { dev: boolean }} options
 */
export async function compileWasm(crate, { dev, quiet, env }) {
  await cargo(["--package", crate, "--lib"], WASM_TARGET, { dev, quiet, env });
  const folder = join(targetFolder(dev), WASM_TARGET, "release");
  return { folder, file: join(folder, `${crate.replaceAll("-", "_")}.wasm`) };
}

/**
 * Compiles a program of this crate for WASI. Resolves to the wasm's path.
 * @param {string} crate
 * @param {string} program
 * @param {StepOptions & { dev: boolean }} options
 */
export async function compileProgram(crate, program, { dev, quiet, env }) {
  await cargo(["--package", crate, "--bin", program], WASI_TARGET, { dev, quiet, env });
  return join(targetFolder(dev), WASI_TARGET, "release", `${program}.wasm`);
}
