import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { wasmBindgen, workerBuild } from "./cargo-tools.mjs";
import { Failure } from "./failure.mjs";
import { withNpmBins } from "./modern-node.mjs";
import { inRoot, npmBin } from "./paths.mjs";
import { attempt, show } from "./run.mjs";
import { WASM_BINDGEN, WASM_TARGET, WORKER_BUILD } from "./versions.mjs";
import { withoutNames } from "./wasm-names.mjs";
import { wasmToolchain } from "./wasm-std.mjs";

// Apart from target/ and from each other: no build invalidates another's work or waits for its lock.
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

/** The environment of the wasm build: our pinned tools instead of worker-build's own downloads. */
export function wasmBuildEnvironment({ dev = false } = {}) {
  const toolchain = wasmToolchain();
  if (!toolchain || !existsSync(workerBuild().path)) throw new Failure("tools are missing", { advice: ["npm run setup"] });
  return {
    ...withNpmBins(),
    ...toolchain,
    PATH: withNpmBins({ PATH: toolchain.PATH ?? process.env.PATH }).PATH,
    WASM_BINDGEN_BIN: wasmBindgen().path,
    WASM_OPT_BIN: npmBin("wasm-opt"),
    ESBUILD_BIN: npmBin("esbuild"),
    // As worker-build sets it: cargo would compile everything again for every other value.
    WASM_BINDGEN_USE_JS_SYS: "1",
    CARGO_TARGET_DIR: targetFolder(dev),
    ...(dev && QUICK),
  };
}

const RELEASE_OUT = "build";
export const DEV_OUT = "target/worker-dev";

/** Runs a step of the build; `quiet` keeps its output for the case that it fails. */
async function step(program, args, quiet, env) {
  const what = "the wasm build failed";
  if (!quiet) {
    if ((await show(program, args, { env })) !== 0) throw new Failure(what);
    return;
  }
  const { ok, tail } = await attempt(program, args, { env });
  if (!ok) throw new Failure(what, { advice: tail.slice(-40) });
}

const digest = (file) => createHash("sha256").update(readFileSync(file)).digest("hex");

/** Plain JavaScript that stands in the main module: its entry, and the class of Durable Objects that count quotas. */
const PARTS = [inRoot("src", "edge", "entry.js"), inRoot("src", "edge", "quota.js")];

/** What stands in the output folder, made from what; undefined if a part is missing. */
function provenance(compiled, out) {
  // What wasm-opt is told stands in Cargo.toml.
  const parts = [compiled, ...PARTS, inRoot("Cargo.toml"), join(out, "index.js"), join(out, "index_bg.wasm")];
  if (!parts.every(existsSync)) return undefined;
  return JSON.stringify([WORKER_BUILD, WASM_BINDGEN, ...parts.map(digest)]);
}

/** Takes the names of functions out of the Worker and puts them beside it, for reading stack traces. */
function moveNames(out) {
  const file = inRoot(out, "index_bg.wasm");
  const { wasm, names } = withoutNames(readFileSync(file));
  writeFileSync(file, wasm);
  writeFileSync(inRoot(out, "function-names.txt"), `${names.join("\n")}\n`);
}

/** Puts our own parts behind what worker-build made, and our own entry over its default export. */
function complete(main) {
  const made = readFileSync(main, "utf8");
  const exported = /(,?)\s*([\w$]+) as default\s*(,?)(?=[^{}]*\}[^{}]*$)/.exec(made);
  if (!exported) throw new Failure("worker-build's module has no default export", { advice: ["Has WORKER_BUILD changed? See src/edge/entry.js."] });
  const [whole, before, stock, after] = exported;
  const rest = made.slice(0, exported.index) + (before && after) + made.slice(exported.index + whole.length);
  const parts = PARTS.map((part) => readFileSync(part, "utf8"));
  writeFileSync(main, [rest, ...parts, `export default entryOver(${stock});`, ""].join("\n"));
}

/**
 * Compiles the Worker. Where cargo makes the same wasm as the last time, the rest is skipped: worker-build would run
 * wasm-opt again, which takes a quarter of a minute.
 */
export async function buildWorker({ dev = false, out = RELEASE_OUT, quiet = false } = {}) {
  const env = wasmBuildEnvironment({ dev });
  await step("cargo", ["build", "--lib", "--release", "--target", WASM_TARGET], quiet, env);

  const compiled = join(targetFolder(dev), WASM_TARGET, "release", "pointsman.wasm");
  const stamp = inRoot(out, ".made-from");
  const now = provenance(compiled, inRoot(out));
  if (now && existsSync(stamp) && readFileSync(stamp, "utf8") === now) return;

  await step(workerBuild().path, ["--release", ...(dev ? ["--no-opt"] : []), "--out-dir", out], quiet, env);
  if (!dev) moveNames(out);
  complete(inRoot(out, "index.js"));
  writeFileSync(stamp, provenance(compiled, inRoot(out)) ?? "");
}
