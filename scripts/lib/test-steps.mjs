import { existsSync } from "node:fs";
import { needSameBytes } from "./build-again.mjs";
import { chromium } from "./chromium.mjs";
import { buildCli } from "./cli-build.mjs";
import { buildConsole } from "./console-build.mjs";
import { Failure } from "./failure.mjs";
import { holdInstructions } from "./instruction-counts.mjs";
import { checkLints, checkTypes } from "./javascript.mjs";
import { inRoot } from "./paths.mjs";
import { buildPointsman, needGoodConfiguration } from "./pointsman.mjs";
import { show } from "./run.mjs";
import { testFiles } from "./test-files.mjs";
import { buildWorker } from "./worker-build.mjs";

/** @type {(program: string, ...args: string[]) => (environment?: Record<string, string>) => Promise<void>} */
const command =
  (program, ...args) =>
  async (environment = {}) => {
    const code = await show(program, args, { env: { ...process.env, ...environment } });
    if (code !== 0) throw new Failure(`exit code ${code}: ${[program, ...args].join(" ")}`);
  };
/** @type {(...args: string[]) => ReturnType<typeof command>} */
const cargo = (...args) => command("cargo", ...args);

/** What the tests in JavaScript use, and what makes it. */
const BUILT = {
  "index.js": "npm run build",
  "console/index.js": "npm run build -- --console",
  "cli/pointsman.wasm": "npm run build -- --cli",
};
// A test that never ends, or a file whose servers stay open after its last test, must not hold up all others.
const LIMITS = ["--test-timeout=900000", "--test-force-exit"];

/**
 * The tests in these folders, in Node: one file after the other, or two at once where no test measures how soon something
 * happens.
 * @param {string[]} folders
 * @param {number} [atOnce]
 */
const nodeTests =
  (folders, atOnce = 1) =>
  async () => {
    const files = testFiles(folders.map((folder) => `${folder}/**/*.test.mjs`));
    for (const [file, advice] of Object.entries(BUILT))
      if (!existsSync(inRoot("build", file))) throw new Failure(`build/${file} is missing`, { advice: [advice] });
    await command(
      process.execPath,
      "--test",
      `--test-concurrency=${atOnce}`,
      ...LIMITS,
      ...files,
    )({ CHROMIUM_BIN: await chromium() });
  };

/**
 * All that `npm test` does, in order. `part` is what --only= chooses by. What stands `alone` makes nothing that a later step
 * needs: those run after its failure, so that one run tells all.
 * @type {{ part: string, name: string, alone?: boolean, run: () => unknown }[]}
 */
export const STEPS = [
  // First: they take seconds.
  { part: "javascript", name: "format and lint of the JavaScript", run: checkLints },
  { part: "javascript", name: "types of the JavaScript", run: checkTypes },
  { part: "native", name: "format", run: () => cargo("fmt", "--check")() },
  {
    part: "native",
    name: "lint",
    run: () => cargo("clippy", "--all-targets", "--all-features", "--", "-D", "warnings")(),
  },
  {
    // Debian's wasm toolchain has no clippy, so what is for wasm alone is linted as if it were native code, under a cfg of its
    // own: the edge, and how the command line asks JavaScript.
    part: "native",
    name: "lint of the edge",
    run: () =>
      cargo(
        "clippy",
        "--package",
        "pointsman",
        "--package",
        "pointsman-js",
        "--package",
        "pointsman-ledger-wasm",
        "--package",
        "pointsman-cli",
        "--lib",
        "--bins",
        "--",
        "-D",
        "warnings",
      )({
        RUSTFLAGS: "--cfg edge_check",
        CARGO_TARGET_DIR: inRoot("target", "edge-check"),
      }),
  },
  { part: "native", name: "native tests", run: () => cargo("test", "--all-features")() },
  {
    part: "native",
    name: "configuration",
    run: async () => {
      await buildPointsman();
      needGoodConfiguration();
    },
  },
  { part: "native", name: "instruction counts", run: () => holdInstructions() },
  { part: "wasm", name: "wasm build", run: () => buildWorker() },
  { part: "wasm", name: "wasm build of the console", run: () => buildConsole() },
  { part: "wasm", name: "wasm build of the command line", run: () => buildCli() },
  {
    part: "wasm",
    name: "deploy, dry run",
    run: () =>
      command(
        "wrangler",
        "deploy",
        "--dry-run",
        "--outdir",
        "target/deploy",
      )({ WRANGLER_SEND_METRICS: "false", CI: "true" }),
  },
  {
    part: "wasm",
    name: "deploy of the console, dry run",
    run: () =>
      command(
        "wrangler",
        "deploy",
        "--dry-run",
        "--env",
        "console",
        "--outdir",
        "target/deploy-console",
      )({ WRANGLER_SEND_METRICS: "false", CI: "true" }),
  },
  {
    part: "cli",
    name: "tests of the scripts",
    alone: true,
    run: nodeTests(["scripts", "demo", "bench", "tests/edge"]),
  },
  { part: "cli", name: "tests of the command line", alone: true, run: nodeTests(["tests/cli", "tests/cli-wasm"], 2) },
  { part: "workerd", name: "tests in workerd", alone: true, run: nodeTests(["tests/workerd"]) },
  { part: "browser", name: "tests in a browser", alone: true, run: nodeTests(["tests/browser", "tests/console"]) },
  { part: "package", name: "tests of the packages", alone: true, run: nodeTests(["tests/package"], 2) },
  { part: "clients", name: "clients of other APIs", alone: true, run: nodeTests(["tests/clients"]) },
  { part: "reproduce", name: "a second build, in another folder", alone: true, run: needSameBytes },
];

/**
 * The steps that the arguments ask for.
 * @param {string[]} args
 */
export function chosen(args) {
  const parts = [...new Set(STEPS.map(({ part }) => part))];
  const usage = `npm test [-- --only=${parts.join("|")}]`;
  /** @type {string | undefined} */
  let only;
  for (const argument of args) {
    only = /^--only=(.+)$/.exec(argument)?.[1];
    if (only === undefined || !parts.includes(only))
      throw new Failure(`unknown option ${argument}`, { advice: [usage], code: 2 });
  }
  return STEPS.filter(({ part }) => !only || part === only);
}
