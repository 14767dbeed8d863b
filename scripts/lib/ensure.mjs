import { cargoTools } from "./cargo-tools.mjs";
import { underModernNode } from "./modern-node.mjs";
import { npmPackages } from "./npm-packages.mjs";
import { needRust } from "./rust.mjs";
import { wasmStd } from "./wasm-std.mjs";

/** Everything a build needs. Each part looks for itself first, so a second run does nothing. */
export async function ensureTools() {
  await needRust();
  await npmPackages();
  await underModernNode();
  await wasmStd();
  await cargoTools();
}
