// Makes wasm smaller and quicker.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { npmBin } from "./paths.mjs";
import { keptExports, SECTION, withSections } from "./wasm-bytes.mjs";
import { step } from "./wasm-compile.mjs";
import { withoutNames } from "./wasm-names.mjs";

/**
 * What wasm-opt does, again until nothing becomes smaller. Beyond its usual, functions stay apart that are called from one
 * place only: in one body of 60 kB each local has a number of two bytes and every sequence others of them, which compresses
 * worse than all the calls. Functions stand in the order of their names: those of one module and one kind are alike, and what
 * is alike compresses where it is near, by more than one part in a hundred. The features are those of the compiler's target and of wasm-bindgen's, so that no newer
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
const BY_NAME = "--reorder-functions-by-name";
const EDGE = ["-O3", "--converge", "--one-caller-inline-max-function-size=0", BY_NAME];
/** The command line is downloaded and compiled at each start: its size is what counts, and one pass has nearly all of it. */
const SMALLEST = ["-Oz", BY_NAME];
const KEPT = ["--debuginfo", ...FEATURES.map((name) => `--enable-${name}`)];

/**
 * Classes that the worker crate exports and the Worker never makes: streams out of Rust, while bodies pass as the platform's
 * own, and options of services that it does not use. As exports they would keep all that they are made of.
 */
const NEVER_MADE = /(intounderlying|r2range|minifyconfig|containerstartupoptions)/;

/** @import { StepOptions } from "./wasm-compile.mjs" */

/**
 * Optimises `from` into `to`, and puts the names of its functions beside that, for reading stack traces.
 * `smallest` spends nothing on speed.
 * @param {string} from
 * @param {string} to
 * @param {StepOptions & { smallest?: boolean }} options
 */
export async function optimizeWasm(from, to, { smallest = false, ...options }) {
  const isMade = (/** @type {string} */ name) => !NEVER_MADE.test(name);
  const made = withSections(readFileSync(from), (kind, content) =>
    kind === SECTION.exports ? keptExports(content, isMade) : content,
  );
  writeFileSync(from, made);
  await step(npmBin("wasm-opt"), [from, "-o", to, ...(smallest ? SMALLEST : EDGE), ...KEPT], options);
  const { wasm, names } = withoutNames(readFileSync(to));
  writeFileSync(to, wasm);
  writeFileSync(join(dirname(to), "function-names.txt"), `${names.join("\n")}\n`);
}
