// The results as tables, by part.
import { judge } from "../budgets.mjs";
import { count, figure, kibibytes, mebibytes, range, ratio, table } from "./words.mjs";

/** @import { Results } from "../types.d.ts" */

/** @param {Results} results */
export function budgets(results) {
  const rows = judge(results).map(({ title, unit, budget, stretch, figure: { median, low, high }, noise, verdict }) => [
    title,
    `≤ ${figure(budget, unit)}${stretch === undefined ? "" : ` (${figure(stretch, unit)})`}`,
    figure(median, unit),
    low === high ? "" : `${figure(low, unit)}–${figure(high, unit)}`,
    noise === 0 ? "" : `± ${(noise * 100).toFixed(0)} %`,
    verdict,
  ]);
  return table(["figure", "budget (stretch)", "measured", "quartiles", "noise", "verdict"], rows, [1, 2, 3, 4]);
}

export function sideBySide({ rows }) {
  const cells = ({ title, fields, ratio: value, microseconds, perSecond, p50, p99 }) => [
    title,
    `${fields}`,
    ratio(value.median),
    range(value),
    microseconds.toFixed(0),
    count(perSecond),
    p50.toFixed(1),
    p99.toFixed(1),
  ];
  const head = ["Worker", "fields", "CPU, ratio", "quartiles", "CPU, µs", "requests/s", "p50, ms", "p99, ms"];
  return table(head, rows.map(cells), [1, 2, 3, 4, 5, 6, 7]);
}

export function pairs({ rows, pairs }) {
  const title = (id) => rows.find((row) => row.id === id).title;
  return table(
    ["this", "against", "CPU, ratio", "quartiles"],
    pairs.map(({ id, other, ratio: value }) => [title(id), title(other), ratio(value.median), range(value)]),
    [2, 3],
  );
}

export function scaling({ series }) {
  const rows = series.flatMap(({ what, points }) =>
    points.map(({ size, ratio: value }) => [what, count(size), ratio(value.median), range(value)]),
  );
  return table(["how many", "", "CPU, ratio to the fewest", "quartiles"], rows, [1, 2, 3]);
}

/** @param {NonNullable<Results["flood"]>} flood */
export function flood({ points, calm }) {
  /** @type {(point: { wasm: number, resident: number }) => string[]} */
  const memory = ({ wasm, resident }) => [mebibytes(wasm), mebibytes(resident)];
  const rows = points.map(({ size, ratio: value, ...point }) => [
    count(size),
    ratio(value.median),
    range(value),
    ...memory(point),
  ]);
  const names = ["callers met", "CPU of a known caller, ratio", "quartiles", "wasm memory", "memory of the process"];
  return table(names, [...rows, ["100 only", "", "", ...memory(calm)]], [0, 1, 2, 3, 4]);
}

/** @param {NonNullable<Results["directory"]>} directory */
export function directory({ points }) {
  const rows = points.map(({ customers, memory, shards, bytes, before, loaded, anew, used }) => [
    count(customers),
    memory,
    count(shards),
    ...[bytes, before, loaded, anew, used].map(mebibytes),
  ]);
  const names = [
    "keys, and as many customers",
    "`memory`",
    "shards",
    "their bytes",
    "wasm memory before",
    "all loaded",
    "all loaded anew",
    "20 000 callers met",
  ];
  return table(names, rows, [0, 1, 2, 3, 4, 5, 6, 7]);
}

/** @param {NonNullable<Results["directory"]>} directory */
export function shardLoad({ load: { customers, bytes, milliseconds } }) {
  const row = [
    count(customers),
    kibibytes(bytes),
    milliseconds.median.toFixed(2),
    `${milliseconds.low.toFixed(2)}–${milliseconds.high.toFixed(2)}`,
  ];
  return table(["keys, and as many customers", "bytes", "CPU to load them, ms", "quartiles"], [row], [0, 1, 2, 3]);
}

/** @param {NonNullable<Results["diff"]>} diff */
export function diff({ points }) {
  const rows = points.map(({ what, callers, questions, differ, seconds, cpu, peak }) => [
    `${count(callers)} ${what}`,
    count(questions),
    count(differ),
    seconds.median.toFixed(1),
    `${seconds.low.toFixed(1)}–${seconds.high.toFixed(1)}`,
    cpu.median.toFixed(1),
    mebibytes(peak),
  ]);
  const names = [
    "asked about",
    "with so many requests",
    "notice it",
    "seconds",
    "quartiles",
    "seconds of CPU",
    "memory at most",
  ];
  return table(names, rows, [1, 2, 3, 4, 5, 6]);
}

/** @param {NonNullable<Results["apply"]>} apply */
export function apply({ callers, rows }) {
  const row = ({ what, seconds, customers }) => [what, count(customers), seconds.toFixed(1)];
  return table([`${count(callers)} customers`, "of which it writes", "seconds"], rows.map(row), [1, 2]);
}

export function cold({ passThrough, rows }) {
  const names = { hono: "Hono + jose", own: "Pointsman" };
  const cells = ({ median, low, high }) => [`${median.toFixed(1)}`, `${low.toFixed(1)}–${high.toFixed(1)}`];
  const body = [
    ["bare pass-through", ...cells(passThrough.cpu), ...cells(passThrough.answer)],
    ...rows.map(({ id, cpu, answer }) => [`${names[id]}, more than that`, ...cells(cpu), ...cells(answer)]),
  ];
  return table(
    ["Worker", "CPU to the first answer, ms", "quartiles", "first request to its answer, ms", "quartiles"],
    body,
    [1, 2, 3, 4],
  );
}

/** @param {NonNullable<Results["cli"]>} cli */
export function cli({ rows, size }) {
  const cells = ({ title, cpu, elapsed, ratio: value }) => [
    title,
    cpu.median.toFixed(0),
    ratio(value.median),
    range(value),
    elapsed.median.toFixed(0),
  ];
  const head = ["a start of", "CPU, ms", "ratio", "quartiles", "by the clock, ms"];
  return `${table(head, rows.map(cells), [1, 2, 3, 4])}\n\npointsman.wasm: ${kibibytes(size.raw)}, ${kibibytes(size.gzip)} by gzip -9`;
}

/** @param {NonNullable<Results["package"]>} results */
export function packaged({ rounds, saves, firstRequest, create, install, start, live, installed }) {
  const row = (title, { median, low, high }, goal) => [
    title,
    median.toFixed(1),
    `${low.toFixed(1)} – ${high.toFixed(1)}`,
    goal,
  ];
  const times = table(
    ["seconds from … to …", "median", "quartiles", "goal"],
    [
      row("`npm create` → first routed request", firstRequest, "60"),
      row("of that, `npm create`", create, ""),
      row("of that, `npm install`, packages in npm's cache", install, ""),
      row("of that, `npm start`", start, ""),
      row("save → live", live, "2"),
    ],
    [1, 2, 3],
  );
  return `${times}\n\nInstalled beside wrangler: ${(installed / 1e6).toFixed(1)} MB of at most 10. Of ${rounds} gateways and ${saves} saves.`;
}

export function size({ wasm, script }) {
  const row = (name, { raw, gzip }) => [name, kibibytes(raw), kibibytes(gzip)];
  return table(["file", "raw", "gzip -9"], [row("index_bg.wasm", wasm), row("index.js", script)], [1, 2]);
}

export function profile({ microseconds, kinds, functions }) {
  const names = {
    "pass-through": "bare pass-through",
    "plain init": "by a plain init",
    tuned: "Hono, tuned",
    own: "Pointsman",
  };
  const ids = Object.keys(microseconds);
  const row = (title, of) => [title, ...ids.map((id) => of[id].toFixed(1))];
  const columns = ids.map((_, index) => index + 1);
  const whole = table(
    ["µs of CPU a request", ...ids.map((id) => names[id])],
    [...kinds.map(({ name, microseconds: of }) => row(name, of)), row("**together**", microseconds)],
    columns,
  );
  const own = table(
    ["of ours, in wasm", "µs"],
    functions.map(({ name, microseconds: of }) => [`\`${name}\``, of.toFixed(2)]),
    [1],
  );
  return `${whole}\n\n${own}`;
}

/** Calls by name, for each kind of request that was counted. */
export function crossings(counted) {
  const kinds = Object.keys(counted);
  const ways = [
    ["out", "wasm → JavaScript"],
    ["in", "JavaScript → wasm"],
    ["runtime", "calls of the runtime"],
  ];
  const totals = ways.map(([way, title]) => [title, ...kinds.map((kind) => `${counted[kind].total[way]}`)]);
  const names = [...new Set(kinds.flatMap((kind) => Object.keys(counted[kind].runtime)))].sort();
  const calls = names.map((name) => [`\`${name}\``, ...kinds.map((kind) => `${counted[kind].runtime[name] ?? ""}`)]);
  return table(
    ["", ...kinds],
    [...totals, ...calls],
    kinds.map((_, index) => index + 1),
  );
}

export function load({ minutes, counts, perSecond, p50, p99, slower, memory, violations }) {
  const grown = (bytes) => (bytes === undefined ? "" : `, of which ${mebibytes(bytes)} after the first quarter`);
  return table(
    ["what", "seen"],
    [
      ["minutes", `${minutes}`],
      [
        "answers",
        Object.entries(counts)
          .map(([status, number]) => `${status}: ${count(number)}`)
          .join(", "),
      ],
      ["known keys", `${count(perSecond)}/s, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`],
      ["p99 at the end, over that after the warm-up", ratio(slower)],
      ["heap at the most", `${mebibytes(memory.heap)}${grown(memory.heapGrowth)}`],
      ["memory of the process at the most", `${mebibytes(memory.resident)}${grown(memory.residentGrowth)}`],
      ["violations", violations.length === 0 ? "none" : violations.join("; ")],
    ],
  );
}

export function instructions({ compiler, counts }) {
  return `${table(
    ["what", "instructions"],
    Object.entries(counts).map(([name, number]) => [name, count(number)]),
    [1],
  )}\n\n${compiler}`;
}

/** What was measured, by the marker that it stands at in docs/performance.md. */
export const SECTIONS = {
  budgets: (results) => judge(results).length > 0 && budgets(results),
  "side-by-side": (results) => results["side-by-side"] && sideBySide(results["side-by-side"]),
  chart: (results) =>
    results["side-by-side"] && "![CPU time a request, as a ratio to a bare pass-through](performance.svg)",
  pairs: (results) => results["side-by-side"] && pairs(results["side-by-side"]),
  scaling: (results) => results.scaling && scaling(results.scaling),
  flood: (results) => results.flood && flood(results.flood),
  directory: (results) => results.directory && directory(results.directory),
  "shard-load": (results) => results.directory && shardLoad(results.directory),
  diff: (results) => results.diff && diff(results.diff),
  apply: (results) => results.apply && apply(results.apply),
  cold: (results) => results.cold && cold(results.cold),
  cli: (results) => results.cli && cli(results.cli),
  package: (results) => results.package && packaged(results.package),
  size: (results) => results.size && size(results.size),
  crossings: (results) => results.crossings && crossings(results.crossings),
  profile: (results) => results.profile && profile(results.profile),
  instructions: (results) => results.instructions && instructions(results.instructions),
  load: (results) => results.load && load(results.load),
};
