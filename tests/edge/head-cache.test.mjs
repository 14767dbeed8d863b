// The head in the location's cache: taken only where it is the ledger's own, and young.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { beforeEach, test } from "node:test";
import * as module from "../../src/edge/head_cache.js";

const KEY = "07".repeat(32);
const cache = new Map();
globalThis.caches = {
  open: async () => ({
    match: async (url) => cache.get(url)?.clone(),
    put: async (url, answer) => void cache.set(url, answer),
  }),
};
const URL_OF_HEAD = "https://directory.pointsman.invalid/head";

/** A head as far as the cache looks at it: its epoch, and when it was written. */
function headOf(epoch, asOf) {
  const bytes = new Uint8Array(60);
  bytes.set([0x50, 0x48, 1]);
  bytes.fill(epoch, 3, 19);
  new DataView(bytes.buffer).setBigUint64(27, BigInt(asOf));
  return bytes;
}
const storeOf = (epoch, key = KEY) => ({
  reads: 0,
  async get() {
    this.reads += 1;
    return JSON.stringify({ epoch: epoch.toString(16).padStart(2, "0").repeat(16), key });
  },
});

/** Each test has an epoch of its own, and comes so much later that the secret may be read again. */
let epoch = 0;
let clock = 1_785_412_800_000;
Date.now = () => clock;
beforeEach(() => {
  cache.clear();
  epoch += 1;
  clock += 600_000;
});

test("what one isolate keeps, another takes while it is young", async () => {
  const head = headOf(epoch, Date.now());
  await module.keepHead(storeOf(epoch), head, 4000);
  assert.deepEqual(await module.keptHead(storeOf(epoch), 4000), head);
  const old = headOf(epoch, Date.now() - 4100);
  await module.keepHead(storeOf(epoch), old, 4000);
  assert.equal(await module.keptHead(storeOf(epoch), 4000), undefined);
  const future = headOf(epoch, Date.now() + 2000);
  await module.keepHead(storeOf(epoch), future, 4000);
  assert.equal(await module.keptHead(storeOf(epoch), 4000), undefined);
});

test("what another Worker of the zone has put there is none", async () => {
  const head = headOf(epoch, Date.now());
  const put = (mac) => cache.set(URL_OF_HEAD, new Response(head, { headers: { "x-pointsman-mac": mac } }));
  put(
    createHmac("sha256", Buffer.from("08".repeat(32), "hex"))
      .update(head)
      .digest("hex"),
  );
  assert.equal(await module.keptHead(storeOf(epoch), 4000), undefined);
  put("");
  assert.equal(await module.keptHead(storeOf(epoch), 4000), undefined);
  put(createHmac("sha256", Buffer.from(KEY, "hex")).update(head).digest("hex"));
  assert.deepEqual(await module.keptHead(storeOf(epoch), 4000), head, "the secret makes it one");
});

test("a head of another epoch has another secret, which is not read again and again", async () => {
  const store = storeOf(epoch + 100);
  await module.keepHead(store, headOf(epoch, Date.now()), 4000);
  assert.equal(cache.size, 0);
  for (let again = 0; again < 5; again += 1) await module.keepHead(store, headOf(epoch, Date.now()), 4000);
  assert.equal(store.reads, 1);
  assert.equal(await module.keptHead(undefined, 4000), undefined);
});

test("a cache or a store in trouble leaves the ledger to be asked", async () => {
  const broken = { get: async () => Promise.reject(new Error("KV")) };
  await module.keepHead(broken, headOf(epoch, Date.now()), 4000);
  cache.set(URL_OF_HEAD, new Response("x"));
  assert.equal(await module.keptHead(broken, 4000), undefined);
});
