// Spans of the platform's tracing: off they are nothing, and on they tell no more than they may.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { inAuthenticationSpan, inClientSpan, inLookUpSpan, installSpans } from "../../src/edge/spans.js";

afterEach(() => installSpans(undefined));

/** A tracing that notes its spans; `isTraced` is whether the platform traces the request. */
function install(isTraced) {
  const spans = [];
  installSpans({
    enterSpan(name, act) {
      const attributes = {};
      spans.push({ name, attributes });
      return act({ isTraced, setAttribute: (key, value) => (attributes[key] = value) });
    },
  });
  return spans;
}

const URL_WITH_SECRETS = "https://user:pass@backend.example:8443/orders/4711?token=secret";

test("without the setting, and on a runtime that knows of no spans, calls are made as they are", async () => {
  for (const own of [undefined, null, {}, { enterSpan: "yes" }, { startSpan() {} }]) {
    installSpans(own);
    assert.equal(await inClientSpan("GET", URL_WITH_SECRETS, 1, async () => "answer"), "answer");
    assert.equal(await inLookUpSpan("cloudflare.kv", "key:abc", async () => "record"), "record");
    const decided = Promise.resolve("decided");
    assert.equal(inAuthenticationSpan(decided), decided);
  }
});

test("a call is told of by method, place and status, and by nothing of its path, query or user", async () => {
  const spans = install(true);
  const answer = await inClientSpan("POST", URL_WITH_SECRETS, 2, async () => new Response(null, { status: 503 }));
  assert.equal(answer.status, 503);
  assert.deepEqual(spans, [
    {
      name: "POST",
      attributes: {
        "http.request.method": "POST",
        "server.address": "backend.example",
        "server.port": 8443,
        "url.scheme": "https",
        "http.request.resend_count": 1,
        "http.response.status_code": 503,
        "error.type": "503",
      },
    },
  ]);
});

test("a call that fails fails as it did, and its span says of which kind that was", async () => {
  const spans = install(true);
  const failure = new TypeError("https://backend.example/orders?token=secret");
  await assert.rejects(
    inClientSpan("GET", "http://backend.example/", 1, () => Promise.reject(failure)),
    failure,
  );
  assert.equal(spans[0].attributes["error.type"], "TypeError");
  assert.equal(spans[0].attributes["server.port"], 80);
  assert.doesNotMatch(JSON.stringify(spans), /secret|orders/);
});

test("a look-up is told of by the kind of its record alone", async () => {
  const spans = install(true);
  await inLookUpSpan("cloudflare.kv", "customer:acme-corp", async () => null);
  assert.deepEqual(spans, [
    {
      name: "get customer",
      attributes: { "db.system.name": "cloudflare.kv", "db.operation.name": "get", "db.collection.name": "customer" },
    },
  ]);
});

test("of a request that is not traced nothing is gathered", async () => {
  const spans = install(false);
  await inClientSpan("GET", "no URL at all", 1, async () => new Response());
  await inLookUpSpan("cloudflare.kv", "key:abc", async () => null);
  assert.deepEqual(
    spans.map(({ attributes }) => attributes),
    [{}, {}],
  );
});
