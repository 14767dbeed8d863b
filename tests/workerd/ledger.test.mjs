// The ledger's object of the built Worker, in workerd with a KV and a database of workerd's own.
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openLedger, readHead, readSegment } from "./support/ledger.mjs";
import { until } from "./support/log.mjs";

const folder = mkdtempSync(join(tmpdir(), "ledger-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const MINUTE = 60_000;

let drawn = 0;
/** A key that nobody has: the digest that stands for it, and the beginning of that, by which the log names it. */
function someKey() {
  const digest = sha256(`key ${++drawn}`);
  return { digest, name: `key:${digest}`, record: { kind: "key", digest: digest.slice(0, 32) } };
}
const recordOf = (subject) => JSON.stringify({ subject, name: "what only describes" });

async function commit(object, edits, operation = randomUUID()) {
  return JSON.parse(await object.commit(JSON.stringify({ operation, actor: "a test", edits })));
}
const put = ({ digest }, subject) => ({ edit: "putKey", digest, json: recordOf(subject) });
const remove = ({ digest }) => ({ edit: "removeKey", digest });
const headOf = async (object) => readHead(await object.poll(1));

describe("a ledger", () => {
  let ledger;
  let object;
  before(async () => {
    ledger = await openLedger();
    object = await ledger.object();
  });
  after(() => ledger?.stop());

  test("is no wasm instance before it is first called, whatever the gateway answers", async () => {
    const answer = await ledger.miniflare.dispatchFetch("http://gateway.example.com/x");
    assert.equal(answer.status, 401);
    assert.equal(await object.instances(), 1, "the gateway's own");
    await object.poll(1);
    assert.equal(await object.instances(), 2);
    await object.poll(1);
    assert.equal(await object.instances(), 2);
  });

  test("shows a change in the next poll, and writes it to KV behind the answer", async () => {
    const key = someKey();
    const { revision } = await commit(object, [put(key, "acme")]);
    const head = await headOf(object);
    assert.equal(head.revision, revision);
    assert.deepEqual(head.changes.at(-1), { ...key.record, row: '{"subject":"acme"}' });
    const store = await ledger.kv();
    const { value, metadata } = await until(async () => {
      const entry = await store.getWithMetadata(key.name);
      return entry.value === null ? undefined : entry;
    }, "the entry in KV");
    assert.equal(value, recordOf("acme"));
    assert.deepEqual(metadata, { sha256: sha256(value) });

    await commit(object, [remove(key)]);
    assert.deepEqual((await headOf(object)).changes.at(-1), { ...key.record, row: null });
    // KV takes one write a second of a name.
    await object.advance(2000);
    await object.ring();
    assert.equal(await store.get(key.name), null);
  });

  test("carries an operation out once, however often it is called, and none whose edits cannot be used", async () => {
    const key = someKey();
    const operation = randomUUID();
    const first = await commit(object, [put(key, "once")], operation);
    assert.deepEqual(await commit(object, [put(key, "once")], operation), first);
    assert.equal((await headOf(object)).revision, first.revision);
    const refused = await commit(object, [put(someKey(), "good"), { ...put(key), json: '{"subject":true}' }]);
    assert.deepEqual([refused.error, refused.edit], ["invalid", 1]);
    assert.equal((await headOf(object)).revision, first.revision, "not the good one either");
    assert.equal((await commit(object, [{ edit: "unheardOf" }])).error, "request");
    assert.equal(JSON.parse(await object.commit("{")).error, "request");
  });

  test("says how old its answer is by its own clock, which never goes back", async () => {
    const { asOf } = await headOf(object);
    assert.equal((await headOf(object)).asOf - asOf < 1000, true);
    await object.advance(5000);
    const later = (await headOf(object)).asOf;
    assert.ok(later >= asOf + 5000);
    await object.advance(-60_000);
    assert.equal((await headOf(object)).asOf, later);
    await object.advance(60_000);
  });

  test("has segments of its log, and none that it has not", async () => {
    const { revision } = await headOf(object);
    const { first, changes } = readSegment(await object.segment(1));
    assert.deepEqual([first, changes.length], [1, revision]);
    assert.equal(await object.segment(2), null);
    assert.equal(await object.segment(256 * Math.ceil(revision / 256) + 1), null);
  });

  test("reads an entry of KV that somebody made by hand, with its expiry, when it is asked for", async () => {
    const key = someKey();
    const asked = async (name) => readSegment(await object.ask(name));
    assert.deepEqual((await asked(key.name)).changes, [{ ...key.record, row: null }]);
    const store = await ledger.kv();
    await store.put(key.name, recordOf("hand"), { expirationTtl: 600 });
    // Another entry that begins with the same name, and sorts after it.
    await store.put(`${key.name}0`, "{}", { expirationTtl: 60 });
    const { changes, first } = await asked(key.name);
    const [{ expires, ...change }] = changes;
    assert.deepEqual(change, { ...key.record, row: '{"subject":"hand"}' });
    const { keys } = await store.list({ prefix: key.name, limit: 1 });
    assert.equal(expires, keys[0].expiration);
    assert.equal(first, (await headOf(object)).revision);
    await assert.rejects(object.ask("no name of a record"));
  });

  test("says what it knows where KV fails", async () => {
    const key = someKey();
    await (await ledger.kv()).put(key.name, recordOf("hand"));
    await object.break("get");
    assert.deepEqual(readSegment(await object.ask(key.name)).changes, [{ ...key.record, row: null }]);
    await object.break("list");
    assert.deepEqual(readSegment(await object.ask(key.name)).changes, [{ ...key.record, row: null }]);
    await object.break();
    assert.equal(readSegment(await object.ask(key.name)).changes[0].row, '{"subject":"hand"}');
  });

  test("takes a change back whole where its database fails, and goes on with a new instance", async () => {
    const before = await headOf(object);
    const instances = await object.instances();
    const key = someKey();
    await object.breakDatabase();
    await assert.rejects(commit(object, [put(key, "lost")]));
    await object.mendDatabase();
    const after = await headOf(object);
    assert.deepEqual([after.epoch, after.revision], [before.epoch, before.revision]);
    assert.equal(await object.instances(), instances + 1);
    const { during } = await until(
      () => ledger.lines.find(({ event }) => event === "ledger_fault"),
      "the line of the fault",
    );
    assert.equal(during, "commit");
    const { revision } = await commit(object, [put(key, "kept")]);
    assert.equal(revision, before.revision + 1);
  });

  test("has an alarm set by whoever finds none, and goes on after one in which all fails", async () => {
    await object.dropAlarm();
    await object.poll(1);
    assert.ok((await object.alarmAt()) !== null);
    await object.dropAlarm();
    await object.breakDatabase();
    await object.ring();
    assert.ok((await object.alarmAt()) !== null, "nothing that an alarm meets leaves none");
    await object.mendDatabase();
    const key = someKey();
    await object.break("put", "list", "get", "delete", "getWithMetadata");
    await commit(object, [put(key, "late")]);
    await object.ring();
    await object.break();
    await object.advance(MINUTE);
    await object.ring();
    assert.equal(await (await ledger.kv()).get(key.name), recordOf("late"));
  });
});

test("what KV was still to be told is told by the object that comes after", async () => {
  const ledger = await openLedger({ persist: join(folder, "resumed") });
  try {
    let object = await ledger.object();
    await object.break("put");
    const keys = Array.from({ length: 20 }, someKey);
    const { revision } = await commit(
      object,
      keys.map((key) => put(key, "resumed")),
    );
    const { epoch } = await headOf(object);
    await object.end().catch(() => {});
    await ledger.restart();
    object = await ledger.object();
    const store = await ledger.kv();
    assert.equal(await store.get(keys[0].name), null);
    const head = await headOf(object);
    assert.deepEqual([head.epoch, head.revision], [epoch, revision]);
    await object.advance(MINUTE);
    await object.ring();
    for (const { name } of keys) assert.equal(await store.get(name), recordOf("resumed"));
  } finally {
    await ledger.stop();
  }
});

test("a KV that was full before is taken in whole, and then stands in shards that KV carries", async () => {
  const ledger = await openLedger();
  try {
    const store = await ledger.kv();
    const keys = Array.from({ length: 300 }, someKey);
    const malformed = someKey();
    await Promise.all([
      ...keys.map((key) => store.put(key.name, recordOf(key.digest.slice(0, 8)))),
      // Written by hand and by a tool: with metadata and without.
      ...keys.slice(0, 50).map((key) => {
        const value = recordOf(key.digest.slice(0, 8));
        return store.put(key.name, value, { metadata: { sha256: sha256(value) } });
      }),
      store.put(malformed.name, "{"),
      store.put("customer:acme", '{"customerId":"acme","backendUrl":"https://acme.example.com"}'),
    ]);
    const object = await ledger.object();
    assert.equal((await headOf(object)).complete.keys, false, "not before all was seen");

    /** Minutes go by in which somebody polls, until the head is as it should be. */
    const later = async (isReached, what) => {
      for (let minute = 0; minute < 30; minute++) {
        const head = await headOf(object);
        if (isReached(head)) return head;
        await object.advance(MINUTE);
        await object.ring();
      }
      assert.fail(what);
    };
    await later(({ complete }) => complete.keys && complete.customers, "it is complete");
    const { epoch, shards, prefixBits } = await later((head) => head.shards.length > 0, "there are shards");
    for (const [prefix, { revision, hash, size }] of shards.entries()) {
      const name = `directory:${epoch}:${prefixBits}.${prefix}:${revision}:${hash}`;
      const bytes = Buffer.from(await store.get(name, "arrayBuffer"));
      assert.equal(bytes.length, size);
      assert.equal(sha256(bytes).slice(0, 32), hash);
      assert.deepEqual(Buffer.from(await object.shard(name)), bytes);
    }
    for (const key of [keys[0], keys[60], keys[299]])
      assert.equal(readSegment(await object.ask(key.name)).changes[0].row, `{"subject":"${key.digest.slice(0, 8)}"}`);
    assert.equal(readSegment(await object.ask(malformed.name)).changes[0].row, "", "there, and of no use");
    assert.equal(JSON.parse(await object.status()).records, 302);
    // For when the ledger is silent: its head, with all that no shard holds.
    const tail = readHead(new Uint8Array(await store.get("directory:head", "arrayBuffer")));
    assert.equal(tail.epoch, epoch);
    assert.ok((await store.get("directory:revocations", "arrayBuffer")) !== null);
  } finally {
    await ledger.stop();
  }
});
