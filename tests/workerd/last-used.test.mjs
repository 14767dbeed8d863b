// When keys and customers were last used, at the management API: the very SQL runs over points, and answers are as
// schemas/api.openapi.json says.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ACCOUNT, AnalyticsStandIn, TOKEN } from "../../demo/analytics/stand-in.mjs";
import { openApi } from "./support/api.mjs";

const analytics = new AnalyticsStandIn();
const asked = [];
let isDown = false;
let api;
before(async () => {
  api = await openApi({
    bindings: { CLOUDFLARE_ACCOUNT_ID: ACCOUNT, METRICS_TOKEN: TOKEN },
    analytics(sql, authorization) {
      asked.push(authorization);
      if (isDown) throw new Error("down");
      return analytics.query(sql);
    },
  });
});
after(async () => {
  await api?.stop();
  await analytics.stop();
});

/** A point of a request with that key, of that customer, as docs/metrics.md has it. */
function used(digest, customer, { at = Date.now(), reason = "", status = 200, attempts = 1 } = {}) {
  const blobs = ["1", customer, "/x", "r", "", "b", "https://b.example", digest.slice(0, 16), "api_key", reason];
  analytics.write({ indexes: [customer], blobs, doubles: [1, status, 5, 4, 1, attempts] }, at);
}

const AT = new Date(Math.floor(Date.now() / 1000) * 1000 - 60_000);
const keyOf = (customerId) => ({ prefix: "sk_test", subject: "ci", claims: { customerId } });

test("a page, and one key, say when each was last let in; a key that was not used says since when was looked", async () => {
  const one = (await api.call("POST", "/v1/keys", { body: keyOf("acme") })).body;
  const other = (await api.call("POST", "/v1/keys", { body: keyOf("acme") })).body;
  used(one.id, "acme", { at: AT.getTime() - 5000 });
  used(one.id, "acme", { at: AT.getTime() });
  // Refused for its credential: no use.
  used(one.id, "", { reason: "api_key_expired", status: 401, attempts: 0 });
  const { body } = await api.call("GET", "/v1/keys?customer=acme&lastUsed=true");
  const of = (id) => body.keys.find((item) => item.id === id).lastUsed;
  assert.equal(of(one.id), AT.toISOString());
  assert.equal(of(other.id), null);
  assert.equal(body.usage.sampled, false);
  assert.ok(Date.parse(body.usage.since) < Date.now() - 89 * 86_400_000);
  const single = await api.call("GET", `/v1/keys/${one.id}?lastUsed=true`);
  assert.equal(single.body.lastUsed, AT.toISOString());
  assert.deepEqual([...new Set(asked)], [`Bearer ${TOKEN}`]);
});

test("a customer was used where its requests were let in, whatever its id", async () => {
  const id = "o'brien \\ söhne";
  await api.call("PUT", `/v1/customers/${encodeURIComponent(id)}`, { body: { backendUrl: "https://o.example.com" } });
  used("ab".repeat(32), id, { at: AT.getTime() });
  const { body } = await api.call("GET", "/v1/customers?lastUsed=true");
  assert.equal(body.customers.find((item) => item.id === id).lastUsed, AT.toISOString());
});

test("without the parameter nobody is asked, and a root key learns of its own alone", async () => {
  asked.length = 0;
  const { body } = await api.call("GET", "/v1/keys");
  assert.ok(body.keys.every((item) => !("lastUsed" in item)) && !("usage" in body));
  await api.putRoot("root_of_another", { scopes: ["keys.read"], customers: ["other"] });
  const own = await api.call("GET", "/v1/keys?customer=other&lastUsed=true", { key: "root_of_another" });
  assert.deepEqual(own.body.keys, []);
  assert.equal((await api.call("GET", "/v1/keys?customer=acme&lastUsed=true", { key: "root_of_another" })).status, 404);
  assert.equal((await api.call("GET", "/v1/keys?lastUsed=true", { key: "sk_test_made_up" })).status, 401);
  assert.equal(asked.length, 0);
});

test("an API that is down is 503, and a parameter that is none 400", async () => {
  isDown = true;
  const { status, fields } = await api.call("GET", "/v1/keys?customer=acme&lastUsed=true");
  assert.equal(status, 503);
  assert.equal(fields.get("retry-after"), "5");
  isDown = false;
  assert.equal((await api.call("GET", "/v1/keys?lastUsed=yes")).status, 400);
});
