// The list of a scanner's public keys: how long it counts, and how seldom it is fetched, without a runtime and without a clock.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { makeScannerKeys } from "../../src/edge/scanner_keys.js";

const PLACE = { url: "https://keys.example.com" };
const pem = (namedCurve = "P-256") =>
  generateKeyPairSync("ec", { namedCurve }).publicKey.export({ type: "spki", format: "pem" });
const list = (names, key = pem()) => ({
  public_keys: names.map((name) => ({ key_identifier: name, key, is_current: true })),
});

/** The keys, with a place that answers with `serves.document` and a clock that stands. */
function world(document) {
  const serves = { document, fetched: 0, now: 0, failures: [] };
  const find = makeScannerKeys({
    clock: () => serves.now,
    hearFailure: ({ message }) => serves.failures.push(message),
    async fetchText() {
      serves.fetched += 1;
      await Promise.resolve();
      if (serves.document === undefined) throw new Error("status 500");
      return typeof serves.document === "string" ? serves.document : JSON.stringify(serves.document);
    },
  });
  return { serves, find: async (name, place = PLACE) => kind(await find(place, name)) };
}

/** A key, none of that name, or no list. */
const kind = (found) => (found === null ? "no list" : found === undefined ? "unknown" : "key");

test("a list is fetched once and counts for an hour", async () => {
  const { serves, find } = world(list(["a", "b"]));
  assert.deepEqual(await Promise.all([find("a"), find("b"), find("a")]), ["key", "key", "key"]);
  serves.now = 3_599_999;
  assert.deepEqual([await find("a"), serves.fetched], ["key", 1]);
  serves.document = list(["b"]);
  serves.now = 3_600_000;
  assert.deepEqual([await find("a"), await find("b"), serves.fetched], ["unknown", "key", 2], "a withdrawn key ends");
});

test("a name that the list lacks has it fetched once a minute, and no oftener", async () => {
  const { serves, find } = world(list(["a"]));
  for (let count = 0; count < 20; count += 1) assert.equal(await find(`made up ${count}`), "unknown");
  assert.equal(serves.fetched, 1);
  serves.document = list(["a", "new"]);
  serves.now = 59_999;
  assert.equal(await find("new"), "unknown");
  serves.now = 60_000;
  assert.deepEqual([await find("new"), await find("a"), serves.fetched], ["key", "key", 2]);
});

test("where there is no list, nobody is told that a key is unknown, and the next try waits", async () => {
  const { serves, find } = world(undefined);
  assert.deepEqual([await find("a"), await find("a"), serves.fetched], ["no list", "no list", 1]);
  serves.now = 4999;
  assert.deepEqual([await find("a"), serves.fetched], ["no list", 1]);
  serves.document = list(["a"]);
  serves.now = 5000;
  assert.deepEqual([await find("a"), serves.fetched], ["key", 2]);
  // One that is gone later takes nothing from the keys that are known, until their time is over.
  serves.document = undefined;
  serves.now = 100_000;
  assert.deepEqual([await find("b"), await find("a")], ["no list", "key"]);
  serves.now = 3_605_000;
  assert.equal(await find("a"), "no list");
  assert.deepEqual(serves.failures, ["status 500", "status 500", "status 500"]);
});

test("what is no list is none, and of a list only keys that can be used are taken", async () => {
  for (const [document, failure] of [
    ["<html>", "the list is no JSON"],
    ["null", "the list has no key that can be used"],
    [{}, "the list has no key that can be used"],
    [{ public_keys: [] }, "the list has no key that can be used"],
    [{ public_keys: [null, 7, {}] }, "the list has no key that can be used"],
    [list(["a"], pem("P-384")), "the list has no key that can be used"],
    [list(["x".repeat(300)]), "the list has no key that can be used"],
  ]) {
    const { serves, find } = world(document);
    assert.equal(await find("a"), "no list", failure);
    assert.deepEqual(serves.failures, [failure]);
  }
  const mixed = { public_keys: [...list(["a"], pem("P-384")).public_keys, ...list(["b"]).public_keys] };
  const { find } = world(mixed);
  assert.deepEqual([await find("a"), await find("b")], ["unknown", "key"]);
  const many = world(list(Array.from({ length: 100 }, (_, number) => `key ${number}`)));
  assert.deepEqual([await many.find("key 31"), await many.find("key 32")], ["key", "unknown"]);
});

test("a list of another place is another list", async () => {
  const { serves, find } = world(list(["a"]));
  assert.equal(await find("a"), "key");
  assert.equal(await find("a", { url: "https://other.example.com" }), "key");
  assert.equal(serves.fetched, 2);
});
