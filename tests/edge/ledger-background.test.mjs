// The ledger's work behind answers, without a runtime and with a clock of the test's: it goes on whatever happens.
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { makeBackground } from "../../src/edge/ledger_background.js";

/** A ledger whose jobs are numbers, in the order in which they are due, and an alarm like an object's. */
function makeWorld({ due = [], next = 1_040_000, carryOut = async (job) => ({ job, outcome: "done" }) } = {}) {
  const world = { now: 1_000_000, due: [...due], next, done: [], alarm: null, calls: [], faults: new Set() };
  const call = (name, act) => {
    world.calls.push(name);
    if (world.faults.has(name)) throw new RangeError(`${name} of customer:acme`);
    return act();
  };
  const ledger = {
    due: () => call("due", () => ({ jobs: world.due.slice(0, 50), next: world.next })),
    done: ({ job, outcome }) =>
      call("done", () => {
        world.due = world.due.filter((other) => other !== job);
        world.done.push([job, outcome]);
      }),
  };
  const alarms = {
    getAlarm: async () => world.alarm,
    setAlarm: async (time) =>
      call("setAlarm", () => {
        world.alarm = time;
      }),
  };
  world.background = makeBackground({ ledger, carryOut, alarms, clock: () => world.now });
  /** As the platform rings: by then no alarm is set any more. */
  world.ring = () => {
    world.alarm = null;
    return world.background.alarm();
  };
  return world;
}

let lines;
beforeEach((context) => {
  lines = [];
  context.mock?.method?.(console, "log", (line) => lines.push(JSON.parse(line)));
});

const range = (count) => Array.from({ length: count }, (_, index) => index);

describe("an alarm", () => {
  test("does what is due, and is set again for what will be", async () => {
    const world = makeWorld({ due: range(20), next: 1_030_000 });
    await world.ring();
    assert.deepEqual(
      world.done.map(([job]) => job).sort((one, other) => one - other),
      range(20),
    );
    assert.equal(world.alarm, 1_030_000);
    assert.equal(world.calls[0], "setAlarm", "before anything that may fail");
  });

  test("is set for when the next thing is due, however late, and not put off by what came meanwhile", async () => {
    const late = makeWorld({ next: 9_000_000 });
    await late.ring();
    assert.equal(late.alarm, 9_000_000);
    const carryOut = async (job) => {
      meanwhile.alarm = 1_002_000;
      return { job };
    };
    const meanwhile = makeWorld({ due: [1], next: 9_000_000, carryOut });
    await meanwhile.ring();
    assert.equal(meanwhile.alarm, 1_002_000);
  });

  for (const name of ["due", "done"])
    test(`goes on after an exception of ${name}, which is logged without its message`, async () => {
      const world = makeWorld({ due: [1, 2], next: 1_030_000 });
      world.faults.add(name);
      await world.ring();
      assert.equal(world.alarm, 1_060_000);
      assert.deepEqual(
        lines.map(({ time, ...line }) => line),
        [{ event: "ledger_fault", level: "error", during: "alarm", error_type: "RangeError" }],
      );
      world.faults.clear();
      await world.ring();
      assert.deepEqual(world.due, []);
      assert.equal(world.alarm, 1_030_000);
    });

  test("throws nothing even where it cannot be set", async () => {
    const world = makeWorld({ due: [1] });
    world.faults.add("setAlarm");
    await world.ring();
    assert.equal(lines.length, 1);
  });

  test("leaves to the next one what is too much for one invocation", async () => {
    const world = makeWorld({ due: range(2000), next: 9_000_000 });
    await world.ring();
    assert.equal(world.done.length, 800);
    assert.equal(world.alarm, 1_001_000);
    await world.ring();
    await world.ring();
    assert.deepEqual(world.due, []);
  });
});

describe("work behind an answer", () => {
  test("has few jobs under way at once, and reports what came of each", async () => {
    let underWay = 0;
    let most = 0;
    const carryOut = async (job) => {
      most = Math.max(most, ++underWay);
      await new Promise(setImmediate);
      underWay -= 1;
      return { job, outcome: { job } };
    };
    const world = makeWorld({ due: range(30), carryOut });
    await world.background.soon();
    assert.equal(most, 6);
    assert.deepEqual(world.done.find(([job]) => job === 29)?.[1], { job: 29 });
  });

  test("brings the alarm forward and never puts it off", async () => {
    const world = makeWorld({ next: 1_005_000 });
    world.alarm = 1_050_000;
    await world.background.soon();
    assert.equal(world.alarm, 1_005_000);
    world.next = 1_020_000;
    await world.background.soon();
    assert.equal(world.alarm, 1_005_000);
    world.next = 10;
    await world.background.soon();
    assert.equal(world.alarm, 1_001_000, "what is over due does not make it ring without end");
  });

  test("is done by one at a time, and by another where that one is not heard of", async () => {
    const carryOut = () => new Promise(() => {});
    const world = makeWorld({ due: [1], carryOut });
    void world.background.soon();
    await world.background.soon();
    assert.equal(world.calls.filter((name) => name === "due").length, 1);
    world.now += 30_000;
    void world.background.soon();
    assert.equal(world.calls.filter((name) => name === "due").length, 2);
  });

  test("ends where a job comes to nothing that is to be told, and goes on later", async () => {
    let isDown = true;
    const world = makeWorld({ due: [1, 2], carryOut: async (job) => (isDown && job === 2 ? undefined : { job }) });
    await world.background.soon();
    assert.deepEqual([world.due, world.alarm], [[2], 1_040_000]);
    isDown = false;
    await world.background.soon();
    assert.deepEqual(world.due, []);
  });

  test("throws nothing", async () => {
    const world = makeWorld({ due: [1] });
    world.faults.add("done");
    await world.background.soon();
    assert.deepEqual(
      lines.map(({ during }) => during),
      ["work"],
    );
    world.faults.clear();
    await world.background.soon();
    assert.equal(world.done.length, 1, "nobody has the work any more");
  });
});

test("who finds no alarm set sets one, and leaves one that is set", async () => {
  const world = makeWorld();
  await world.background.keepAwake();
  assert.equal(world.alarm, 1_001_000);
  world.alarm = 1_700_000;
  await world.background.keepAwake();
  assert.equal(world.alarm, 1_700_000);
});
