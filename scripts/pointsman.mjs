// npm run pointsman -- …: the command line. What it prints on stdout is its own, so that
//   npm run --silent pointsman -- keys list --local --json | jq
// works: what this script has to say goes to stderr.
import { spawn } from "node:child_process";
import { Failure, main } from "./lib/failure.mjs";
import { underModernNode } from "./lib/modern-node.mjs";
import { npmPackages } from "./lib/npm-packages.mjs";
import { freshPointsman } from "./lib/pointsman.mjs";
import { needRust } from "./lib/rust.mjs";
import { sayOnStderr } from "./lib/say.mjs";

/** @type {NodeJS.Signals[]} */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

await main(async () => {
  sayOnStderr();
  await needRust();
  await npmPackages();
  await underModernNode();
  const program = await freshPointsman();
  // Paths are meant from where npm was called, not from where it found package.json.
  const cwd = process.env.INIT_CWD || process.cwd();
  const child = spawn(program, process.argv.slice(2), { cwd, stdio: "inherit" });
  // Ctrl-C reaches both; how to end is the program's decision.
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  process.exitCode = await new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new Failure(`can't run ${program}: ${error.message}`)));
    child.on("close", (code) => resolve(code ?? 1));
  });
});
