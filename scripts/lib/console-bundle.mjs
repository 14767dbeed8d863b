import { join } from "node:path";
import { build } from "esbuild";
import { inRoot } from "./paths.mjs";

/**
 * The console as one module's text, as wrangler would make it, with the core's wasm beside it. `configuration` is
 * gateway.toml as JSON text, `folder` where the core was built. wrangler.toml says which files are text; so do the loaders
 * here.
 * @param {string} configuration
 * @param {string} folder
 */
export async function bundleConsole(configuration, folder) {
  /** @type {import("esbuild").Plugin} */
  const built = {
    name: "built",
    setup: ({ onResolve, onLoad }) => {
      onResolve({ filter: /^#pointsman-js$/ }, () => ({ path: join(folder, "index.js") }));
      onResolve({ filter: /\/build\/console\/index_bg\.wasm$/ }, () => ({ path: "./index_bg.wasm", external: true }));
      onResolve({ filter: /\/build\/gateway\.json$/ }, ({ path }) => ({ path, namespace: "configuration" }));
      onLoad({ filter: /./, namespace: "configuration" }, () => ({
        contents: JSON.stringify(configuration),
        loader: "json",
      }));
    },
  };
  const { outputFiles } = await build({
    entryPoints: [inRoot("console", "index.js")],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    loader: { ".css": "text", ".md": "text", ".svg": "text", ".client.js": "text" },
    plugins: [built],
  });
  return outputFiles[0].text;
}
