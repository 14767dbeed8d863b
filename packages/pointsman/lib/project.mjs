// The user's repository: where its files are, and the packages that are installed in it.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { Failure } from "./failure.mjs";

/** In the order in which wrangler looks for them. */
const WRANGLER_FILES = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];
const GATEWAY_FILE = "gateway.toml";

/**
 * @typedef {object} Project
 * @property {string} root the folder with wrangler's file
 * @property {string} gateway the path of gateway.toml
 * @property {string} wrangler the path of wrangler's file
 * @property {string | undefined} environment of wrangler's file; the top level where there is none
 * @property {string} state what is kept between runs and never committed
 */

/**
 * Finds the project of a folder, or of one above it.
 * @param {{ cwd?: string, environment?: string }} [where]
 * @returns {Project}
 */
export function findProject({ cwd = process.cwd(), environment = process.env.CLOUDFLARE_ENV } = {}) {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const wrangler = WRANGLER_FILES.map((name) => join(folder, name)).find(existsSync);
    if (wrangler) {
      const gateway = join(folder, GATEWAY_FILE);
      if (!existsSync(gateway))
        throw new Failure(`${folder} has no ${GATEWAY_FILE}`, {
          advice: ["A new gateway: npm create pointsman@latest my-gateway"],
        });
      return {
        root: folder,
        gateway,
        wrangler,
        environment: environment || undefined,
        state: join(folder, ".pointsman"),
      };
    }
    if (folder === dirname(folder)) break;
  }
  throw new Failure(`there is no ${WRANGLER_FILES.at(-1)} in ${cwd}, nor in a folder above it`, {
    advice: ["Run this in the folder of your gateway. A new one: npm create pointsman@latest my-gateway"],
  });
}

/**
 * A path as the user would write it.
 * @param {string} path
 */
export const shown = (path) => {
  const near = relative(process.cwd(), path);
  return near === "" ? "." : near.startsWith("..") ? path : near;
};

/**
 * wrangler, and what it is made of: the runtime and the bundler are not dependencies of ours, so that local runs use the very
 * ones that deploy.
 * @param {Project} project
 */
export function toolsOf({ root }) {
  // It would tell of each file that it reads.
  process.env.WRANGLER_LOG ??= "error";
  process.env.WRANGLER_SEND_METRICS ??= "false";
  const require = createRequire(join(root, "package.json"));
  let entry;
  try {
    entry = require.resolve("wrangler");
  } catch {
    throw new Failure("wrangler is not installed in this project", { advice: ["npm install --save-dev wrangler"] });
  }
  const within = createRequire(entry);
  return {
    /** @returns {Wrangler} */
    wrangler: () => require("wrangler"),
    /** @returns {typeof import("miniflare")} */
    miniflare: () => within("miniflare"),
    /** @returns {typeof import("esbuild")} */
    esbuild: () => within("esbuild"),
    /** The program, to be run by this Node. */
    program: join(dirname(dirname(entry)), "bin", "wrangler.js"),
    /** @type {() => string} */
    version: () => require("wrangler/package.json").version,
  };
}

/** @typedef {ReturnType<typeof toolsOf>} Tools */

/**
 * What is used of wrangler as a library. These names are `unstable_` there: the package says which versions it knows.
 * @typedef {object} Wrangler
 * @property {(args: { config: string, env?: string }, options?: { hideWarnings?: boolean }) => WranglerConfig} unstable_readConfig
 * @property {(config: WranglerConfig, env?: string) => { workerOptions: Record<string, unknown>, main?: string,
 *   define: Record<string, string>, externalWorkers: object[] }} unstable_getMiniflareWorkerOptions
 */

/**
 * What is read of wrangler's file, of its environment where one is chosen.
 * @typedef {object} WranglerConfig
 * @property {string} [name]
 * @property {string} [main]
 * @property {string} [compatibility_date]
 * @property {Record<string, unknown>} vars
 * @property {{ required?: string[] }} [secrets]
 * @property {{ binding: string, id?: string }[]} kv_namespaces
 * @property {{ bindings: { name: string, class_name: string, script_name?: string }[] }} durable_objects
 * @property {{ crons?: string[] }} triggers
 * @property {(string | { pattern: string })[]} [routes]
 * @property {boolean} [workers_dev]
 */
