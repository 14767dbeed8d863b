// Runs the command line's wasm in this process, to its end. Everything is synchronous, as in a native program: Ctrl-C ends
// the process, and what the wasm lacks of a machine is in host.mjs. Only what each start needs is imported.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createHost } from "./host.mjs";
import { reason } from "./reason.mjs";

/** As the command line ends where its input is wrong. */
const CANNOT_RUN = 1;
/** As a native program ends after a panic. */
const PANICKED = 101;

/**
 * Node's WASI, without the warning that it is experimental: users of a command line can do nothing about it, and standard
 * error is compared by scripts.
 */
function quietWasi() {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule("node:wasi").WASI;
  } finally {
    process.emitWarning = emitWarning;
  }
}

/**
 * The wasm, compiled; undefined where it cannot be used, which has been said.
 * @param {URL} wasm
 */
function compile(wasm) {
  try {
    return new WebAssembly.Module(readFileSync(wasm));
  } catch (error) {
    console.error(`error: ${fileURLToPath(wasm)}: ${reason(error)}`);
    return undefined;
  }
}

/**
 * Runs it with this process's arguments, environment, folder and standard streams. Returns the exit code.
 * @param {URL} wasm
 * @param {URL} program where the program lies as a native one would: wrangler is looked for in the folders above too
 */
export function run(wasm, program) {
  if (process.platform === "win32") {
    console.error("pointsman runs on Linux and macOS. On Windows, run it in WSL.");
    return CANNOT_RUN;
  }
  const module = compile(wasm);
  if (module === undefined) return CANNOT_RUN;
  const WASI = quietWasi();
  const wasi = new WASI({
    version: "preview1",
    args: [fileURLToPath(program), ...process.argv.slice(2)],
    // WASI knows no current folder: the program reads it here.
    env: { ...process.env, PWD: process.cwd() },
    // It is the user's own program, and may do what the user may do.
    preopens: { "/": "/" },
  });
  /** @type {WebAssembly.Memory | undefined} */
  let memory;
  const host = createHost(() => /** @type {WebAssembly.Memory} */ (memory).buffer);
  const instance = new WebAssembly.Instance(module, {
    wasi_snapshot_preview1: wasi.wasiImport,
    pointsman_host: host,
  });
  memory = /** @type {WebAssembly.Memory} */ (instance.exports.memory);
  try {
    return wasi.start(instance);
  } catch (error) {
    // A panic has said why before its trap.
    if (error instanceof WebAssembly.RuntimeError && error.message === "unreachable") return PANICKED;
    throw error;
  }
}
