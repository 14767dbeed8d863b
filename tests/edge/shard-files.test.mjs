// Shards: out of KV, and from the ledger where KV has none or another one, a few in a second.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { makeFiles } from "../../src/edge/shard_files.js";

const BYTES = new TextEncoder().encode("a shard");
const hash = createHash("sha256").update(BYTES).digest("hex").slice(0, 32);
const FILE = { name: "directory:1:0.0:7:x", hash, timeout: 1000 };

/** A store that answers these in turn, and notes for how long a location may keep each. */
const storeOf = (...values) => ({
  kept: [],
  async get(_name, { cacheTtl }) {
    const value = values[this.kept.push(cacheTtl) - 1];
    return value === undefined ? null : value.buffer;
  },
});
const never = async () => assert.fail("the ledger is asked");

test("a shard comes out of KV, if need be past what the location has kept", async () => {
  const file = makeFiles();
  const first = storeOf(BYTES);
  assert.deepEqual([await file(first, never, FILE), first.kept], [BYTES, [86_400]]);
  const second = storeOf(new TextEncoder().encode("another"), BYTES);
  assert.deepEqual([await file(second, never, FILE), second.kept], [BYTES, [86_400, 30]]);
});

test("the ledger is asked for five shards a second at most, and is not believed without the digest", async () => {
  let now = 1_785_412_800_000;
  const file = makeFiles(() => now);
  let asked = 0;
  const ledger = async () => {
    asked += 1;
    return BYTES;
  };
  const outcomes = async (count) => {
    const all = Array.from({ length: count }, () => file(storeOf(), ledger, FILE));
    return (await Promise.allSettled(all)).filter(({ status }) => status === "fulfilled").length;
  };
  assert.deepEqual([await outcomes(8), asked], [5, 5]);
  now += 999;
  assert.deepEqual([await outcomes(3), asked], [0, 5]);
  now += 1;
  assert.deepEqual([await outcomes(3), asked], [3, 8]);
  // What KV has costs nothing of these.
  for (let again = 0; again < 10; again += 1) await file(storeOf(BYTES), never, FILE);
  assert.equal(await outcomes(2), 2);
  now += 1000;
  await assert.rejects(
    file(undefined, async () => new Uint8Array(3), FILE),
    /is not there, or is another/,
  );
  await assert.rejects(
    file(undefined, async () => null, FILE),
    /is not there, or is another/,
  );
});
