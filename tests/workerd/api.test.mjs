// The management API at the built Worker: a key's life as isolates see it, and sequences of calls of which each answer is as
// schemas/api.openapi.json says.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OpenAPIClientAxios } from "openapi-client-axios";
import { BASE, DOCUMENT, digestOf, openApi, SCOPES } from "./support/api.mjs";
import { until } from "./support/log.mjs";

let api;
before(async () => {
  api = await openApi();
});
after(() => api?.stop());

const keyOf = (customerId) => ({ prefix: "sk_test", subject: "ci", claims: { customerId } });
/** What isolates answer the holder of a key. */
const seen = async (key) => [(await api.ask(0, key)).status, (await api.ask(1, key)).status];

test("a key that is made works in each isolate at once, and is refused everywhere within the bound", async () => {
  const { status, body } = await api.call("POST", "/v1/keys", { body: keyOf("acme") });
  assert.equal(status, 201);
  assert.equal(body.id, digestOf(body.key));
  assert.deepEqual(await seen(body.key), [200, 200]);
  const began = Date.now();
  assert.equal((await api.call("DELETE", `/v1/keys/${body.id}`)).status, 200);
  await until(async () => (await seen(body.key)).every((one) => one === 401), "heard everywhere", 10_000);
  console.log(`refused in both isolates after ${Date.now() - began} ms`);
});

test("a rolled key goes on for its grace, and a disabled one is let in again", async () => {
  const made = (await api.call("POST", "/v1/keys", { body: keyOf("acme") })).body;
  const rolled = (await api.call("POST", `/v1/keys/${made.id}/roll`, { body: { grace: "24h" } })).body;
  assert.deepEqual(
    [await seen(made.key), await seen(rolled.key)],
    [
      [200, 200],
      [200, 200],
    ],
  );
  await api.call("PATCH", `/v1/keys/${rolled.id}`, { body: { disabled: true } });
  await until(async () => (await seen(rolled.key)).every((one) => one === 401), "heard everywhere", 10_000);
  await api.call("PATCH", `/v1/keys/${rolled.id}`, { body: { disabled: null } });
  await until(async () => (await seen(rolled.key)).every((one) => one === 200), "heard everywhere", 10_000);
});

test("a customer's backend counts as soon as it is written", async () => {
  const { key } = (await api.call("POST", "/v1/keys", { body: keyOf("wayne") })).body;
  assert.match((await api.ask(1, key)).text, /shared/);
  await api.call("PUT", "/v1/customers/wayne", { body: { backendUrl: "https://wayne.example.com" } });
  await until(async () => /wayne/.test((await api.ask(1, key)).text), "heard everywhere", 10_000);
});

test("no route lets a root key in, and no other key is let in at the API", async () => {
  assert.equal((await api.ask(0, api.root)).status, 401);
  const { key } = (await api.call("POST", "/v1/keys", { body: keyOf("acme") })).body;
  assert.equal((await api.call("GET", "/v1/self", { key })).status, 401);
  assert.equal((await api.call("GET", "/v1/self", { key: "sk_test_made_up" })).status, 401);
  assert.equal((await api.call("GET", "/v1/self", { key: undefined, headers: { authorization: "" } })).status, 401);
});

test("a root key that is put into KV works at once", async () => {
  await api.putRoot("root_by_hand", { scopes: ["keys.read"], customers: ["acme"] });
  const { status, body } = await api.call("GET", "/v1/self", { key: "root_by_hand" });
  assert.deepEqual([status, body.scopes, body.customers], [200, ["keys.read"], ["acme"]]);
});

test("the description is served, with where it is", async () => {
  const { status, body } = await api.call("GET", "/v1/openapi.json");
  assert.equal(status, 200);
  assert.deepEqual(body, { ...DOCUMENT, servers: [{ ...DOCUMENT.servers[0], url: BASE }] });
});

test("nothing but the API is below its path, and its neighbours are routes' own", async () => {
  for (const path of ["", "/", "/v2/keys", "/v1/nothing", "/v1/keys/x"])
    assert.equal((await api.call("GET", path)).status, 404, path);
  assert.equal((await api.call("PUT", "/v1/keys", { body: {} })).status, 405);
  assert.equal((await api.ask(0, api.root, { path: `${BASE}x/v1/keys` })).status, 404);
  const huge = await api.call("POST", "/v1/keys", { body: { subject: "x".repeat(5 << 20) } });
  assert.equal(huge.status, 413);
});

test("a client that is made of the description runs the whole life of a key", async () => {
  const origin = await api.origin(0);
  const definition = { ...DOCUMENT, servers: [{ url: `${origin}${BASE}` }] };
  const client = await new OpenAPIClientAxios({ definition }).init();
  client.defaults.headers.common.authorization = `Bearer ${api.root}`;
  const made = await client.createKey({ "Idempotency-Key": "life-1" }, keyOf("client"));
  const again = await client.createKey({ "Idempotency-Key": "life-1" }, keyOf("client"));
  assert.deepEqual(again.data, made.data);
  const { id, key } = made.data;
  assert.equal((await api.ask(0, key)).status, 200);
  const listed = await client.listKeys({ customer: "client" });
  assert.deepEqual(
    listed.data.keys.map((item) => item.id),
    [id],
  );
  const { headers } = await client.getKey({ id });
  const patched = await client.patchKey({ id, "If-Match": headers.etag }, { name: "renamed" });
  assert.equal(patched.data.record.name, "renamed");
  await assert.rejects(client.patchKey({ id, "If-Match": headers.etag }, { name: "lost" }), /412/);
  const rolled = await client.rollKey({ id }, { grace: "0" });
  assert.equal((await api.ask(0, rolled.data.key)).status, 200);
  await client.revokeKey({ id: rolled.data.id });
  assert.deepEqual((await client.listKeys({ customer: "client" })).data.keys, []);
  const lines = (await client.listAudit({ limit: 1000 })).data.lines.filter(({ name }) => name === `key:${id}`);
  assert.deepEqual(
    lines.map(({ action }) => action),
    ["put", "put", "remove"],
  );
});

/** Numbers that are the same for the same seed. */
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test("no sequence of calls leads to an answer that is not described", async () => {
  for (const seed of [1, 2, 3]) {
    const next = numbers(seed);
    const pick = (list) => list[next(list.length)];
    const ids = [digestOf("nobody")];
    const tags = ['"1"', "*", '"x"', "nonsense"];
    const roots = [api.root, `limited_${seed}`, `reader_${seed}`];
    await api.putRoot(roots[1], { scopes: SCOPES, customers: ["acme"], prefixes: ["sk_test"] });
    await api.putRoot(roots[2], { scopes: ["keys.read", "customers.read"] });
    const record = () =>
      pick([
        keyOf("acme"),
        keyOf("wayne"),
        { subject: "" },
        { subject: "s", root: { scopes: ["audit.read"] } },
        { a: 1 },
        {},
      ]);
    const customer = () => `/v1/customers/${pick(["acme", "wayne", "a%2Fb", "%20", "x".repeat(300)])}`;
    const backend = () =>
      pick([{ backendUrl: "https://a.example.com" }, { backendUrl: "nonsense" }, { disabled: true }, {}]);
    const until = () => pick(["2099-01-01T00:00:00Z", "2000-01-01T00:00:00Z", 7, undefined]);
    const calls = [
      () => ["POST", "/v1/keys", record()],
      () => ["GET", `/v1/keys/${pick(ids)}`],
      () => ["PUT", `/v1/keys/${pick(ids)}`, record()],
      () => [
        "PATCH",
        `/v1/keys/${pick(ids)}`,
        pick([{ name: "n" }, { subject: null }, { claims: { customerId: "wayne" } }, { disabled: true }]),
      ],
      () => [
        "POST",
        `/v1/keys/${pick(ids)}/roll`,
        pick([{ grace: "1h" }, { grace: "0" }, {}, { grace: "1h", expiresAt: "x" }]),
      ],
      () => ["DELETE", `/v1/keys/${pick(ids)}`],
      () => [
        "GET",
        `/v1/keys${pick(["", "?customer=acme", "?limit=1", "?limit=x", "?subject=ci&limit=2", "?cursor=00"])}`,
      ],
      () => ["GET", customer()],
      () => ["PUT", customer(), backend()],
      () => ["PATCH", customer(), backend()],
      () => ["DELETE", customer()],
      () => ["GET", `/v1/customers${pick(["", "?prefix=a", "?limit=1", "?nonsense=1"])}`],
      () => ["POST", "/v1/revocations", { issuer: "i", jti: pick(["a", "", undefined]), until: until() }],
      () => ["POST", "/v1/revocations/lift", { issuer: "i", jti: "a" }],
      () => [
        "POST",
        "/v1/bulk",
        {
          operations: [
            { method: "PUT", path: customer(), body: backend() },
            { method: "POST", path: "/v1/keys", body: record() },
          ],
        },
      ],
      () => ["GET", "/v1/audit?limit=3"],
      () => ["GET", "/v1/self"],
      () => ["POST", "/v1/customers-changed", pick([{ customers: [] }, {}])],
    ];
    const keys = ["a", "b", "c", "d e"];
    for (let count = 0; count < 150; count += 1) {
      const [method, path, body] = pick(calls)();
      const headers = {
        ...(next(4) === 0 && { "if-match": pick(tags) }),
        ...(next(8) === 0 && { "if-none-match": pick(["*", '"1"']) }),
        ...(next(4) === 0 && { "idempotency-key": `${seed}-${pick(keys)}` }),
      };
      const { status, body: answer, fields } = await api.call(method, path, { key: pick(roots), body, headers });
      if (status < 300 && answer?.id && path.startsWith("/v1/keys")) ids.push(answer.id);
      if (fields.get("etag")) tags.push(fields.get("etag"));
      assert.ok(status < 500, `seed ${seed}: ${method} ${path} ${status}`);
    }
  }
});
