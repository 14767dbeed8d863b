// The user's main module with all that it imports, as the modules that workerd loads. What is no JavaScript stays a module of
// its own, as wrangler has it, and so does the configuration: a save of gateway.toml changes that module and no other.
import { existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { MODULE } from "./compile.mjs";
import { Failure } from "./failure.mjs";
import { shown } from "./project.mjs";

/** @import { Project, Tools } from "./project.mjs" */

/**
 * @typedef {{ type: "ESModule" | "CompiledWasm" | "Text" | "Data", path: string, contents: string | Uint8Array<ArrayBuffer> }} Module
 * @typedef {{ modules: Module[], sources: string[] }} Bundle `sources` are the files that it was made of
 */

/** Where the modules pretend to be: workerd wants a common root. */
export const MODULES_ROOT = resolve("/gateway");

/** What wrangler takes for what, where its file has no rules. @type {[RegExp, Module["type"]][]} */
const RULES = [
  [/\.wasm(\?module)?$/, "CompiledWasm"],
  [/\.(txt|html|sql)$/, "Text"],
  [/\.bin$/, "Data"],
];

/**
 * @param {{ project: Project, tools: Tools, main: string | undefined, define: Record<string, string> }} parts
 * @returns {Promise<Bundle>}
 */
export async function bundle({ project, tools, main, define }) {
  if (main === undefined || !existsSync(main))
    throw new Failure(
      main === undefined
        ? `${shown(project.wrangler)} has no main: the gateway's main module`
        : `main of ${shown(project.wrangler)} names ${shown(main)}, which is not there`,
      { advice: ["README.md of a new gateway has its lines: npm create pointsman@latest"] },
    );
  /** @type {Map<string, Module>} */
  const beside = new Map();
  const configuration = join(project.state, MODULE);

  /** @type {import("esbuild").Plugin} */
  const plugin = {
    name: "modules beside",
    setup({ onResolve, resolve: resolveAs }) {
      onResolve({ filter: new RegExp(`/${MODULE.replace(".", "\\.")}$`) }, ({ path, resolveDir }) =>
        resolve(resolveDir, path) === configuration ? { path: `./${MODULE}`, external: true } : undefined,
      );
      for (const [filter, type] of RULES) {
        onResolve({ filter }, async ({ path, resolveDir, kind, importer, pluginData }) => {
          if (pluginData === plugin) return undefined;
          const plain = path.replace(/\?module$/, "");
          const found = await resolveAs(plain, { resolveDir, kind, importer, pluginData: plugin });
          if (found.errors.length > 0) return { errors: found.errors };
          const held = beside.get(found.path);
          const name = held ? basename(held.path) : `${beside.size}-${basename(found.path)}`;
          const bytes = new Uint8Array(readFileSync(found.path));
          const contents = type === "Text" ? new TextDecoder().decode(bytes) : bytes;
          beside.set(found.path, { type, path: join(MODULES_ROOT, name), contents });
          return { path: `./${name}`, external: true };
        });
      }
    },
  };

  const result = await tools
    .esbuild()
    .build({
      entryPoints: [main],
      absWorkingDir: project.root,
      bundle: true,
      write: false,
      metafile: true,
      format: "esm",
      target: "es2024",
      // As wrangler has them.
      conditions: ["workerd", "worker", "browser"],
      define: { "process.env.NODE_ENV": '"development"', ...define },
      external: ["cloudflare:*", "node:*"],
      sourcemap: "inline",
      sourcesContent: false,
      plugins: [plugin],
      logLevel: "silent",
    })
    .catch((/** @type {import("esbuild").BuildFailure} */ { errors, message }) => {
      const faults = errors?.map(({ text, location }) =>
        location ? `${location.file}:${location.line}: ${text}` : text,
      ) ?? [message];
      throw new Failure(`${shown(main)} cannot be bundled`, { advice: faults });
    });

  const script = result.outputFiles[0].text;
  return {
    modules: [{ type: "ESModule", path: join(MODULES_ROOT, "index.js"), contents: script }, ...beside.values()],
    // What is installed changes with an installation, and that wants a new start.
    sources: Object.keys(result.metafile.inputs)
      .filter((file) => !file.includes("node_modules/"))
      .map((file) => resolve(project.root, file)),
  };
}
