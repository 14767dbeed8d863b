// Starts several programs at once: reads them from standard input, as JSON, and writes how they ended. programs.mjs calls it.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { toEnded } from "./programs.mjs";

/** @import { Ended, Start } from "./programs.mjs" */

/**
 * @param {Start} start
 * @returns {Promise<Ended>}
 */
const run = ({ file, args, env, stdio }) =>
  new Promise((resolve) => {
    const child = spawn(file, args, { env, stdio });
    child.on("error", (error) => resolve(toEnded({ status: null, signal: null, error })));
    child.on("close", (status, signal) => resolve(toEnded({ status, signal })));
  });

/** @type {Start[]} */
const starts = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(await Promise.all(starts.map(run))));
