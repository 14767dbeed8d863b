// The benchmark's own arithmetic, and that what is written down is what was measured.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { judge } from "./budgets.mjs";
import { noise, ratio, spread } from "./lib/statistics.mjs";
import { options } from "./options.mjs";
import { changes } from "./parts/instructions.mjs";
import { chart } from "./report/chart.mjs";
import { fill } from "./report/document.mjs";
import { DOCUMENT, kept, sections } from "./report/files.mjs";

test("a spread is the median and the quartiles", () => {
  assert.deepEqual(spread([5, 1, 4, 2, 3]), { median: 3, low: 2, high: 4 });
  assert.deepEqual(spread([1, 2]), { median: 1.5, low: 1.25, high: 1.75 });
});

test("ratios are made within rounds: a slow round is slow for both", () => {
  assert.deepEqual(ratio([2, 20, 200], [1, 10, 100]), { median: 2, low: 2, high: 2 });
});

test("noise is what a Worker differs from itself", () => {
  assert.equal(noise({ median: 1.25, low: 1.2, high: 1.3 }, 100), 0.25);
  assert.equal(noise({ median: 1, low: 0.75, high: 1.25 }, 100), 0.0785);
});

const measured = (median) => {
  const ratio = { median, low: median, high: median };
  return { "side-by-side": { noise: 0.05, rows: [{ id: "own, key", ratio }], pairs: [] } };
};
const verdictOf = (median) => judge(measured(median))[0].verdict;

test("a budget is missed only beyond the noise", () => {
  assert.equal(verdictOf(0.8), "met, stretch too");
  assert.equal(verdictOf(0.95), "met");
  assert.equal(verdictOf(0.99), "within noise");
  assert.equal(verdictOf(1.01), "missed");
});

test("what was not measured is not judged", () => {
  assert.deepEqual(judge({}), []);
});

const written = { compiler: "rustc 1, glibc 2", counts: { decide: 10_000, lookup: 100 } };
const changed = (counts) => changes({ compiler: written.compiler, counts }, written);

test("instructions within 3 % are those that were written down", () => {
  assert.deepEqual(changed({ decide: 10_300, lookup: 97 }), { judged: true, changed: [] });
});

test("more and fewer instructions are told, before and after", () => {
  const told = ["decide: 10000 → 10301 (+3.0 %)", "lookup: 100 → 60 (−40.0 %)"];
  assert.deepEqual(changed({ decide: 10_301, lookup: 60 }), { judged: true, changed: told });
});

test("a count that is new or gone is a change", () => {
  const told = ["lookup: 100 → none", "digest: none → 5"];
  assert.deepEqual(changed({ decide: 10_000, digest: 5 }), { judged: true, changed: told });
});

test("counts of another toolchain are not compared", () => {
  const { judged, why, changed } = changes({ compiler: "rustc 2, glibc 2", counts: { decide: 1 } }, written);
  assert.deepEqual({ judged, changed }, { judged: false, changed: [] });
  assert.match(why, /is of rustc 1, glibc 2, this is rustc 2, glibc 2$/);
  assert.equal(changes({ compiler: "rustc 1", counts: {} }, undefined).judged, false);
});

test("generated text stands between its markers, and all else stays", () => {
  const document = "a\n<!-- bench:one -->\nold\n<!-- /bench -->\nb\n<!-- bench:two -->\nkept\n<!-- /bench -->\n";
  const filled = "a\n<!-- bench:one -->\nnew\n<!-- /bench -->\nb\n<!-- bench:two -->\nkept\n<!-- /bench -->\n";
  assert.equal(fill(document, { one: "new", two: undefined }), filled);
  assert.equal(fill(filled, { one: "new" }), filled);
});

test("docs/performance.md says what was measured", () => {
  const document = readFileSync(DOCUMENT, "utf8");
  assert.equal(fill(document, sections(kept())), document, "npm run bench -- --report");
});

test("every section has its place in docs/performance.md", () => {
  const places = [...readFileSync(DOCUMENT, "utf8").matchAll(/<!-- bench:([\w-]+) -->/g)].map(([, name]) => name);
  assert.deepEqual(places.sort(), Object.keys(sections({})).sort());
});

test("the chart has a bar for each Worker but the control", () => {
  const row = (id, median) => ({ id, title: `<${id}>`, fields: 12, ratio: { median, low: median, high: median } });
  const drawn = chart({ rows: [row("pass-through", 1), row("pass-through, again", 1), row("own, key", 0.9)] });
  assert.equal(drawn.match(/<rect class="(own|base|peer)"/g).length, 2);
  assert.ok(drawn.includes("&lt;own, key>") && drawn.includes(">0.90<"));
});

test("wrong options are refused, with the usage", () => {
  for (const args of [["--only=nothing"], ["--rounds", "0"], ["--minutes", "many"], ["--what"]]) {
    assert.throws(
      () => options(args),
      (error) => error.code === 2 && error.advice.length > 3,
    );
  }
  assert.deepEqual([...options(["--only=size,memory"]).parts], ["size", "flood"]);
  assert.equal(options(["--callers", "300000"]).callers, 300_000);
});
