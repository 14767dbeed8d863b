import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "./failure.mjs";
import { holdInstructions } from "./instruction-counts.mjs";

const before = { compiler: "rustc 1", counts: { decide: 1000 } };
/** What the step says where `given` is what it finds, and whether it counted. */
async function held(given) {
  const [told, steps] = [[], []];
  const count = async () => {
    steps.push("count");
    return { compiler: "rustc 1", counts: given.counts ?? before.counts };
  };
  const valgrind = async () => {
    steps.push("valgrind");
    if (given.missing) throw given.missing;
  };
  await holdInstructions({
    before,
    on: given.on ?? "rustc 1",
    ci: given.ci ?? false,
    valgrind,
    count,
    tell: (line) => told.push(line),
  });
  return { told, steps };
}

test("the counts that were written down pass", async () => {
  assert.deepEqual(await held({}), { told: [], steps: ["valgrind", "count"] });
});

test("another count fails, with what changed and what to do", async () => {
  await assert.rejects(held({ counts: { decide: 1100 } }), ({ advice }) => {
    assert.equal(advice[0], "decide: 1000 → 1100 (+10.0 %)");
    return (
      advice.some((line) => line.includes("--only=instructions --accept")) &&
      advice.some((line) => line.includes("git restore"))
    );
  });
});

test("with another toolchain nothing is installed, compiled or held, in CI either", async () => {
  for (const ci of [false, true]) {
    const { told, steps } = await held({ on: "rustc 2", ci });
    assert.deepEqual(steps, []);
    assert.match(told.join("\n"), /^instruction counts were not held: .* is of rustc 1, this is rustc 2$/);
  }
});

test("without valgrind nothing is held, and CI fails", async () => {
  const missing = new Failure("no valgrind");
  assert.deepEqual(await held({ missing }), {
    told: ["instruction counts were not held: no valgrind"],
    steps: ["valgrind"],
  });
  await assert.rejects(held({ missing, ci: true }), missing);
  await assert.rejects(held({ missing: new TypeError("a fault of ours") }), TypeError);
});
