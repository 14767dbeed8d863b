// What an isolate holds of quotas, without a runtime and without a clock: nothing that was counted is lost, whoever else
// comes.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeQuotas } from "../../src/edge/quota_batch.js";

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
function counter(quota, until = UNTIL) {
  let used = 0;
  return {
    used: () => used,
    take(want) {
      const granted = Math.min(want, quota - used);
      used += granted;
      return { granted, left: quota - used, until };
    },
  };
}

const ask = (key, batch = 10) => ({ name: "limit", key, timeout: 1000, quota: { quota: 1000, batch } });
const idOf = (key) => `limit:1000:${key}`;

/** A request that asks where it must, and is answered at once. */
function serve(quotas, key, object, batch, now) {
  const begun = quotas.begin(ask(key, batch), now);
  if (begun.passes !== undefined) return begun;
  return quotas.answered(begun, object.take(begun.want), true, now);
}

describe("a request", () => {
  test("takes a batch, and those after it use that", () => {
    const quotas = makeQuotas(10);
    const object = counter(25);
    const seen = Array.from({ length: 26 }, (_, number) => serve(quotas, "a", object, 10, number));
    assert.deepEqual(
      seen.slice(0, 3).map(({ passes, left }) => [passes, left]),
      [
        [true, 24],
        [true, 23],
        [true, 22],
      ],
    );
    assert.deepEqual(
      seen.map(({ passes }) => passes),
      [...Array(25).fill(true), false],
    );
    assert.deepEqual(seen.at(-1), { passes: false, until: UNTIL });
    assert.equal(object.used(), 25);
  });

  test("is refused without a question once the counter had nothing left, until the window ends", () => {
    const quotas = makeQuotas(10);
    serve(quotas, "a", counter(0, 5000), 10, 0);
    assert.deepEqual(quotas.begin(ask("a"), 4999), { passes: false, until: 5000 });
    assert.equal(quotas.begin(ask("a"), 5000).want, 10);
  });

  test("asks for itself alone while another asks for a batch", () => {
    const quotas = makeQuotas(10);
    const [first, second, third] = [0, 1, 2].map((now) => quotas.begin(ask("a"), now));
    assert.deepEqual([first.want, second.want, third.want], [10, 1, 1]);
    quotas.unanswered(second);
    assert.equal(quotas.begin(ask("a"), 3).want, 1, "only the end of the first lets another ask for a batch");
    quotas.unanswered(first);
    assert.equal(quotas.begin(ask("a"), 4).want, 10);
  });

  test("asks for a batch where whoever did has not been heard of for the counter's time", () => {
    const quotas = makeQuotas(10);
    quotas.begin(ask("a"), 0);
    assert.equal(quotas.begin(ask("a"), 999).want, 1);
    assert.equal(quotas.begin(ask("a"), 1000).want, 10);
  });

  test("that waits no more leaves what it was granted to the next", () => {
    const quotas = makeQuotas(10);
    const question = quotas.begin(ask("a"), 0);
    assert.equal(quotas.answered(question, counter(100).take(10), false, 1500).passes, false);
    assert.equal(quotas.held(idOf("a"), 1500), 10);
    assert.equal(quotas.begin(ask("a"), 1500).passes, true);
  });

  test("that waits no more takes nothing of what others hold", () => {
    const quotas = makeQuotas(10);
    const object = counter(10);
    const [first, second] = [quotas.begin(ask("a"), 0), quotas.begin(ask("a"), 0)];
    quotas.answered(first, object.take(10), true, 1);
    assert.equal(quotas.answered(second, object.take(1), false, 2).passes, false);
    assert.equal(quotas.held(idOf("a"), 2), 9);
  });

  test("passes by what another has brought meanwhile, where the counter has nothing left", () => {
    const quotas = makeQuotas(10);
    const object = counter(10);
    const [first, second] = [quotas.begin(ask("a"), 0), quotas.begin(ask("a"), 0)];
    quotas.answered(first, object.take(10), true, 1);
    assert.deepEqual(quotas.answered(second, object.take(1), true, 2), {
      passes: true,
      id: idOf("a"),
      left: 8,
      until: UNTIL,
    });
  });

  test("gives its pass back, for others to use", () => {
    const quotas = makeQuotas(10);
    const object = counter(1);
    const pass = serve(quotas, "a", object, 10, 0);
    quotas.giveBack(pass, 1);
    assert.equal(serve(quotas, "a", object, 10, 2).passes, true);
    assert.equal(object.used(), 1);
  });
});

test("limits of one caller are held apart", () => {
  const quotas = makeQuotas(10);
  serve(quotas, "a", counter(100), 10, 0);
  assert.equal(quotas.begin({ ...ask("a"), name: "other" }, 1).want, 10);
});

test("hundreds of strangers between a caller's requests cost that caller nothing", () => {
  const quotas = makeQuotas(256);
  const object = counter(10_000);
  let served = 0;
  let strangers = 0;
  for (let request = 0; request < 100; request++) {
    if (serve(quotas, "caller", object, 100, request).passes) served += 1;
    for (let i = 0; i < 256; i++) serve(quotas, `stranger-${strangers++}`, counter(100), 10, request);
  }
  assert.equal(served, 100);
  assert.equal(object.used(), 100, "all that was counted was used");
  assert.ok(quotas.size() <= 256);
});

test("whatever comes in whatever order, each request that was granted is used or held", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = numbers(seed);
    const most = 1 + Math.floor(next() * 6);
    const quotas = makeQuotas(most);
    const keys = Array.from({ length: 10 }, (_, index) => `caller-${index}`);
    const objects = new Map(keys.map((key) => [key, counter(500)]));
    const used = new Map(keys.map((key) => [key, 0]));
    /** Passes whose request may yet be refused by another limit, and questions under way. */
    const open = [];
    let now = 0;
    for (let step = 0; step < 400; step++) {
      now += Math.floor(next() * 100);
      const key = keys[Math.floor(next() * keys.length)];
      if (next() < 0.5 || open.length === 0) {
        const begun = quotas.begin(ask(key, 20), now);
        if (begun.passes === true) open.push({ key, pass: begun });
        else if (begun.passes === undefined) {
          // Late ones only among those who hold something: who finds no room loses what comes too late.
          const isAwaited = next() >= 0.2 || !begun.isBatch;
          open.push({ key, question: begun, grant: objects.get(key).take(begun.want), isAwaited });
        }
      } else {
        const [{ key: whose, pass, question, grant, isAwaited }] = open.splice(Math.floor(next() * open.length), 1);
        if (pass) {
          if (next() < 0.5) quotas.giveBack(pass, now);
          else used.set(whose, used.get(whose) + 1);
        } else {
          // Not given back: who finds no room has nowhere to put it.
          if (quotas.answered(question, grant, isAwaited, now).passes) used.set(whose, used.get(whose) + 1);
        }
      }
      assert.ok(quotas.size() <= most, `seed ${seed}: ${quotas.size()} of ${most}`);
      for (const each of keys) {
        const pending = open
          .filter((entry) => entry.key === each)
          .reduce((sum, { pass, grant }) => sum + (pass ? 1 : grant.granted), 0);
        assert.equal(
          objects.get(each).used(),
          used.get(each) + quotas.held(idOf(each), now) + pending,
          `seed ${seed}, step ${step}, ${each}`,
        );
      }
    }
  }
});

test("a number that changes within the window counts at once, whatever was used up", () => {
  const quotas = makeQuotas(8);
  const asking = (quota) => ({ ...ask("a"), quota: { quota, batch: 10 } });
  const question = quotas.begin(asking(100), 0);
  assert.equal(quotas.answered(question, { granted: 0, left: 0, until: 1000 }, true, 0).passes, false);
  assert.equal(quotas.begin(asking(100), 1).passes, false, "used up, from memory");
  assert.equal(quotas.begin(asking(200), 2).passes, undefined, "asked for again");
});

test("what is left of a window that is over is not used in the next", () => {
  const quotas = makeQuotas(10);
  const early = serve(quotas, "a", counter(100, 1000), 10, 0);
  const late = quotas.begin(ask("a"), 999);
  assert.equal(late.passes, true);
  const question = quotas.begin(ask("a"), 1000);
  assert.equal(question.want, 10, "nothing is held of the new window");
  quotas.answered(question, { granted: 10, left: 90, until: 2000 }, true, 1000);
  // An answer out of the window before, and a pass of it.
  quotas.answered({ ...question, isBatch: false }, { granted: 10, left: 80, until: 1000 }, false, 1500);
  quotas.giveBack(early, 1500);
  assert.equal(quotas.held(idOf("a"), 1500), 9);
});

test("who finds no room asks for one request at a time, until somebody's batch is used up", () => {
  const quotas = makeQuotas(1);
  assert.ok(serve(quotas, "a", counter(10), 2, 0).passes);
  const object = counter(10);
  assert.ok(serve(quotas, "b", object, 5, 1).passes);
  assert.equal(object.used(), 1);
  assert.ok(serve(quotas, "a", counter(0), 2, 2).passes, "what was held");
  assert.ok(serve(quotas, "b", object, 5, 100_000).passes);
  assert.equal(object.used(), 6, "a batch");
});
