import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { wasmBindings } from "./cargo-tools.mjs";
import { Failure } from "./failure.mjs";
import { withNpmBins } from "./modern-node.mjs";
import { inRoot, npmBin } from "./paths.mjs";
import { CONFIGURATION } from "./pointsman.mjs";
import { attempt, show } from "./run.mjs";
import { WASM_BINDGEN, WASM_TARGET } from "./versions.mjs";
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

/** The environment of the wasm build. */
export function wasmBuildEnvironment({ dev = false } = {}) {
  const toolchain = wasmToolchain();
  if (!toolchain || !existsSync(wasmBindings().path))
    throw new Failure("tools are missing", { advice: ["npm run setup"] });
  return {
    ...withNpmBins(),
    ...toolchain,
    PATH: withNpmBins({ PATH: toolchain.PATH ?? process.env.PATH }).PATH,
    CARGO_TARGET_DIR: targetFolder(dev),
    ...(dev && QUICK),
  };
}

const SELF = fileURLToPath(import.meta.url);
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

/** The modules that are bundled with what is made of the wasm. */
const EDGE = inRoot("src", "edge");

/** What stands in the output folder, made from what; undefined if a part is missing. */
function provenance(compiled, out) {
  const modules = readdirSync(EDGE).filter((name) => name.endsWith(".js"));
  const parts = [
    compiled,
    ...modules.map((name) => join(EDGE, name)),
    SELF,
    join(out, "index.js"),
    join(out, "index_bg.wasm"),
  ];
  if (!parts.every(existsSync)) return undefined;
  return JSON.stringify([WASM_BINDGEN, ...parts.map(digest)]);
}

/** Takes the names of functions out of the Worker and puts them beside it, for reading stack traces. */
function moveNames(out) {
  const file = inRoot(out, "index_bg.wasm");
  const { wasm, names } = withoutNames(readFileSync(file));
  writeFileSync(file, wasm);
  writeFileSync(inRoot(out, "function-names.txt"), `${names.join("\n")}\n`);
}

/**
 * What wasm-opt does. Beyond its usual, functions stay apart that are called from one place only: in one body of 60 kB each
 * local has a number of two bytes and every sequence others of them, which compresses worse than all the calls. The
 * features are those of the compiler's target and of wasm-bindgen's, so that no newer encoding comes in.
 */
const FEATURES = [
  "mutable-globals",
  "sign-ext",
  "nontrapping-float-to-int",
  "bulk-memory",
  "multivalue",
  "reference-types",
  "exception-handling",
];
const OPTIMIZE = [
  "-O",
  "--one-caller-inline-max-function-size=0",
  "--debuginfo",
  ...FEATURES.map((name) => `--enable-${name}`),
];

/** Names in src/edge/entry.js that only the build can resolve. */
const resolveCore = (core) => ({
  name: "pointsman",
  setup({ onResolve }) {
    onResolve({ filter: /^pointsman:core$/ }, () => ({ path: core }));
    // Modules that the wasm calls are taken from where they stand, with whatever they import, and not from wasm-bindgen's
    // copies, which are of those alone that it was told of.
    onResolve({ filter: /\/snippets\/[^/]+\/src\/edge\// }, ({ path }) => ({
      path: join(EDGE, path.split("/src/edge/").at(-1)),
    }));
    onResolve({ filter: /^pointsman:configuration$/ }, () => ({ path: `./${CONFIGURATION}`, external: true }));
    onResolve({ filter: /^pointsman:wasm$/ }, () => ({ path: "./index_bg.wasm", external: true }));
  },
});

/** Puts our entry, what enters the wasm, and the modules that the wasm calls into one module. */
const bundle = (core, outfile) =>
  build({
    entryPoints: [join(EDGE, "entry.js")],
    outfile,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2024",
    external: ["cloudflare:*"],
    plugins: [resolveCore(core)],
    logLevel: "silent",
  }).catch((error) => {
    throw new Failure("the Worker's modules cannot be bundled", { advice: error.message.split("\n") });
  });

/**
 * Compiles the Worker. Where cargo makes the same wasm as the last time and no module has changed, the rest is skipped:
 * wasm-opt alone takes a quarter of a minute.
 */
export async function buildWorker({ dev = false, out = RELEASE_OUT, quiet = false } = {}) {
  const env = wasmBuildEnvironment({ dev });
  await step("cargo", ["build", "--package", "pointsman", "--lib", "--release", "--target", WASM_TARGET], quiet, env);

  const release = join(targetFolder(dev), WASM_TARGET, "release");
  const compiled = join(release, "pointsman.wasm");
  const stamp = inRoot(out, ".made-from");
  const now = provenance(compiled, inRoot(out));
  if (now && existsSync(stamp) && readFileSync(stamp, "utf8") === now) return;

  mkdirSync(inRoot(out), { recursive: true });
  const bindings = join(release, "bindings");
  rmSync(bindings, { recursive: true, force: true });
  await step(wasmBindings().path, [compiled, bindings], quiet, env);
  const [bound, wasm] = [join(bindings, "index_bg.wasm"), inRoot(out, "index_bg.wasm")];
  if (dev) copyFileSync(bound, wasm);
  else await step(npmBin("wasm-opt"), [bound, "-o", wasm, ...OPTIMIZE], quiet, env);
  await bundle(join(bindings, "index.js"), inRoot(out, "index.js"));
  if (!dev) moveNames(out);
  writeFileSync(stamp, provenance(compiled, inRoot(out)) ?? "");
}
