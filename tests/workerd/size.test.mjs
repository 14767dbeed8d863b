// The Worker must stay small: it is compiled at each cold start, and the free plan takes 3 MB.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { folder } from "../../bench/lib/pointsman.mjs";
import { size } from "../../bench/parts/size.mjs";

const CEILING = 360 * 1024;
/** No request waits for this one, but it is uploaded with the Worker. The management API is in it. */
const LEDGER_CEILING = 336 * 1024;

test("the wasm is no larger than its ceiling", () => {
  const { gzip } = size().wasm;
  assert.ok(gzip > 50 * 1024, `${gzip} bytes: that is no Worker`);
  assert.ok(gzip <= CEILING, `${gzip} bytes compressed, over ${CEILING}`);
});

test("the ledger's wasm is no larger than its own ceiling", () => {
  const gzip = gzipSync(readFileSync(join(folder(), "ledger_bg.wasm")), { level: 9 }).length;
  assert.ok(gzip > 50 * 1024, `${gzip} bytes: that is no ledger`);
  assert.ok(gzip <= LEDGER_CEILING, `${gzip} bytes compressed, over ${LEDGER_CEILING}`);
});
