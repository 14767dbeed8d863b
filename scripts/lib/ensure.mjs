import { cargoTools } from "./cargo-tools.mjs";
import { underModernNode } from "./modern-node.mjs";
import { npmPackages } from "./npm-packages.mjs";
import { needRust } from "./rust.mjs";
import { wasiStd, wasmStd } from "./wasm-std.mjs";

// Each part looks for itself first, so a second run does nothing.

async function ensureBasics() {
  await needRust();
  await npmPackages();
  await underModernNode();
}

/** Everything that the builds of the gateway and of the console need. */
export async function ensureTools() {
  await ensureBasics();
  await wasmStd();
  await cargoTools();
}

/** Everything that the build of the command line as WebAssembly needs. */
export async function ensureCliTools() {
  await ensureBasics();
  await wasiStd();
}
