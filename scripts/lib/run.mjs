import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { Failure } from "./failure.mjs";
import { ROOT } from "./paths.mjs";
import { progressLine } from "./say.mjs";

/** @typedef {{ env?: NodeJS.ProcessEnv, cwd?: string, timeout?: number }} RunOptions */

/**
 * The full path of a program on PATH, or undefined.
 * @param {string} program
 * @param {NodeJS.ProcessEnv} [env]
 */
export function which(program, env = process.env) {
  for (const folder of (env.PATH || "").split(delimiter).filter(Boolean)) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

// Enough for what a tool says on failing, however long its usage text; little enough for a build that prints for hours.
const KEPT_LINES = 400;

/**
 * What a quick command prints, trimmed; undefined when it is missing or fails.
 * @param {string} program
 * @param {string[]} args
 * @param {RunOptions} [options]
 */
export function ask(program, args, { env = process.env, cwd = ROOT, timeout = 20_000 } = {}) {
  const answer = spawnSync(program, args, { cwd, env, timeout, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  return answer.status === 0 ? answer.stdout.trim() : undefined;
}

/**
 * Runs a long command behind a progress line and keeps its last lines for the case that it fails.
 * Resolves to { ok, tail, timedOut }: whether a failure is the end is for the caller to say.
 * @param {string} program
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<{ ok: boolean, timedOut: boolean, tail: string[] }>}
 */
export function attempt(program, args, { env = process.env, cwd = ROOT, timeout = 0 } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    const progress = progressLine();
    /** @type {string[]} */
    const tail = [];
    let timedOut = false;
    const kill = () => {
      timedOut = true;
      child.kill("SIGKILL");
    };
    const timer = timeout > 0 ? setTimeout(kill, timeout) : undefined;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
        const lines = text.split(/[\r\n]+/).filter((line) => line.trim());
        tail.push(...lines);
        tail.splice(0, Math.max(0, tail.length - KEPT_LINES));
        if (lines.length) progress.update(lines[lines.length - 1]);
      });
    }
    /** @type {(ok: boolean, extra?: string[]) => void} */
    const end = (ok, extra = []) => {
      clearTimeout(timer);
      progress.end();
      resolve({ ok, timedOut, tail: [...tail, ...extra] });
    };
    child.on("error", (error) => end(false, [error.message]));
    child.on("close", (code) => end(code === 0));
  });
}

/**
 * As `attempt`, but a failure ends the script, with the command's last words.
 * @param {string} what
 * @param {string} program
 * @param {string[]} args
 * @param {RunOptions & { advice?: string | string[] }} [options]
 */
export async function must(what, program, args, { advice = [], ...options } = {}) {
  const { ok, tail, timedOut } = await attempt(program, args, options);
  if (ok) return;
  throw new Failure(`${what} ${timedOut ? "took too long" : "failed"}: ${program} ${args.join(" ")}`, {
    advice: [...tail.slice(-25), "", ...[advice].flat()],
  });
}

/**
 * Runs a command whose output the reader should see as it comes. Resolves to its exit code.
 * @param {string} program
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<number>}
 */
export function show(program, args, { env = process.env, cwd = ROOT } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", (error) => reject(new Failure(`can't run ${program}: ${error.message}`)));
    child.on("close", (code, signal) => resolve(signal ? 1 : (code ?? 1)));
  });
}
