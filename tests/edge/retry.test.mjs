// What becomes of a request with a plan between its attempts, without a runtime and without a clock.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dueAttempt, isRepeatable, judgeAttempt } from "../../src/edge/retry.js";
import { ENDED } from "../../src/edge/wire.js";

const attempt = (name, timeout) => ({
  url: `https://${name}.example/`,
  origin: `https://${name}.example`,
  key: name,
  timeout,
});
const PLAN = {
  attempts: [attempt("a", 1000), attempt("b", 1000), attempt("c", 1000)],
  deadline: 2500,
  statuses: [502, 503],
  breaker: [3, 50, 5000],
  caller: "c",
  needs_size: false,
};
const ALONE = { ...PLAN, attempts: [PLAN.attempts[0]], deadline: 1000 };

test("a request is sent again only where that is safe", () => {
  for (const method of ["GET", "HEAD", "OPTIONS"]) {
    assert.equal(isRepeatable({ method, hasBody: false, isUpgrade: false }), true, method);
    assert.equal(isRepeatable({ method, hasBody: true, isUpgrade: false }), false, `${method} with a body`);
    assert.equal(isRepeatable({ method, hasBody: false, isUpgrade: true }), false, `${method} of a WebSocket`);
  }
  // PUT and DELETE are idempotent, but what was done between two of them would be undone. Methods are case-sensitive.
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "PROPFIND", "QUERY", "get"])
    assert.equal(isRepeatable({ method, hasBody: false, isUpgrade: false }), false, method);
});

describe("an attempt that is due", () => {
  for (const [what, number, elapsed, timeout, isShortened] of [
    ["has its own time at first", 1, 0, 1000, false],
    ["has its own time while the deadline leaves as much", 2, 1500, 1000, false],
    ["has what is left of the deadline", 3, 2000, 500, true],
    ["has no time after the deadline, and never less than none", 3, 2600, 0, true],
  ]) {
    test(what, () => {
      const due = dueAttempt(PLAN, number, elapsed);
      assert.deepEqual(due, { attempt: PLAN.attempts[number - 1], number, timeout, isShortened });
    });
  }

  test("is not shortened by others where it is the first: then its deadline is the route's", () => {
    const due = dueAttempt({ ...ALONE, deadline: 400 }, 1, 0);
    assert.deepEqual([due.timeout, due.isShortened], [400, false]);
  });
});

describe("after an attempt", () => {
  const REQUEST = { isRepeatable: true, hasLeft: false, elapsed: 100 };
  const judge = (result, { plan = PLAN, number = 1, ...request } = {}) =>
    judgeAttempt(plan, dueAttempt(plan, number, 0), result, { ...REQUEST, ...request });

  /** [what, result of the first attempt, ended, wantsAnother, errorType, end] */
  for (const [what, result, ended, wantsAnother, errorType, end] of [
    ["an answer is the end", { status: 200 }, "answered", false, undefined, "answer"],
    ["an error is an answer", { status: 500 }, "answered", false, undefined, "answer"],
    ["a status of the plan asks the next", { status: 503 }, "suspected", true, "status 503", "answer"],
    [
      "no connection asks the next",
      { failed: "unreachable", isWhole: true },
      "failed",
      true,
      "unreachable",
      "unreachable",
    ],
    ["a timeout asks the next", { failed: "timeout" }, "suspected", true, "timeout", "timeout"],
    ["a client that left is the end", { failed: "left" }, "nothing", false, "left", "left"],
    ["a body that its client broke off is the end", { failed: "broken" }, "nothing", false, "broken", "broken"],
  ]) {
    test(what, () => assert.deepEqual(judge(result), { ended: ENDED[ended], wantsAnother, errorType, end }));
  }

  const FAILED = { failed: "unreachable", isWhole: true };

  test("a call that failed as its client left is that client's doing", () => {
    const { ended, wantsAnother, end } = judge(FAILED, { hasLeft: true });
    assert.deepEqual([ended, wantsAnother, end], [ENDED.nothing, false, "left"]);
  });

  test("an answer counts though its client has left", () => {
    assert.equal(judge({ status: 200 }, { hasLeft: true }).end, "answer");
  });

  test("the last origin has none after it", () => {
    const { ended, wantsAnother, end } = judge(FAILED, { number: 3 });
    assert.deepEqual([ended, wantsAnother, end], [ENDED.failed, false, "unreachable"]);
    assert.equal(judge({ status: 503 }, { plan: ALONE }).wantsAnother, false);
  });

  test("there is none after the deadline", () => {
    const second = dueAttempt(PLAN, 2, 1000);
    const [inTime, late] = [2499, 2500].map((elapsed) => judgeAttempt(PLAN, second, FAILED, { ...REQUEST, elapsed }));
    assert.deepEqual([inTime.ended, inTime.wantsAnother], [ENDED.failed, true]);
    assert.deepEqual([late.ended, late.wantsAnother], [ENDED.failed, false]);
  });

  test("there is none where sending again is not safe", () => {
    for (const result of [FAILED, { failed: "timeout" }, { status: 503 }])
      assert.equal(judge(result, { isRepeatable: false }).wantsAnother, false);
  });

  test("an origin that had only the rest of the deadline is not to blame for being slow", () => {
    const shortened = dueAttempt(PLAN, 3, 2000);
    const { ended, end } = judgeAttempt(PLAN, shortened, { failed: "timeout" }, { ...REQUEST, elapsed: 2500 });
    assert.deepEqual([ended, end], [ENDED.nothing, "timeout"]);
    // That it could not be reached is not for want of time.
    assert.equal(judgeAttempt(PLAN, shortened, FAILED, { ...REQUEST, elapsed: 2100 }).ended, ENDED.failed);
  });
});

/** Sends a request whose attempts end so, each after so many milliseconds; the core allows what it is asked. */
function run(plan, results, repeatable = true) {
  const asked = [];
  let elapsed = 0;
  for (let number = 1; ; number++) {
    const due = dueAttempt(plan, number, elapsed);
    const [takes, result] = results[number - 1];
    const isLate = takes > due.timeout;
    elapsed += Math.min(takes, due.timeout);
    asked.push([due.attempt.key, due.timeout]);
    const given = isLate ? { failed: "timeout" } : result;
    const { wantsAnother, end } = judgeAttempt(plan, due, given, { isRepeatable: repeatable, hasLeft: false, elapsed });
    if (!wantsAnother) return { asked, end, elapsed };
  }
}

test("a request goes from origin to origin and never takes longer than its deadline", () => {
  const hangs = [Infinity, undefined];
  assert.deepEqual(run(PLAN, [hangs, hangs, hangs]), {
    asked: [
      ["a", 1000],
      ["b", 1000],
      ["c", 500],
    ],
    end: "timeout",
    elapsed: 2500,
  });
  const refused = [5, { failed: "unreachable", isWhole: true }];
  assert.deepEqual(run(PLAN, [refused, [700, { status: 503 }], [20, { status: 200 }]]), {
    asked: [
      ["a", 1000],
      ["b", 1000],
      ["c", 1000],
    ],
    end: "answer",
    elapsed: 725,
  });
  assert.deepEqual(run(PLAN, [refused, hangs], false), { asked: [["a", 1000]], end: "unreachable", elapsed: 5 });
  const twoSlow = { ...PLAN, deadline: 1000 };
  assert.deepEqual(run(twoSlow, [hangs, hangs]).asked, [["a", 1000]], "the first may use up the deadline");
});
