// Segments of the log in the location's cache: all of a segment and nothing else, and only the ledger's own.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { beforeEach, test } from "node:test";
import * as module from "../../src/edge/segment_cache.js";

const KEY = "07".repeat(32);
const EPOCH = "01".repeat(16);
const PLACE = { epoch: EPOCH, first: 257, format: 1 };
const URL_OF_SEGMENT = `https://directory.pointsman.invalid/segment/1/${EPOCH}/257`;
const cache = new Map();
globalThis.caches = {
  open: async () => ({
    match: async (url) => cache.get(url)?.clone(),
    put: async (url, answer) => void cache.set(url, answer),
  }),
};
const store = { get: async () => JSON.stringify({ epoch: EPOCH, key: KEY }) };

/** A segment as far as the cache looks at it. */
function segmentOf({ epoch = 1, first = 257, count = [0x80, 0x02], letters = "PL" } = {}) {
  const bytes = new Uint8Array(60);
  bytes.set([...letters].map((letter) => letter.charCodeAt(0)));
  bytes[2] = 1;
  bytes.fill(epoch, 3, 19);
  new DataView(bytes.buffer).setBigUint64(19, BigInt(first));
  bytes.set(count, 27);
  return bytes;
}
const macOf = (bytes, key = KEY) => createHmac("sha256", Buffer.from(key, "hex")).update(bytes).digest("hex");
const leave = (bytes, mac) => cache.set(URL_OF_SEGMENT, new Response(bytes, { headers: { "x-pointsman-mac": mac } }));

/** Each test comes so much later that the secret may be read again. */
let clock = 1_785_412_800_000;
Date.now = () => clock;
beforeEach(() => {
  cache.clear();
  clock += 600_000;
});

test("a gap costs a location one call: what one isolate keeps, another takes", async () => {
  assert.equal(await module.keptSegment(store, PLACE), undefined);
  await module.keepSegment(store, PLACE, segmentOf());
  assert.deepEqual([...cache.keys()], [URL_OF_SEGMENT]);
  assert.match(cache.get(URL_OF_SEGMENT).headers.get("cache-control"), /^max-age=86400$/);
  assert.deepEqual(await module.keptSegment(store, PLACE), segmentOf());
  assert.equal(await module.keptSegment(store, { ...PLACE, format: 2 }), undefined, "of another version");
});

test("a segment that still grows is not kept", async () => {
  await module.keepSegment(store, PLACE, segmentOf({ count: [0x80, 0x01] }));
  await module.keepSegment(store, PLACE, segmentOf({ count: [7, 0x02] }));
  assert.equal(cache.size, 0);
});

test("what another Worker of the zone has put there is none", async () => {
  const segment = segmentOf();
  for (const mac of ["", "00", macOf(segment, "08".repeat(32)), macOf(segmentOf({ first: 1 }))]) {
    leave(segment, mac);
    assert.equal(await module.keptSegment(store, PLACE), undefined, mac);
  }
  leave(segment, macOf(segment));
  assert.deepEqual(await module.keptSegment(store, PLACE), segment, "the secret makes it one");
});

test("the ledger's own bytes under another name are none", async () => {
  for (const other of [{ first: 1 }, { letters: "PH" }, { epoch: 2 }, { count: [0x80, 0x01] }]) {
    const bytes = segmentOf(other);
    leave(bytes, macOf(bytes));
    assert.equal(await module.keptSegment(store, PLACE), undefined, JSON.stringify(other));
  }
  leave(new Uint8Array(3), macOf(new Uint8Array(3)));
  assert.equal(await module.keptSegment(store, PLACE), undefined, "cut short");
});

test("without a secret the ledger is asked", async () => {
  const place = { ...PLACE, epoch: "03".repeat(16) };
  const broken = { get: async () => Promise.reject(new Error("KV")) };
  for (const without of [undefined, broken, store]) {
    await module.keepSegment(without, place, segmentOf({ epoch: 3 }));
    assert.equal(cache.size, 0);
    clock += 600_000;
  }
});
