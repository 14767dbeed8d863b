import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** @type {(...parts: string[]) => string} */
export const inRoot = (...parts) => join(ROOT, ...parts);

/**
 * A program that an npm package of ours brings along.
 * @type {(name: string) => string}
 */
export const npmBin = (name) => inRoot("node_modules", ".bin", name);

/** Where compiled tools live. Outside the clone, so that several clones share them. */
export function toolsFolder(env = process.env) {
  return env.POINTSMAN_TOOLS || join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), ".cache"), "pointsman");
}

/**
 * A path as the reader would write it.
 * @param {string} path
 */
export function tilde(path, env = process.env) {
  const home = env.HOME || homedir();
  return home && path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}
