// Which operations of KV each job of the ledger's is, and what the ledger is told of them.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { join, readAnswer } from "../../src/edge/ledger_frames.js";
import { carryOut } from "../../src/edge/ledger_jobs.js";

const utf8 = (text) => new TextEncoder().encode(text);
const value = utf8("value");
const content = {
  file: (name) => (name === "shard" ? value : undefined),
  tail: () => utf8("tail"),
  revocations: () => utf8("revocations"),
};

/** A store that notes what it is asked for, and answers as `results` says. */
function noting(results = {}) {
  const asked = [];
  const operation =
    (name) =>
    async (...given) => {
      asked.push([name, ...given]);
      return results[name] ?? { result: null };
    };
  const names = ["put", "delete", "texts", "bytes", "list"];
  return { asked, store: Object.fromEntries(names.map((name) => [name, operation(name)])) };
}

const WRITE = { name: "customer:ä", value: "{}", sha256: "00", expiration: 9, number: 7 };
const GONE = { ...WRITE, value: null, sha256: null, expiration: null };
const LIST = { prefix: "key:", cursor: null };
const sha256 = createHash("sha256").update(value).digest("hex");

for (const [what, job, results, operations, report] of [
  [
    "an entry is written with what KV keeps beside it",
    { write: WRITE },
    {},
    [["put", "customer:ä", utf8("{}"), { expiration: 9, metadata: { sha256: "00" } }]],
    { write: { name: "customer:ä", number: 7 } },
  ],
  [
    "an entry is deleted",
    { write: GONE },
    {},
    [["delete", "customer:ä"]],
    { write: { name: "customer:ä", number: 7 } },
  ],
  [
    "a write that fails is told with its cause",
    { write: { ...WRITE, expiration: null } },
    { put: { failed: "timeout" } },
    [["put", "customer:ä", utf8("{}"), { metadata: { sha256: "00" } }]],
    { write: { name: "customer:ä", number: 7, error: "timeout" } },
  ],
  [
    "a page has the digests that metadata say and nothing else of them",
    { list: { ...LIST, cursor: "b" } },
    {
      list: {
        result: {
          entries: [
            { name: "a", metadata: { sha256: "00", by: "me" }, expiration: 9 },
            { name: "b", metadata: "text" },
            { name: "c", metadata: { sha256: 1 } },
            { name: "d", metadata: null },
            { name: "e" },
          ],
          cursor: "c",
        },
      },
    },
    [["list", "key:", "b", 1000]],
    {
      list: {
        job: { prefix: "key:", cursor: "b" },
        page: {
          keys: [
            { name: "a", sha256: "00", expiration: 9 },
            { name: "b" },
            { name: "c" },
            { name: "d" },
            { name: "e" },
          ],
          cursor: "c",
        },
      },
    },
  ],
  [
    "a page that fails is none",
    { list: LIST },
    { list: { failed: "unavailable" } },
    [["list", "key:", undefined, 1000]],
    { list: { job: LIST, page: null } },
  ],
  [
    "entries are read together",
    { read: ["a", "b"] },
    { texts: { result: ["A", null] } },
    [["texts", ["a", "b"], 30]],
    {
      read: [
        { name: "a", value: "A" },
        { name: "b", value: null },
      ],
    },
  ],
  [
    "entries that KV does not answer for are not told of",
    { read: ["a"] },
    { texts: { failed: "timeout" } },
    [["texts", ["a"], 30]],
    { read: [] },
  ],
  [
    "a file is written",
    { file: { put: "shard" } },
    {},
    [["put", "shard", value, {}]],
    { file: { job: { put: "shard" }, ok: true } },
  ],
  [
    "a file without bytes is not written",
    { file: { put: "gone" } },
    {},
    [],
    { file: { job: { put: "gone" }, ok: false } },
  ],
  [
    "a file that is read back is told by its digest",
    { file: { readBack: "shard" } },
    { bytes: { result: value } },
    [["bytes", "shard", 30]],
    { file: { job: { readBack: "shard" }, ok: true, digest: sha256 } },
  ],
  [
    "a file that is not there has no digest",
    { file: { readBack: "shard" } },
    {},
    [["bytes", "shard", 30]],
    { file: { job: { readBack: "shard" }, ok: true } },
  ],
  [
    "a file is deleted",
    { file: { delete: "shard" } },
    { delete: { failed: "timeout" } },
    [["delete", "shard"]],
    { file: { job: { delete: "shard" }, ok: false } },
  ],
  [
    "revocations are backed up before the head that comes after them",
    "backup",
    {},
    [
      ["put", "directory:revocations", utf8("revocations"), {}],
      ["put", "directory:head", utf8("tail"), {}],
    ],
    { backup: { ok: true } },
  ],
  [
    "no head is written over revocations that failed",
    "backup",
    { put: { failed: "unavailable" } },
    [["put", "directory:revocations", utf8("revocations"), {}]],
    { backup: { ok: false } },
  ],
  [
    "touched names are a list",
    "readTouched",
    { texts: { result: ['["customer:a",1]'] } },
    [["texts", ["directory:touched"], 30]],
    { readTouched: ["customer:a"] },
  ],
  [
    "none are touched where nothing stands",
    "readTouched",
    { texts: { result: [null] } },
    [["texts", ["directory:touched"], 30]],
    { readTouched: [] },
  ],
  [
    "none are touched where something else stands",
    "readTouched",
    { texts: { result: ["{"] } },
    [["texts", ["directory:touched"], 30]],
    { readTouched: [] },
  ],
])
  test(what, async () => {
    const { asked, store } = noting(results);
    const { done } = await carryOut(store, content, job);
    assert.deepEqual(asked, operations);
    assert.deepEqual(JSON.parse(JSON.stringify(done)), report);
  });

for (const [job, name] of [
  ["readHead", "directory:head"],
  ["readRevocations", "directory:revocations"],
])
  test(`${job} has its bytes beside it, nothing where there are none, and no report where KV fails`, async () => {
    const there = noting({ bytes: { result: value } });
    assert.deepEqual(await carryOut(there.store, content, job), { done: job, bytes: value });
    assert.deepEqual(there.asked, [["bytes", name, 30]]);
    assert.deepEqual(await carryOut(noting().store, content, job), { done: job, bytes: undefined });
    assert.equal(await carryOut(noting({ bytes: { failed: "timeout" } }).store, content, job), undefined);
  });

test("a job that nobody knows is not reported", async () => {
  assert.equal(await carryOut(noting().store, content, { dance: 1 }), undefined);
  assert.equal(await carryOut(noting({ texts: { failed: "timeout" } }).store, content, "readTouched"), undefined);
});

test("answers are bytes or JSON", () => {
  assert.deepEqual(readAnswer(new Uint8Array([0, 1, 2])), { bytes: new Uint8Array([1, 2]) });
  assert.deepEqual(readAnswer(utf8('\u0001{"a":"ä"}')), { json: { a: "ä" } });
  assert.deepEqual(join([utf8("a"), utf8("")]), new Uint8Array([0, 0, 0, 1, 97, 0, 0, 0, 0]));
});
