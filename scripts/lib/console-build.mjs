// The core for the console: crates/pointsman-js as a wasm module, which the console imports as it stands.
import { copyFileSync } from "node:fs";
import { inRoot } from "./paths.mjs";
import { buildWasmModule } from "./wasm-module.mjs";

export const CONSOLE_OUT = "build/console";
export const CONSOLE_DEV_OUT = "target/console-dev";

/** Compiles it. */
export const buildConsole = ({ dev = false, out = CONSOLE_OUT, quiet = false } = {}) =>
  buildWasmModule({ crate: "pointsman-js", out: inRoot(out), dev, quiet, sources: [], bundle: copyFileSync });
