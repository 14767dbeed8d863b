import { build } from "esbuild";
import { inRoot } from "./paths.mjs";

/**
 * The console as one module's text, as wrangler would make it; `configuration` is gateway.toml as JSON text.
 * wrangler.toml says which files are text; so do the loaders here.
 * @param {string} configuration
 */
export async function bundleConsole(configuration) {
  /** @type {import("esbuild").Plugin} */
  const gatewayJson = {
    name: "gateway.json",
    setup: ({ onResolve, onLoad }) => {
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
    loader: { ".css": "text", ".svg": "text", ".client.js": "text" },
    plugins: [gatewayJson],
  });
  return outputFiles[0].text;
}
