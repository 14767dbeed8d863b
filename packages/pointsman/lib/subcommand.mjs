// The command line as a program of its own: `pointsman check` and the like, for the commands that are made of several.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Failure } from "./failure.mjs";

const PROGRAM = fileURLToPath(new URL("../bin/pointsman.mjs", import.meta.url));

/**
 * Runs it, and takes what it prints.
 * @param {string[]} args
 * @param {{ cwd: string, input?: string, signal?: AbortSignal }} options
 * @returns {Promise<{ code: number, out: string, err: string }>}
 */
export function ask(args, { cwd, input = "", signal }) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { cwd, signal });
    const ended = { code: 1, out: "", err: "" };
    child.stdout.setEncoding("utf8").on("data", (text) => (ended.out += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (ended.err += text));
    child.on("error", (error) => reject(new Failure(`can't run the command line: ${error.message}`)));
    child.on("close", (code) => resolve({ ...ended, code: code ?? 1 }));
    // A command that reads nothing may be gone before this is written.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

/**
 * Runs it with the terminal's own streams. Resolves to its exit code.
 * @param {string[]} args
 * @param {{ cwd: string }} options
 * @returns {Promise<number>}
 */
export function show(args, { cwd }) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { cwd, stdio: "inherit" });
    child.on("error", (error) => reject(new Failure(`can't run the command line: ${error.message}`)));
    child.on("close", (code) => resolve(code ?? 1));
  });
}
