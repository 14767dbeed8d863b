import { existsSync } from "node:fs";
import { join } from "node:path";
import { tilde, toolsFolder } from "./paths.mjs";
import { must } from "./run.mjs";
import { note, say, stopwatch } from "./say.mjs";
import { WASM_BINDGEN, WORKER_BUILD } from "./versions.mjs";

const tool = (crate, version, program, why, time) => {
  const folder = join(toolsFolder(), `${crate}-${version}`);
  return { crate, version, why, time, folder, path: join(folder, "bin", program) };
};

export const wasmBindgen = () =>
  tool("wasm-bindgen-cli", WASM_BINDGEN, "wasm-bindgen", "joins the wasm to JavaScript", "2 minutes");
export const workerBuild = () =>
  tool("worker-build", WORKER_BUILD, "worker-build", "packs the crate as a Worker", "4 minutes");

/** Compiles the build tools that come from the Rust package registry, once for all clones. */
export async function cargoTools() {
  for (const { crate, version, path, folder, why, time } of [wasmBindgen(), workerBuild()]) {
    // cargo puts the program there as its last act, so it is whole if it is there.
    if (existsSync(path)) continue;
    const elapsed = stopwatch();
    say(`${crate} ${version}: ${why} → ${tilde(folder)} (compiled once, about ${time} on two cores)`);
    await must(`cargo install ${crate}`, "cargo", ["install", "--locked", "--root", folder, `${crate}@${version}`], {
      advice: ["Does `cargo search serde` work from here? Is a C compiler installed (cc)?"],
    });
    note(`done in ${elapsed()}`);
  }
}
