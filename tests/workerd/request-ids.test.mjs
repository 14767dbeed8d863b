// A client's own X-Request-Id, where the configuration keeps it: the same for backend, answer, problem and log line, and
// nothing that could do harm in any of these.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { gatewayToml } from "./support/files.mjs";
import { openGateway } from "./support/gateway.mjs";

const kept = gatewayToml("prefix").replace(/^auth = \[\]$/gm, "auth = []\nrequest_id = true");

let gateway;
before(async () => {
  gateway = await openGateway({ toml: kept });
});
after(() => gateway?.stop());
beforeEach(() => {
  gateway.world.clear();
  gateway.log.clear();
});

const send = (target, ...ids) => gateway.send({ target, headers: ids.map((id) => ["X-Request-Id", id]) });
const ids = ({ headers }) =>
  headers.filter(([name]) => name.toLowerCase() === "x-request-id").map(([, value]) => value);

test("a client's id is what backend, answer and log line have", async () => {
  const id = "order-4711:a.b_C";
  const answer = await send("/api/v1/orders", id);
  assert.equal(answer.status, 200);
  assert.deepEqual(ids(gateway.called()[0]), [id]);
  assert.equal(answer.get("x-request-id"), id);
  assert.equal((await gateway.log.request()).request_id, id);
});

test("a client's id is what a problem has", async () => {
  const answer = await send("/nowhere", "order-4711");
  assert.equal(answer.json().instance, "order-4711");
  assert.equal((await gateway.log.request()).request_id, "order-4711");
});

for (const [what, ...sent] of [
  ["of seven characters", "1234567"],
  ["of 129 characters", "a".repeat(129)],
  ["with a space", "order 4711"],
  ["with quotes", 'order"4711'],
  ["that is sent twice", "order-4711", "order-4712"],
])
  test(`an id ${what} is replaced`, async () => {
    const answer = await send("/api/v1/orders", ...sent);
    const [id] = ids(gateway.called()[0]);
    assert.match(id, /^[0-9a-f]{32}$/);
    assert.equal(answer.get("x-request-id"), id);
    assert.equal((await gateway.log.request()).request_id, id);
  });

test("without the setting a client's id is replaced", async () => {
  await gateway.restart({ toml: kept.replace('request_id = "keep"', "") });
  await send("/api/v1/orders", "order-4711");
  assert.match(ids(gateway.called()[0])[0], /^[0-9a-f]{32}$/);
});
