// The Worker must stay small: it is compiled at each cold start, and the free plan takes 3 MB.
import assert from "node:assert/strict";
import { test } from "node:test";
import { size } from "../../bench/parts/size.mjs";

const CEILING = 330 * 1024;

test("the wasm is no larger than its ceiling", () => {
  const { gzip } = size().wasm;
  assert.ok(gzip > 50 * 1024, `${gzip} bytes: that is no Worker`);
  assert.ok(gzip <= CEILING, `${gzip} bytes compressed, over ${CEILING}`);
});
