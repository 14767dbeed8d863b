// On what it was measured.
import { cpus, totalmem } from "node:os";
import { npmBin } from "../../scripts/lib/paths.mjs";
import { ask } from "../../scripts/lib/run.mjs";

export function machine() {
  const [{ model }] = cpus();
  return {
    cpu: `${cpus().length} × ${model.trim()}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
    node: process.version,
    workerd: ask(npmBin("workerd"), ["--version"]),
    commit: ask("git", ["describe", "--always", "--dirty"]),
  };
}
