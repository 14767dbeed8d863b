// KV as the ledger uses it, here over a model of a namespace: whatever KV does, there is an outcome, and soon enough.
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeStore } from "../../src/edge/ledger_kv.js";

/** A namespace of text with pages of two. */
function namespace(entries) {
  const calls = [];
  const held = new Map(Object.entries(entries));
  return {
    calls,
    held,
    put: async (name, value, keeps) => void held.set(name, { value: new TextDecoder().decode(value), ...keeps }),
    delete: async (name) => void held.delete(name),
    async get(names, options) {
      calls.push(options);
      const value = (name) => held.get(name)?.value ?? null;
      if (!Array.isArray(names)) return value(names) === null ? null : new TextEncoder().encode(value(names)).buffer;
      return new Map(names.map((name) => [name, value(name)]));
    },
    async list({ prefix, cursor = "0", limit }) {
      const names = [...held.keys()].filter((name) => name.startsWith(prefix)).sort();
      const end = Number(cursor) + Math.min(limit, 2);
      const keys = names.slice(Number(cursor), end).map((name) => {
        const { value, ...keeps } = held.get(name);
        return { name, ...keeps };
      });
      return end >= names.length ? { keys, list_complete: true } : { keys, list_complete: false, cursor: String(end) };
    },
  };
}

test("what is written is read, listed with what KV keeps beside it, and deleted", async () => {
  const kv = namespace({ "customer:b": { value: "B" }, "customer:c": { value: "C" }, other: { value: "O" } });
  const store = makeStore(kv);
  const metadata = { sha256: "00" };
  const value = new TextEncoder().encode("A");
  assert.deepEqual(await store.put("customer:a", value, { expiration: 2e9, metadata }), { result: null });
  assert.deepEqual(await store.texts(["customer:c", "customer:x", "customer:a"], 30), { result: ["C", null, "A"] });
  assert.deepEqual(kv.calls, [{ type: "text", cacheTtl: 30 }]);
  assert.deepEqual(await store.bytes("customer:a", 30), { result: value });
  assert.deepEqual(await store.bytes("customer:x", 30), { result: null });
  const { result: page } = await store.list("customer:", undefined, 1000);
  assert.deepEqual(page, {
    entries: [{ name: "customer:a", expiration: 2e9, metadata }, { name: "customer:b" }],
    cursor: "2",
  });
  assert.deepEqual(await store.list("customer:", page.cursor, 1000), { result: { entries: [{ name: "customer:c" }] } });
  await store.delete("customer:a");
  assert.deepEqual(await store.texts(["customer:a"], 30), { result: [null] });
});

test("an exception is an outcome, thrown or rejected, and is not quoted", async () => {
  const thrown = makeStore({
    put() {
      throw new TypeError("KV PUT failed: customer:acme");
    },
    list: async () => Promise.reject(new Error("429 Too Many Requests")),
  });
  assert.deepEqual(await thrown.put("customer:acme", new Uint8Array(), {}), { failed: "unavailable" });
  assert.deepEqual(await thrown.list("", undefined, 1), { failed: "unavailable" });
});

test("what does not end in time has failed, and leaves no timer behind", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const store = makeStore({ delete: () => new Promise(() => {}), put: async () => {} }, 5000);
  await store.put("a", new Uint8Array(), {});
  const outcome = store.delete("a");
  context.mock.timers.tick(4999);
  assert.equal(await Promise.race([outcome, Promise.resolve("waits")]), "waits");
  context.mock.timers.tick(1);
  assert.deepEqual(await outcome, { failed: "timeout" });
});
