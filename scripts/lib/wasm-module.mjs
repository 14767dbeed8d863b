// A crate as a wasm module and the JavaScript that enters it: what the builds of the gateway and of the console share.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { wasmBindings } from "./cargo-tools.mjs";
import { inRoot } from "./paths.mjs";
import { WASM_BINDGEN } from "./versions.mjs";
import { compileWasm, step, wasmBuildEnvironment } from "./wasm-compile.mjs";
import { optimizeWasm } from "./wasm-optimize.mjs";

/** Which code makes a module: where that changed, the module is made again. */
const SCRIPTS = ["bytes", "compile", "module", "names", "optimize"].map((name) =>
  inRoot("scripts", "lib", `wasm-${name}.mjs`),
);

/** @type {(file: string) => string} */
const digest = (file) => createHash("sha256").update(readFileSync(file)).digest("hex");

/**
 * What stands in a folder, made from what; undefined if a part is missing.
 * @param {string[]} sources
 * @param {string} out
 */
function provenance(sources, out) {
  const parts = [...SCRIPTS, ...sources, join(out, "index.js"), join(out, "index_bg.wasm")];
  return parts.every(existsSync) ? JSON.stringify([WASM_BINDGEN, ...parts.map(digest)]) : undefined;
}

/**
 * Compiles a crate into the folder `out`: its wasm as `index_bg.wasm`, and what `bundle` makes of wasm-bindgen's module as
 * `index.js`. `sources` are the files that this is made of beside the wasm. Where cargo makes the same wasm as the last
 * time and no source has changed, the rest is skipped: wasm-opt alone takes a quarter of a minute for the gateway. `small` makes
 * all of it small rather than quick.
 * @param {{ crate: string, out: string, dev: boolean, quiet: boolean, small?: boolean, sources: string[], bundle: (module: string, to: string) => unknown }} order
 */
export async function buildWasmModule({ crate, out, dev, quiet, small = false, sources, bundle }) {
  const env = wasmBuildEnvironment({ dev, small });
  const { folder, file } = await compileWasm(crate, { dev, quiet, env });
  const made = () => provenance([file, ...sources], out);
  const stamp = join(out, ".made-from");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === made()) return;

  mkdirSync(out, { recursive: true });
  const bindings = join(folder, `bindings-of-${crate}`);
  rmSync(bindings, { recursive: true, force: true });
  await step(wasmBindings().path, [file, bindings], { quiet, env });
  const [bound, wasm] = [bindings, out].map((place) => join(place, "index_bg.wasm"));
  if (dev) copyFileSync(bound, wasm);
  else await optimizeWasm(bound, wasm, { quiet, env });
  await bundle(join(bindings, "index.js"), join(out, "index.js"));
  writeFileSync(stamp, made() ?? "");
}
