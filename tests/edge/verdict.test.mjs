// What an origin answers for, without a runtime.
import assert from "node:assert/strict";
import { test } from "node:test";
import { verdict } from "../../src/edge/verdict.js";
import { ENDED } from "../../src/edge/wire.js";

const STATUSES = [502, 503];

for (const [what, attempt, expected] of [
  ["an answer", { status: 200 }, ENDED.answered],
  ["a status that counts as none", { status: 500 }, ENDED.answered],
  ["a status that counts as a failure, which a caller can ask for", { status: 503 }, ENDED.suspected],
  ["a slow answer, which a caller can ask for", { failed: "timeout" }, ENDED.suspected],
  ["a slow answer of one that had only the rest of the deadline", { failed: "timeout", cutShort: true }, ENDED.nothing],
  ["a refused call of a whole request", { failed: "unreachable", isWhole: true }, ENDED.failed],
  ["a broken call of a request that has not come whole", { failed: "unreachable", isWhole: false }, ENDED.suspected],
  ["a client that left", { failed: "left", isWhole: true }, ENDED.nothing],
  ["a client that broke off its body", { failed: "broken" }, ENDED.nothing],
]) {
  test(what, () => assert.equal(verdict(attempt, STATUSES), expected));
}
