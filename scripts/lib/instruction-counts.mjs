// The step of `npm test` that holds what the hot path of the core takes.
import { readFileSync } from "node:fs";
import { clear, progress } from "../../bench/lib/progress.mjs";
import { BASELINE, changes, instructions, otherToolchain, toolchain } from "../../bench/parts/instructions.mjs";
import { Failure } from "./failure.mjs";
import { say, warn } from "./say.mjs";
import { needValgrind } from "./valgrind.mjs";

/** @import { Counts } from "../../bench/parts/instructions.mjs" */

const ADVICE = [
  "",
  "Meant, or fewer: write them down, and commit that with what changed them:",
  "  npm run bench -- --only=instructions --accept",
  "Not meant: undo what changed them. Where they were written down by mistake:",
  "  git restore bench/instructions.json docs/performance.md",
];

/**
 * What the step goes by; tests give their own.
 * @typedef {object} Means
 * @property {Counts} before what was written down
 * @property {string} on the toolchain
 * @property {() => Promise<void>} valgrind
 * @property {() => Promise<Counts>} count
 * @property {boolean} ci
 * @property {(text: string) => void} tell
 */

/**
 * Counts, and fails where a count is not what was written down. Says so where nothing can be held: counts of another
 * toolchain are other counts, and not every system has valgrind. CI has to have it.
 * @param {Partial<Means>} [means]
 */
export async function holdInstructions({
  before = written(),
  on = toolchain(),
  valgrind = needValgrind,
  count = counted,
  ci = process.env.CI === "true",
  tell = warn,
} = {}) {
  const other = otherToolchain(before, on);
  if (other) return notHeld(tell, other);
  try {
    await valgrind();
  } catch (error) {
    if (ci || !(error instanceof Failure)) throw error;
    return notHeld(tell, error.message);
  }
  const { changed } = changes(await count(), before);
  if (changed.length > 0)
    throw new Failure("the core takes other numbers of instructions than bench/instructions.json says", {
      advice: [...changed, ...ADVICE],
    });
  return say(`${Object.keys(before.counts).length} counts, all as bench/instructions.json says`);
}

/** @type {() => Counts} */
const written = () => JSON.parse(readFileSync(BASELINE, "utf8"));
/** @type {(tell: (text: string) => void, why: string) => void} */
const notHeld = (tell, why) => tell(`instruction counts were not held: ${why}`);
const counted = () => instructions({ progress: progress() }).finally(clear);
