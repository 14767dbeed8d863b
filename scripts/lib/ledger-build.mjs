// The ledger's logic as a wasm module of its own: the object that runs it is in the Worker, and no request passes through it.
import { copyFileSync } from "node:fs";
import { inRoot } from "./paths.mjs";
import { buildWasmModule } from "./wasm-module.mjs";

/** @type {(dev: boolean) => string} */
const outFolder = (dev) => inRoot("target", dev ? "ledger-dev" : "ledger");

/** Compiles it. Resolves to the folder in which its `index.js` and `index_bg.wasm` stand. */
export async function buildLedger({ dev = false, quiet = false } = {}) {
  const out = outFolder(dev);
  const bundle = copyFileSync;
  await buildWasmModule({ crate: "pointsman-ledger-wasm", out, dev, quiet, small: true, sources: [], bundle });
  return out;
}
