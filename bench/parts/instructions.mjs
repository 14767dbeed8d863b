// How many instructions the core takes for each thing on the hot path, counted by valgrind: the same on every machine
// with the same compiler, so a change of a few percent is a change of the code.
import { existsSync, readFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { aptInstall, haveApt } from "../../scripts/lib/apt.mjs";
import { Failure } from "../../scripts/lib/failure.mjs";
import { ROOT, inRoot } from "../../scripts/lib/paths.mjs";
import { ask, which } from "../../scripts/lib/run.mjs";

export const BASELINE = inRoot("bench", "instructions.json");
/** More or less than this share is a change. */
const TOLERANCE = 0.03;
/** What comes before the first of these, and all that is done once, falls out of the difference. */
const [FEW, MANY] = [200, 1200];

/** { compiler, counts: { name: instructions } } */
export async function instructions({ progress }) {
  await needValgrind();
  progress("compiling what is counted");
  const program = compile();
  const counts = {};
  for (const name of JSON.parse(ask(program, ["--names"]))) {
    progress(`counting ${name}`);
    counts[name] = Math.round((count(program, name, MANY) - count(program, name, FEW)) / (MANY - FEW));
  }
  return { compiler: ask("rustc", ["--version"]), counts };
}

async function needValgrind() {
  if (which("valgrind")) return;
  if (!haveApt()) throw new Failure("no valgrind, which counts the instructions", { advice: ["Install valgrind, then try again."] });
  console.error("valgrind, which counts the instructions: Debian's package (by apt-get)");
  await aptInstall(["valgrind"], "Counting instructions");
}

function compile() {
  const args = ["build", "--release", "--features", "count", "--bin", "count", "--message-format=json-render-diagnostics"];
  const { status, stdout } = spawnSync("cargo", args, { cwd: ROOT, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] });
  if (status !== 0) throw new Failure("the program to count did not compile");
  const made = stdout.trim().split("\n").map((line) => JSON.parse(line)).findLast(({ target, executable }) => target?.name === "count" && executable);
  return made.executable;
}

function count(program, name, times) {
  const args = ["--tool=callgrind", "--callgrind-out-file=/dev/null", program, name, `${times}`];
  const { status, stderr } = spawnSync("valgrind", args, { cwd: ROOT, encoding: "utf8" });
  const collected = /Collected\s*:\s*(\d+)/.exec(stderr)?.[1];
  if (status !== 0 || collected === undefined) throw new Failure(`valgrind could not count ${name}`, { advice: stderr.split("\n").slice(-10) });
  return Number(collected);
}

/** What takes more or fewer instructions than was written down; nothing where that was another compiler. */
export function changes({ compiler, counts }) {
  if (!existsSync(BASELINE)) return { judged: false, why: "nothing is written down yet", changed: [] };
  const before = JSON.parse(readFileSync(BASELINE, "utf8"));
  if (before.compiler !== compiler) return { judged: false, why: `bench/instructions.json is of ${before.compiler}, this is ${compiler}`, changed: [] };
  const names = [...new Set([...Object.keys(before.counts), ...Object.keys(counts)])];
  const differs = (name) => !(Math.abs((counts[name] ?? 0) / (before.counts[name] ?? 0) - 1) <= TOLERANCE);
  return { judged: true, changed: names.filter(differs).map((name) => `${name}: ${before.counts[name] ?? "none"} → ${counts[name] ?? "none"}`) };
}
