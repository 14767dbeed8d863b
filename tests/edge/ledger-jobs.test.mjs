// Which operation of KV each job of the ledger's is.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { join } from "../../src/edge/ledger_frames.js";
import { carryOut, readJobs } from "../../src/edge/ledger_jobs.js";

const utf8 = (text) => new TextEncoder().encode(text);

/** A store that notes what it is asked for. */
function noting(results = {}) {
  const asked = [];
  const store = new Proxy(
    {},
    {
      get:
        (_, name) =>
        async (...given) => {
          asked.push([name, ...given]);
          return results[name] ?? { result: null };
        },
    },
  );
  return { asked, store };
}

test("jobs are read with their values, which stay as they are", () => {
  const tasks = [
    { id: 1, do: "put", name: "customer:ä" },
    { id: { any: ["thing"] }, do: "list", prefix: "" },
  ];
  const bytes = join([utf8(JSON.stringify(tasks[0])), utf8("value"), utf8(JSON.stringify(tasks[1])), utf8("")]);
  const jobs = readJobs(bytes);
  bytes.fill(0);
  assert.deepEqual(
    jobs.map(({ task }) => task),
    tasks,
  );
  assert.deepEqual(
    jobs.map(({ value }) => value),
    [utf8("value"), utf8("")],
  );
  assert.deepEqual(readJobs(new Uint8Array()), []);
});

const value = utf8("value");
for (const [task, operation] of [
  [{ do: "put", name: "a" }, ["put", "a", value, {}]],
  [
    { do: "put", name: "a", expiration: 2e9, metadata: { sha256: "0" } },
    ["put", "a", value, { expiration: 2e9, metadata: { sha256: "0" } }],
  ],
  [{ do: "delete", name: "a" }, ["delete", "a"]],
  [{ do: "texts", names: ["a", "b"] }, ["texts", ["a", "b"], 30]],
  [{ do: "digest", name: "a" }, ["bytes", "a", 30]],
  [{ do: "list", prefix: "key:" }, ["list", "key:", undefined, 1000]],
  [{ do: "list", prefix: "key:", cursor: "c", most: 10 }, ["list", "key:", "c", 10]],
])
  test(`${JSON.stringify(task)} is one operation, and its outcome names the job`, async () => {
    const { asked, store } = noting();
    const outcome = await carryOut(store, { task: { id: 7, ...task }, value });
    assert.deepEqual(asked, [operation]);
    assert.deepEqual(JSON.parse(outcome), { id: 7, result: null });
  });

test("what was read back is told by its digest", async () => {
  const { store } = noting({ bytes: { result: value } });
  const outcome = JSON.parse(await carryOut(store, { task: { id: 1, do: "digest", name: "a" }, value }));
  assert.equal(outcome.result, createHash("sha256").update(value).digest("hex"));
});

test("a failure is told, and so is a task that nobody knows", async () => {
  const { store } = noting({ bytes: { failed: "timeout" } });
  const outcome = async (task) => JSON.parse(await carryOut(store, { task, value }));
  assert.deepEqual(await outcome({ id: 1, do: "digest", name: "a" }), { id: 1, failed: "timeout" });
  assert.deepEqual(await outcome({ id: 2, do: "dance" }), { id: 2, failed: "unavailable" });
});
