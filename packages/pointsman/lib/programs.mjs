// Programs that the wasm starts, with temporary files as their standard streams. It waits for them, so this does.
import { fileURLToPath } from "node:url";
import { reason } from "./reason.mjs";
import { withCopies } from "./temporary.mjs";

/**
 * @typedef {{
 *   name: string, arguments: string[], variables: Record<string, string>, firstInPath: string | null,
 *   input: number | null, output: number, errors: number | null,
 * }} Program
 *
 * A program as it is started. Files are numbers: of those that are open here, or in run-together.mjs of those there.
 * @typedef {{ file: string, args: string[], env: NodeJS.ProcessEnv, stdio: (number | "ignore" | "inherit")[] }} Start
 *
 * @typedef {{ success: boolean, how: string } | { error: string }} Ended
 */

const STANDARD_STREAMS = 3;

/**
 * @param {Program} program
 * @param {number | null} input
 * @returns {Start}
 */
function described({ name, arguments: args, variables, firstInPath, output, errors }, input) {
  const path = firstInPath === null ? {} : { PATH: [firstInPath, process.env.PATH].filter(Boolean).join(":") };
  return {
    // The Node that runs this is new enough for what the command line has Node do.
    file: name === "node" ? process.execPath : name,
    args,
    env: { ...process.env, ...variables, ...path },
    stdio: [input ?? "ignore", output, errors ?? "inherit"],
  };
}

/**
 * How a program ended, as the native command line says it.
 * @param {{ status: number | null, signal: NodeJS.Signals | null, error?: Error }} end
 * @returns {Ended}
 */
export function toEnded({ status, signal, error }) {
  if (error !== undefined) return { error: reason(error) };
  if (signal === null) return { success: status === 0, how: `exit status: ${status}` };
  const number = process.getBuiltinModule("node:os").constants.signals[signal];
  return { success: false, how: `signal: ${number} (${signal})` };
}

/**
 * Starts all at once and waits for the last. Node waits for one program only, so another Node starts several.
 * @param {Start[]} starts
 * @returns {Ended[]}
 */
function runTogether(starts) {
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  /** @type {number[]} */
  const files = [];
  /** @type {(stream: number | "ignore" | "inherit") => number | "ignore" | "inherit"} */
  const numberThere = (stream) => (typeof stream === "number" ? STANDARD_STREAMS - 1 + files.push(stream) : stream);
  const there = starts.map((start) => ({ ...start, stdio: start.stdio.map(numberThere) }));
  const { error, status, stdout } = spawnSync(
    process.execPath,
    [fileURLToPath(new URL("run-together.mjs", import.meta.url))],
    { input: JSON.stringify(there), stdio: ["pipe", "pipe", "inherit", ...files] },
  );
  if (error !== undefined || status !== 0) throw error ?? new Error(`several programs at once: exit status ${status}`);
  return JSON.parse(stdout.toString());
}

/**
 * Starts all programs and waits until the last has ended.
 * @param {Program[]} programs
 * @returns {Ended[]}
 */
export function runAll(programs) {
  const inputs = programs.map(({ input }) => input);
  return withCopies(inputs, (copies) => {
    const starts = programs.map((program, index) => described(program, copies[index]));
    if (starts.length > 1) return runTogether(starts);
    const { spawnSync } = process.getBuiltinModule("node:child_process");
    return starts.map(({ file, args, env, stdio }) => toEnded(spawnSync(file, args, { env, stdio })));
  });
}
