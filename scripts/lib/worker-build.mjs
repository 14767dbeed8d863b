// The gateway's Worker.
import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Failure } from "./failure.mjs";
import { buildLedger } from "./ledger-build.mjs";
import { inRoot } from "./paths.mjs";
import { CONFIGURATION } from "./pointsman.mjs";
import { buildWasmModule } from "./wasm-module.mjs";

const SELF = fileURLToPath(import.meta.url);
const RELEASE_OUT = "build";
export const DEV_OUT = "target/worker-dev";

/** The modules that are bundled with what is made of the wasm. */
const EDGE = inRoot("src", "edge");

/** The description of the management API, which the Worker serves. */
const API = inRoot("schemas", "api.openapi.json");

/** The ledger's wasm, beside the core's. */
export const LEDGER_WASM = "ledger_bg.wasm";

/**
 * Names in the modules of src/edge that only the build can resolve.
 * @type {(core: string, ledger: string) => import("esbuild").Plugin}
 */
const resolveCore = (core, ledger) => ({
  name: "pointsman",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^pointsman:core$/ }, () => ({ path: core }));
    onResolve({ filter: /^pointsman:ledger$/ }, () => ({ path: ledger }));
    // Modules that the wasm calls are taken from where they stand, with whatever they import, and not from wasm-bindgen's
    // copies, which are of those alone that it was told of.
    onResolve({ filter: /\/snippets\/[^/]+\/src\/edge\// }, ({ path }) => ({
      path: join(EDGE, path.slice(path.lastIndexOf("/src/edge/") + "/src/edge/".length)),
    }));
    onResolve({ filter: /^pointsman:configuration$/ }, () => ({ path: `./${CONFIGURATION}`, external: true }));
    onResolve({ filter: /^pointsman:wasm$/ }, () => ({ path: "./index_bg.wasm", external: true }));
    onResolve({ filter: /^pointsman:ledger-wasm$/ }, () => ({ path: `./${LEDGER_WASM}`, external: true }));
    onResolve({ filter: /^pointsman:api$/ }, () => ({ path: API, namespace: "compact" }));
    onLoad({ filter: /./, namespace: "compact" }, ({ path }) => ({
      contents: JSON.stringify(JSON.parse(readFileSync(path, "utf8"))),
      loader: "text",
    }));
  },
});

/**
 * Puts our entry, what enters the two wasms, and the modules that the core's wasm calls into one module, `index.js`; and
 * beside it the same without our entry, `worker.js`, for which the users of the npm package have an entry of their own.
 * @type {(core: string, ledger: string, outfile: string) => Promise<unknown>}
 */
const bundle = (core, ledger, outfile) =>
  build({
    entryPoints: { index: join(EDGE, "entry.js"), worker: join(EDGE, "worker.js") },
    outdir: dirname(outfile),
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2024",
    external: ["cloudflare:*"],
    plugins: [resolveCore(core, ledger)],
    logLevel: "silent",
  }).catch((error) => {
    throw new Failure("the Worker's modules cannot be bundled", { advice: String(error.message).split("\n") });
  });

/** Compiles the Worker. */
export async function buildWorker({ dev = false, out = RELEASE_OUT, quiet = false } = {}) {
  const ledger = await buildLedger({ dev, quiet });
  const ledgerBindings = join(ledger, "index.js");
  const modules = readdirSync(EDGE).filter((name) => name.endsWith(".js"));
  await buildWasmModule({
    crate: "pointsman",
    out: inRoot(out),
    dev,
    quiet,
    sources: [SELF, API, ledgerBindings, ...modules.map((name) => join(EDGE, name))],
    bundle: (core, outfile) => bundle(core, ledgerBindings, outfile),
  });
  copyFileSync(join(ledger, "index_bg.wasm"), join(inRoot(out), LEDGER_WASM));
}
