// Makes wasm smaller and quicker.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { npmBin } from "./paths.mjs";
import { step } from "./wasm-compile.mjs";
import { withoutNames } from "./wasm-names.mjs";

/**
 * What wasm-opt does, again until nothing becomes smaller. Beyond its usual, functions stay apart that are called from one
 * place only: in one body of 60 kB each local has a number of two bytes and every sequence others of them, which compresses
 * worse than all the calls. The features are those of the compiler's target and of wasm-bindgen's, so that no newer
 * encoding comes in.
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
const EDGE = ["-O3", "--converge", "--one-caller-inline-max-function-size=0"];
/** The command line is downloaded and compiled at each start: its size is what counts, and one pass has nearly all of it. */
const SMALLEST = ["-Oz"];
const KEPT = ["--debuginfo", ...FEATURES.map((name) => `--enable-${name}`)];

/** @import { StepOptions } from "./wasm-compile.mjs" */

/**
 * Optimises `from` into `to`, and puts the names of its functions beside that, for reading stack traces.
 * `smallest` spends nothing on speed.
 * @param {string} from
 * @param {string} to
 * @param {StepOptions & { smallest?: boolean }} options
 */
export async function optimizeWasm(from, to, { smallest = false, ...options }) {
  await step(npmBin("wasm-opt"), [from, "-o", to, ...(smallest ? SMALLEST : EDGE), ...KEPT], options);
  const { wasm, names } = withoutNames(readFileSync(to));
  writeFileSync(to, wasm);
  writeFileSync(join(dirname(to), "function-names.txt"), `${names.join("\n")}\n`);
}
