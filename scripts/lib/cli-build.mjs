// The command line as WebAssembly, which the npm package `pointsman` runs in Node.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { inRoot } from "./paths.mjs";
import { say } from "./say.mjs";
import { WASI_TARGET } from "./versions.mjs";
import { compileProgram, wasmBuildEnvironment } from "./wasm-compile.mjs";
import { optimizeWasm } from "./wasm-optimize.mjs";

/** Where it is built. */
export const CLI_WASM = inRoot("build", "cli", "pointsman.wasm");
/** Where the package's launcher looks for it. */
const IN_PACKAGE = inRoot("packages", "pointsman", "pointsman.wasm");
/** The launcher. It runs as a program, as the native command line does. */
export const LAUNCHER = inRoot("packages", "pointsman", "bin", "pointsman.mjs");

/** Which code makes it: where that changed, it is made again. */
const SCRIPTS = [
  fileURLToPath(import.meta.url),
  ...["compile", "names", "optimize"].map((name) => inRoot("scripts", "lib", `wasm-${name}.mjs`)),
];

/**
 * What it was made from, and what was made; undefined if a part is missing.
 * @param {string} compiled
 */
function provenance(compiled) {
  const parts = [...SCRIPTS, compiled, CLI_WASM, IN_PACKAGE];
  /** @type {(file: string) => string} */
  const digest = (file) => createHash("sha256").update(readFileSync(file)).digest("hex");
  return parts.every(existsSync) ? JSON.stringify(parts.map(digest)) : undefined;
}

/** Compiles it into build/cli/, and puts it into the package. */
export async function buildCli({ dev = false, quiet = false } = {}) {
  const env = wasmBuildEnvironment({ dev, small: true, target: WASI_TARGET });
  const compiled = await compileProgram("pointsman-cli", "pointsman", { dev, quiet, env });
  const stamp = join(dirname(CLI_WASM), ".made-from");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === provenance(compiled)) return;

  mkdirSync(dirname(CLI_WASM), { recursive: true });
  if (dev) copyFileSync(compiled, CLI_WASM);
  else await optimizeWasm(compiled, CLI_WASM, { quiet, env, smallest: true });
  copyFileSync(CLI_WASM, IN_PACKAGE);
  writeFileSync(stamp, provenance(compiled) ?? "");
  const wasm = readFileSync(CLI_WASM);
  /** @type {(bytes: number) => string} */
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;
  say(`pointsman.wasm: ${megabytes(wasm.length)}, ${megabytes(gzipSync(wasm, { level: 9 }).length)} with gzip`);
}
