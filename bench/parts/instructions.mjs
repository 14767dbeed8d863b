// How many instructions the core takes for each thing on the hot path, counted by valgrind: the same on every machine
// with the same toolchain, so a change of a few percent is a change of the code. `npm test` holds them.
import { spawnSync } from "node:child_process";
import { Failure } from "../../scripts/lib/failure.mjs";
import { inRoot, ROOT } from "../../scripts/lib/paths.mjs";
import { ask } from "../../scripts/lib/run.mjs";
import { needValgrind } from "../../scripts/lib/valgrind.mjs";

export const BASELINE = inRoot("bench", "instructions.json");
/** More or less than this share is a change. The same program differs by some 0.2 %: maps of the standard library are seeded at random. */
const TOLERANCE = 0.03;
/** What comes before the first of these, and all that is done once, falls out of the difference. */
const [FEW, MANY] = [200, 1200];

/**
 * What was compiled with, and instructions by name.
 * @typedef {{ compiler: string, counts: Record<string, number> }} Counts
 */

/**
 * Counts everything.
 * @param {{ progress: (text: string) => void }} means
 * @returns {Promise<Counts>}
 */
export async function instructions({ progress }) {
  await needValgrind();
  progress("compiling what is counted");
  const program = compile();
  /** @type {Record<string, number>} */
  const counts = {};
  const names = ask(program, ["--names"]);
  if (names === undefined) throw new Failure("the program to count does not say what it counts");
  for (const name of JSON.parse(names)) {
    progress(`counting ${name}`);
    counts[name] = Math.round((count(program, name, MANY) - count(program, name, FEW)) / (MANY - FEW));
  }
  return { compiler: toolchain(), counts };
}

/**
 * What counts depend on beside the code: the compiler, what it compiles for, and the C library, whose allocator and
 * copying are a quarter of a decision.
 */
export function toolchain() {
  const rustc = ask("rustc", ["-vV"])?.split("\n") ?? [];
  const host = rustc.find((line) => line.startsWith("host: "))?.slice("host: ".length);
  return [rustc[0], host, ask("getconf", ["GNU_LIBC_VERSION"])].filter(Boolean).join(", ");
}

function compile() {
  const args = [
    "build",
    "--release",
    "--package",
    "pointsman-benches",
    "--bin",
    "count",
    "--message-format=json-render-diagnostics",
  ];
  const { status, stdout } = spawnSync("cargo", args, {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Failure("the program to count did not compile");
  const made = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .findLast(({ target, executable }) => target?.name === "count" && executable);
  return made.executable;
}

/**
 * @param {string} program
 * @param {string} name
 * @param {number} times
 */
function count(program, name, times) {
  const args = ["--tool=callgrind", "--callgrind-out-file=/dev/null", program, name, `${times}`];
  const { status, stderr } = spawnSync("valgrind", args, { cwd: ROOT, encoding: "utf8" });
  const collected = /Collected\s*:\s*(\d+)/.exec(stderr)?.[1];
  if (status !== 0 || collected === undefined)
    throw new Failure(`valgrind could not count ${name}`, { advice: stderr.split("\n").slice(-10) });
  return Number(collected);
}

/**
 * Why counts of `compiler` cannot be compared with those that were written down; undefined where they can.
 * @type {(before: Counts, compiler: string) => string | undefined}
 */
export const otherToolchain = (before, compiler) =>
  before.compiler === compiler ? undefined : `bench/instructions.json is of ${before.compiler}, this is ${compiler}`;

/**
 * What takes more or fewer instructions than `before`, which was written down; nothing where that was another toolchain.
 * @param {Counts} now
 * @param {Counts | undefined} before
 * @returns {{ judged: boolean, why?: string, changed: string[] }}
 */
export function changes({ compiler, counts }, before) {
  if (!before) return { judged: false, why: "nothing is written down yet", changed: [] };
  const why = otherToolchain(before, compiler);
  if (why) return { judged: false, why, changed: [] };
  const names = [...new Set([...Object.keys(before.counts), ...Object.keys(counts)])];
  return { judged: true, changed: names.flatMap((name) => change(name, before.counts[name], counts[name]) ?? []) };
}

/**
 * @param {string} name
 * @param {number | undefined} before
 * @param {number | undefined} after
 */
function change(name, before, after) {
  if (before === undefined || after === undefined) return `${name}: ${before ?? "none"} → ${after ?? "none"}`;
  const difference = after - before;
  if (Math.abs(difference) <= before * TOLERANCE) return undefined;
  const percent = ((100 * Math.abs(difference)) / before).toFixed(1);
  return `${name}: ${before} → ${after} (${difference > 0 ? "+" : "−"}${percent} %)`;
}
