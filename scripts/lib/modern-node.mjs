import { spawn } from "node:child_process";
import { delimiter } from "node:path";
import { inRoot, npmBin } from "./paths.mjs";
import { NODE_MINIMUM } from "./versions.mjs";

/** @type {NodeJS.Signals[]} */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * @param {string} version
 * @param {number[]} [minimum]
 */
export function newEnough(version, [major, minor] = NODE_MINIMUM) {
  const [a, b] = version.replace(/^v/, "").split(".").map(Number);
  return a > major || (a === major && b >= minor);
}

/** The npm packages' programs first on PATH, so that `node` is the new one for every child too. */
export function withNpmBins(env = process.env) {
  const folder = inRoot("node_modules", ".bin");
  const rest = (env.PATH ?? "").split(delimiter).filter((entry) => entry && entry !== folder);
  return { ...env, PATH: [folder, ...rest].join(delimiter) };
}

/** Runs the calling script again under the Node that npm brought, if the system's is too old. Needs node_modules. */
export async function underModernNode() {
  process.env.PATH = withNpmBins().PATH;
  if (newEnough(process.version)) return;
  const child = spawn(npmBin("node"), process.argv.slice(1), { stdio: "inherit" });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  const code = await new Promise((resolve) => child.on("close", (status) => resolve(status ?? 1)));
  process.exit(code);
}
