// From a crate to wasm, by cargo.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { wasmBindings } from "./cargo-tools.mjs";
import { Failure } from "./failure.mjs";
import { withNpmBins } from "./modern-node.mjs";
import { inRoot } from "./paths.mjs";
import { attempt, show } from "./run.mjs";
import { WASM_TARGET } from "./versions.mjs";
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

/** The environment of all steps of a wasm build. */
export function wasmBuildEnvironment({ dev = false, small = false } = {}) {
  const toolchain = wasmToolchain();
  if (!toolchain || !existsSync(wasmBindings().path))
    throw new Failure("tools are missing", { advice: ["npm run setup"] });
  return {
    ...withNpmBins(),
    ...toolchain,
    PATH: withNpmBins({ PATH: toolchain.PATH ?? process.env.PATH }).PATH,
    CARGO_TARGET_DIR: targetFolder(dev),
    ...(small && SMALL),
    ...(dev && QUICK),
  };
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
 * Compiles the crate of this name. Resolves to { folder, file }: the wasm, and where it stands.
 * @param {string} crate
 * @param {StepOptions & { dev: boolean }} options
 */
export async function compileWasm(crate, { dev, quiet, env }) {
  await step("cargo", ["build", "--package", crate, "--lib", "--release", "--target", WASM_TARGET], { quiet, env });
  const folder = join(targetFolder(dev), WASM_TARGET, "release");
  return { folder, file: join(folder, `${crate.replaceAll("-", "_")}.wasm`) };
}
