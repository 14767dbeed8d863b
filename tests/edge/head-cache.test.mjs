// The head in the location's cache: taken only where it is the ledger's own, and young.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { beforeEach, test } from "node:test";

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

let module;
let imports = 0;
beforeEach(async () => {
  cache.clear();
  imports += 1;
  module = await import(`../../src/edge/head_cache.js?${imports}`);
});

test("what one isolate keeps, another takes while it is young", async () => {
  const head = headOf(1, Date.now());
  await module.keepHead(storeOf(1), head, 4000);
  assert.deepEqual(await module.keptHead(storeOf(1), 4000), head);
  const old = headOf(1, Date.now() - 4100);
  await module.keepHead(storeOf(1), old, 4000);
  assert.equal(await module.keptHead(storeOf(1), 4000), undefined);
  const future = headOf(1, Date.now() + 2000);
  await module.keepHead(storeOf(1), future, 4000);
  assert.equal(await module.keptHead(storeOf(1), 4000), undefined);
});

test("what another Worker of the zone has put there is none", async () => {
  const head = headOf(1, Date.now());
  const put = (mac) => cache.set(URL_OF_HEAD, new Response(head, { headers: { "x-pointsman-mac": mac } }));
  put(
    createHmac("sha256", Buffer.from("08".repeat(32), "hex"))
      .update(head)
      .digest("hex"),
  );
  assert.equal(await module.keptHead(storeOf(1), 4000), undefined);
  put("");
  assert.equal(await module.keptHead(storeOf(1), 4000), undefined);
  put(createHmac("sha256", Buffer.from(KEY, "hex")).update(head).digest("hex"));
  assert.deepEqual(await module.keptHead(storeOf(1), 4000), head, "the secret makes it one");
});

test("a head of another epoch has another secret, which is not read again and again", async () => {
  const store = storeOf(2);
  await module.keepHead(store, headOf(1, Date.now()), 4000);
  assert.equal(cache.size, 0);
  for (let again = 0; again < 5; again += 1) await module.keepHead(store, headOf(1, Date.now()), 4000);
  assert.equal(store.reads, 1);
  assert.equal(await module.keptHead(undefined, 4000), undefined);
});

test("a cache or a store in trouble leaves the ledger to be asked", async () => {
  const broken = { get: async () => Promise.reject(new Error("KV")) };
  await module.keepHead(broken, headOf(1, Date.now()), 4000);
  cache.set(URL_OF_HEAD, new Response("x"));
  assert.equal(await module.keptHead(broken, 4000), undefined);
});
