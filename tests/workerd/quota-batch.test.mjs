// What an isolate holds of quotas, without a runtime: nothing that was counted is lost, whoever else comes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeBatches } from "../../src/edge/quota_batch.js";

const UNTIL = 1_000_000_000;

/** A generator of numbers below 1 that is the same in each run. */
function numbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The object that counts: grants up to `want` out of `quota`, and notes how many it has granted. */
function counter(quota) {
  let used = 0;
  return {
    used: () => used,
    take(want) {
      const granted = Math.min(want, quota - used);
      used += granted;
      return { granted, left: quota - used, until: UNTIL };
    },
  };
}

/** Serves a request as limits.js does; true where it passes. */
function serve(batches, id, object, batch, now) {
  if (batches.takeOne(id, now)) return true;
  const want = batches.beginAsking(id, 1000, now) ? batch : 1;
  const answer = object.take(want);
  batches.endAsking(id);
  const own = answer.granted > 0 ? 1 : 0;
  batches.keep(id, answer, answer.granted - own, now);
  return own === 1;
}

test("thousands of strangers between a caller's requests cost that caller nothing", () => {
  const batches = makeBatches(4096);
  const object = counter(10_000);
  let served = 0;
  let strangers = 0;
  for (let request = 0; request < 100; request++) {
    if (serve(batches, "caller", object, 100, request)) served += 1;
    for (let i = 0; i < 4096; i++) serve(batches, `stranger-${strangers++}`, counter(100), 10, request);
  }
  assert.equal(served, 100);
  assert.equal(object.used(), 100, "all that was counted was used");
  assert.ok(batches.size() <= 4096);
});

test("whatever comes in whatever order, each unit that was granted is used or held", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = numbers(seed);
    const most = 1 + Math.floor(next() * 6);
    const batches = makeBatches(most);
    const ids = Array.from({ length: 10 }, (_, index) => `caller-${index}`);
    const objects = new Map(ids.map((id) => [id, counter(500)]));
    const used = new Map(ids.map((id) => [id, 0]));
    /** Units that were taken and whose request may yet be refused by another limit, and questions under way. */
    const open = [];
    let now = 0;
    for (let step = 0; step < 400; step++) {
      now += Math.floor(next() * 100);
      const id = ids[Math.floor(next() * ids.length)];
      if (next() < 0.5 || open.length === 0) {
        if (batches.takeOne(id, now)) open.push({ id, unit: true });
        else {
          const isFirst = batches.beginAsking(id, 1000, now);
          open.push({ id, isFirst, answer: objects.get(id).take(isFirst ? 20 : 1), late: next() < 0.2 && isFirst });
        }
      } else {
        const [{ id: whose, unit, isFirst, answer, late }] = open.splice(Math.floor(next() * open.length), 1);
        if (unit) {
          if (next() < 0.5) batches.giveBack(whose, UNTIL, now);
          else used.set(whose, used.get(whose) + 1);
        } else {
          if (isFirst) batches.endAsking(whose);
          const own = answer.granted > 0 && !late ? 1 : 0;
          used.set(whose, used.get(whose) + own);
          batches.keep(whose, answer, answer.granted - own, now);
        }
      }
      assert.ok(batches.size() <= most, `seed ${seed}: ${batches.size()} of ${most}`);
      for (const each of ids) {
        const pending = open
          .filter((entry) => entry.id === each)
          .reduce((sum, { unit, answer }) => sum + (unit ? 1 : answer.granted), 0);
        assert.equal(
          objects.get(each).used(),
          used.get(each) + batches.look(each, now).left + pending,
          `seed ${seed}, step ${step}, ${each}`,
        );
      }
    }
  }
});

test("what is left of a window that is over is not used in the next", () => {
  const batches = makeBatches(10);
  assert.ok(batches.beginAsking("a", 1000, 0));
  batches.keep("a", { granted: 10, left: 90, until: 1000 }, 9, 0);
  assert.ok(batches.takeOne("a", 999));
  assert.ok(!batches.takeOne("a", 1000));
  batches.keep("a", { granted: 10, left: 90, until: 2000 }, 9, 1000);
  batches.keep("a", { granted: 10, left: 80, until: 1000 }, 10, 1500);
  batches.giveBack("a", 1000, 1500);
  assert.equal(batches.look("a", 1500).left, 9);
});

test("who finds no room asks for one unit at a time, until somebody's batch is used up", () => {
  const batches = makeBatches(1);
  assert.ok(serve(batches, "a", counter(10), 2, 0));
  const object = counter(10);
  assert.ok(serve(batches, "b", object, 5, 1));
  assert.equal(object.used(), 1);
  assert.ok(serve(batches, "a", counter(0), 2, 2), "the unit that was held");
  assert.ok(serve(batches, "b", object, 5, 100_000));
  assert.equal(object.used(), 6, "a batch");
});
