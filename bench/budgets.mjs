// What each figure may be. A budget is missed only where the figure is above it by more than the noise that was measured
// in the same run.

/** @import { Budget, Figure, Results } from "./types.d.ts" */

/**
 * @typedef {(results: Results) => Figure | undefined} Read
 * @typedef {Budget & { figure: Read, noise?: (results: Results) => number | undefined }} Measured
 */

const KIB = 1024;
const MIB = 1024 * KIB;

/** @type {(results: Results, id: string) => Figure | undefined} */
const row = (results, id) => results["side-by-side"]?.rows.find((each) => each.id === id)?.ratio;
/** @type {(results: Results, id: string, other: string) => Figure | undefined} */
const pair = (results, id, other) =>
  results["side-by-side"]?.pairs.find((each) => each.id === id && each.other === other)?.ratio;
/** @type {(results: Results, of: string) => Figure | undefined} */
const last = (results, of) => results.scaling?.series.find((series) => series.of === of)?.points.at(-1)?.ratio;
/** @type {(value: number | undefined) => Figure | undefined} */
const exact = (value) => (value === undefined ? undefined : { median: value, low: value, high: value });

/** @type {(title: string, budget: number, stretch: number | undefined, figure: Read) => Measured} */
const beside = (title, budget, stretch, figure) => ({
  title,
  unit: "ratio",
  budget,
  stretch,
  figure,
  noise: (results) => results["side-by-side"]?.noise,
});
/** @type {(title: string, figure: Read, noise: Measured["noise"]) => Measured} */
const scaled = (title, figure, noise) => ({ title, unit: "ratio", budget: 1.1, figure, noise });

/**
 * The first answer of a new isolate. The spread itself is the noise.
 * @param {string} title
 * @param {"cpu" | "answer"} what
 * @param {number} budget
 * @param {number} stretch
 * @returns {Measured}
 */
function first(title, what, budget, stretch) {
  /** @type {Read} */
  const own = ({ cold }) => cold?.rows.find(({ id }) => id === "own")?.[what];
  /** @type {Measured["noise"]} */
  const spreadOfOwn = (results) => {
    const figure = own(results);
    return figure && spreadOf(figure);
  };
  return { title, unit: "ms", budget, stretch, figure: own, noise: spreadOfOwn };
}

/**
 * Wasm memory with everybody loaded, and loaded anew: it never shrinks, so that is the most of any moment.
 * @type {(size: number, budget: number) => Measured}
 */
const memoryOfAll = (size, budget) => ({
  title: `wasm memory with ${size.toLocaleString("en-US").replaceAll(",", " ")} keys and customers loaded`,
  unit: "bytes",
  budget: budget * MIB,
  figure: ({ directory }) => exact(directory?.points.find(({ customers }) => customers === size)?.anew),
});

/** @type {Measured[]} */
export const BUDGETS = [
  beside("API key, customer, against the bare pass-through", 0.95, 0.8, (results) => row(results, "own, key")),
  beside("JWT seen before, customer, against the bare pass-through", 0.95, 0.8, (results) =>
    row(results, "own, token seen"),
  ),
  beside("ES256 token never seen, against the bare pass-through", 1.6, 1.4, (results) =>
    row(results, "own, token new"),
  ),
  beside("ES256 token never seen, against Hono + jose", 1, undefined, (results) =>
    pair(results, "own, token new", "hono, token new"),
  ),
  beside("API key, against Hono as usually written", 0.85, 0.7, (results) => pair(results, "own, key", "hono, key")),
  beside("JWT seen before, against Hono + jose as usually written", 0.85, 0.7, (results) =>
    pair(results, "own, token seen", "hono, token seen"),
  ),
  beside("API key, against Hono tuned", 1.05, 0.9, (results) => pair(results, "own, key", "tuned, key")),
  beside("JWT seen before, against Hono + jose tuned", 1.05, 0.9, (results) =>
    pair(results, "own, token seen", "tuned, token seen"),
  ),
  {
    title: "wasm, gzip -9",
    unit: "bytes",
    budget: 360 * KIB,
    stretch: 250 * KIB,
    figure: (results) => exact(results.size?.wasm.gzip),
  },
  first("CPU to the first answer of a new process, over the pass-through's", "cpu", 25, 15),
  first("time from the first request to its answer, over the pass-through's", "answer", 15, 8),
  scaled(
    "rules, 1 → 500",
    (results) => last(results, "rules"),
    (results) => results.scaling?.noise,
  ),
  scaled(
    "routes, 1 → 1000",
    (results) => last(results, "routes"),
    (results) => results.scaling?.noise,
  ),
  scaled(
    "callers and customers met, 10² → the most",
    (results) => results.flood?.points.at(-1)?.ratio,
    (results) => results.flood?.noise,
  ),
  // Of the 128 MB that an isolate has for everything.
  {
    title: "wasm memory of an isolate that has met the most callers",
    unit: "bytes",
    budget: 64 * MIB,
    figure: (results) => exact(results.flood?.points.at(-1)?.wasm),
  },
  memoryOfAll(100_000, 32),
  memoryOfAll(1_000_000, 64),
  {
    title: "CPU to load 10 000 keys and customers",
    unit: "ms",
    budget: 5,
    figure: ({ directory }) => directory?.load.milliseconds,
    noise: ({ directory }) => directory && spreadOf(directory.load.milliseconds),
  },
  {
    title: "`pointsman diff` of a million customers",
    unit: "s",
    budget: 30,
    figure: ({ diff }) => diff?.points.find(({ callers }) => callers === 1_000_000)?.seconds,
    noise: ({ diff }) => {
      const point = diff?.points.find(({ callers }) => callers === 1_000_000);
      return point && spreadOf(point.seconds);
    },
  },
  {
    title: "memory that the process took in the flood's last step",
    unit: "bytes",
    budget: 32 * MIB,
    figure: (results) => exact(results.flood && growth(results.flood)),
  },
];

/** @type {(figure: Figure) => number} */
const spreadOf = ({ median, low, high }) => (median === 0 ? 0 : (high - low) / 2 / Math.abs(median));

/** @param {NonNullable<Results["flood"]>} flood */
function growth({ points }) {
  const [before, after] = points.slice(-2);
  return after && after.resident - before.resident;
}

/**
 * What was measured against what it may be: { title, unit, budget, stretch, figure, noise, verdict }.
 * @param {Results} results
 */
export function judge(results) {
  return BUDGETS.flatMap(({ figure: read, noise, ...budget }) => {
    const figure = read(results);
    if (!figure) return [];
    const share = noise?.(results) ?? 0;
    return [{ ...budget, figure, noise: share, verdict: verdict(figure.median, share, budget) }];
  });
}

/**
 * @param {number} value
 * @param {number} noise
 * @param {Budget} budget
 * @returns {"met, stretch too" | "met" | "within noise" | "missed"}
 */
function verdict(value, noise, { budget, stretch }) {
  if (stretch !== undefined && value <= stretch) return "met, stretch too";
  if (value <= budget) return "met";
  return value * (1 - noise) <= budget ? "within noise" : "missed";
}
