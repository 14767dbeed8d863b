// The console and the built gateway with its ledger, in workerd: what the console changes counts at the gateway within
// max_staleness, and stands in the audit trail.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { OPERATOR_SECRET } from "../../demo/gateway.mjs";
import { demoKey } from "../../demo/seed.mjs";
import { createClient, hiddenOf, LEDGER_PATH, openConsole, withLedger } from "./support/console.mjs";

const MAX_STALENESS = 10_000;
const KEY = /sk_(?:live|test)_[0-9A-Za-z]{24}_[0-9A-Za-z]{6}/;

let own;
let client;
before(async () => {
  own = await openConsole({ configuration: withLedger });
  client = await own.signedIn();
});
after(() => own?.stop());

const digestOf = (key) => createHash("sha256").update(key).digest("hex");
const at = (key, path = "/key") => `${path}?digest=${digestOf(key)}`;
const customerAt = (id, path = "/customer") => `${path}?${new URLSearchParams({ id })}`;
const call = async (key, path = "/environment/hello") =>
  (await fetch(`${own.gatewayUrl}${path}`, { headers: { authorization: `Bearer ${key}` } })).status;

/** Asks the operator's endpoint, as somebody else would. */
async function askLedger(query, body) {
  const init = body && { method: "POST", body: JSON.stringify(body) };
  const headers = { authorization: `Bearer ${OPERATOR_SECRET}` };
  const answer = await fetch(`${own.gatewayUrl}${LEDGER_PATH}${query}`, { ...init, headers });
  return { status: answer.status, json: await answer.json() };
}

/** Calls until the gateway answers so; fails after `within` milliseconds. Says how long it took. */
async function untilStatus(wanted, within, ...request) {
  const from = performance.now();
  for (;;) {
    const status = await call(...request);
    const took = performance.now() - from;
    assert.ok(took <= within, `${status} after ${Math.round(took)} ms, and not ${wanted}`);
    if (status === wanted) return took;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function create(values = {}) {
  const answer = await client.submit("/keys/new", {
    prefix: "sk_live",
    subject: "made here",
    claims: '{"environment":"sandbox"}',
    ...values,
  });
  assert.equal(answer.status, 200, answer.text);
  return KEY.exec(answer.text)[0];
}

test("a key that was made works at its first request, and once revoked is refused within max_staleness", async () => {
  const key = await create();
  assert.equal(await call(key), 200);
  const revoked = await client.submit(at(key, "/key/revoke"), {});
  assert.equal(revoked.location, "/keys?done=revoked");
  assert.match(
    (await client.get(revoked.location)).text,
    /Revoked\.<\/strong> This counts everywhere within 10 seconds\./,
  );
  const took = await untilStatus(401, MAX_STALENESS, key);
  console.log(`refused ${Math.round(took)} ms after the console answered`);
  assert.equal((await client.get(at(key))).status, 404, "the console shows that at once");
});

test("a key that is disabled, enabled and rolled is so at the gateway", async () => {
  const key = await create();
  assert.equal(await call(key), 200);
  assert.equal((await client.submit(at(key), { to: "off" }, at(key, "/key/switch"))).status, 303);
  assert.match((await client.get(at(key))).text, /state off">disabled/);
  await untilStatus(401, MAX_STALENESS, key);
  assert.equal((await client.submit(at(key), { to: "on" }, at(key, "/key/switch"))).status, 303);
  await untilStatus(200, MAX_STALENESS, key);
  const rolled = await client.submit(at(key, "/key/roll"), { grace: "0s", prefix: "sk_live", expiresAt: "" });
  const [fresh] = KEY.exec(rolled.text);
  assert.equal(await call(fresh), 200);
  await untilStatus(401, MAX_STALENESS, key);
});

test("a customer that was made, changed and removed is so at the gateway, and KV follows", async () => {
  const put = (values) => client.submit("/customers/new", { customerId: "ledger-corp", ...values });
  assert.equal((await put({ backendUrl: "https://acme.tenants.example.com" })).status, 303);
  const key = await create({ customer: "ledger-corp", claims: "" });
  await untilStatus(200, MAX_STALENESS, key, "/customers/hello");
  const kv = await own.kv();
  for (let i = 0; (await kv.get("customer:ledger-corp")) === null; i++) {
    assert.ok(i < 100, "KV is written behind the answer");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const off = await client.submit(
    customerAt("ledger-corp"),
    { to: "off" },
    customerAt("ledger-corp", "/customer/switch"),
  );
  assert.equal(off.status, 303);
  await untilStatus(403, MAX_STALENESS, key, "/customers/hello");
  assert.equal((await client.submit(customerAt("ledger-corp", "/customer/remove"), {})).status, 303);
  assert.equal((await client.get(customerAt("ledger-corp"))).status, 404);
});

test("of two changes of one record the second sees the first", async () => {
  const key = await create({ name: "contended" });
  const page = await client.get(at(key));
  const name = `key:${digestOf(key)}`;
  const { json: before } = await askLedger(`?record=${name}`);
  const record = JSON.stringify({ ...JSON.parse(before.operator.text), name: "theirs" });
  const edit = { edit: "putKey", digest: digestOf(key), json: record, expected: before.operator.version };
  const theirs = await askLedger("", { operation: "theirs-1", actor: "jane@example.com", edits: [edit] });
  assert.equal(theirs.status, 200);
  const form = { ...hiddenOf(page.text, at(key, "/key/switch")), to: "off" };
  const refused = await client.post(at(key, "/key/switch"), form);
  assert.equal(refused.status, 409);
  assert.match(refused.text, /changed by somebody else/);
  assert.match(refused.text, /<h1>theirs<\/h1>/);
  const { json: now } = await askLedger(`?record=${name}`);
  assert.equal(now.operator.text, record, "nothing was done");
  const again = await client.post(at(key, "/key/switch"), {
    ...hiddenOf(refused.text, at(key, "/key/switch")),
    to: "off",
  });
  assert.equal(again.status, 303);
});

test("the audit page has each change with who made it and by which operation", async () => {
  const key = await create();
  await client.submit(at(key, "/key/revoke"), {});
  const { text } = await client.get(`/audit?of=key:${digestOf(key)}`);
  const rows = [...text.matchAll(/<tr><th scope="row">[\s\S]*?<\/tr>/g)].map(([row]) => row);
  assert.equal(rows.length, 2);
  assert.match(rows[0], />console<\/a><\/td><td>removed key[\s\S]*console-[\w-]{24}/);
  assert.match(rows[1], />console<\/a><\/td><td>wrote key/);
  assert.ok(!text.includes(key));
  assert.match((await client.get("/audit")).text, new RegExp(`digest=${digestOf(key)}`));
  const nobody = await client.get(`/audit?of=key:${digestOf(key)}&who=jane`);
  assert.match(nobody.text, /None among those that were looked at/);
  const { json } = await askLedger(`?trail&limit=2&actor=CONSOLE&name=key:${digestOf(key)}`);
  assert.deepEqual(
    json.lines.map(({ actor, action }) => [actor, action]),
    [
      ["console", "remove"],
      ["console", "put"],
    ],
  );
});

test("behind Access the audit trail names who is signed in", async () => {
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  const [team, audience] = ["team.cloudflareaccess.com", "a".repeat(64)];
  const access = await openConsole({
    configuration: withLedger,
    bindings: { ACCESS_TEAM_DOMAIN: team, ACCESS_AUD: audience },
  });
  try {
    const jwk = { ...(await exportJWK(publicKey)), kid: "one", alg: "RS256", use: "sig" };
    access.world.replace(team, (_, response) =>
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ keys: [jwk] })),
    );
    const assertion = await new SignJWT({ email: "ops@example.com" })
      .setProtectedHeader({ alg: "RS256", kid: "one" })
      .setIssuer(`https://${team}`)
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(privateKey);
    const signedIn = createClient(access.origin, { fields: { "cf-access-jwt-assertion": assertion } });
    await signedIn.signIn();
    const form = { customerId: "by-mail", backendUrl: "https://x.example.com" };
    assert.equal((await signedIn.submit("/customers/new", form)).status, 303);
    assert.match(
      (await signedIn.get("/audit?of=customer:by-mail")).text,
      /who=ops%40example\.com">ops@example\.com<\/a><\/td><td>wrote customer/,
    );
  } finally {
    await access.stop();
  }
});

test("what somebody made in KV by hand is shown on its page at once, and can be changed", async () => {
  const kv = await own.kv();
  await kv.put("customer:by-hand", JSON.stringify({ customerId: "by-hand", backendUrl: "https://x.example.com" }));
  const saved = await client.submit(customerAt("by-hand"), { backendUrl: "https://y.example.com" });
  assert.equal(saved.status, 303, saved.text);
  assert.match((await client.get(customerAt("by-hand"))).text, /value="https:\/\/y\.example\.com"/);
  assert.equal((await client.get(customerAt("acme-corp"))).status, 200, "what was seeded in KV");
  assert.equal(await call(demoKey("acme"), "/customers/hello"), 200);
});

test("the operator's endpoint finds customers and keys by a part of what they are called, and counts them", async () => {
  const { total, matching, records } = (await askLedger("?search=id&text=ACM&limit=1")).json;
  assert.ok(matching >= 1 && total >= matching, `${matching} of ${total}`);
  assert.equal(records.length, 1);
  assert.match(records[0].name, /^customer:.*acm/i);
  for (const by of ["subject", "customer", "digest"]) {
    const found = (await askLedger(`?search=${by}&order=descending`)).json;
    assert.equal(found.matching, found.total, by);
    assert.ok(found.records.every(({ name }) => name.startsWith("key:")));
  }
});

test("the operator's endpoint refuses what cannot be looked at", async () => {
  assert.deepEqual((await askLedger("?record=nothing")).json, { error: "name" });
  for (const query of [
    "?record=nothing",
    "?keys&behind=x",
    "?customers&behind=x",
    "?trail&before=x",
    "?keys&limit=0",
    "?search=name",
  ])
    assert.equal((await askLedger(query)).status, 400, query);
});

test("a ledger that is being switched off takes no change, and KV is not written in its place", async () => {
  const off = await openConsole({ configuration: withLedger });
  try {
    const operator = await off.signedIn();
    const form = { customerId: "first", backendUrl: "https://x.example.com" };
    assert.equal((await operator.submit("/customers/new", form)).status, 303);
    const headers = { authorization: `Bearer ${OPERATOR_SECRET}` };
    const url = `${off.gatewayUrl}${LEDGER_PATH}?do=off`;
    assert.equal((await fetch(url, { method: "POST", headers, body: '{"dropRevocations":true}' })).status, 200);
    const leaving = await operator.submit("/customers/new", { ...form, customerId: "second" });
    assert.equal(leaving.status, 503);
    assert.match(leaving.text, /Nothing was changed\. The ledger is off, or about to be\./);
    assert.equal(await (await off.kv()).get("customer:second"), null);
  } finally {
    await off.stop();
  }
});
