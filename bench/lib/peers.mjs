// The peers: TypeScript, bundled as wrangler would.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const source = (name) => fileURLToPath(new URL(`../peers/${name}.ts`, import.meta.url));

/** The modules of a peer, for startWorkerd. */
export async function peer(name) {
  const { outputFiles } = await build({
    entryPoints: [source(name)],
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker", "browser"],
    logLevel: "silent",
  });
  return [{ name: `${name}.js`, text: outputFiles[0].text }];
}
