// The processes that a benchmark starts. Whatever ends it, they end with it.
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";

const running = new Set();

/** Ends the child when this process ends. */
export function adopt(child) {
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

export const start = (program, args, options) => adopt(spawn(program, args, options));

export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

export const endAll = () => Promise.all([...running].map(end));

const folders = new Set();

/** Removes the folder when this process ends, if nobody did before. */
export const discard = (folder) => folders.add(folder);

export function remove(folder) {
  folders.delete(folder);
  rmSync(folder, { recursive: true, force: true });
}

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  for (const folder of folders) remove(folder);
});
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));
process.on("SIGHUP", () => process.exit(129));
