// Keys through the console: made once, shown once, and what the gateway makes of them.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { kvName } from "../../demo/keys.mjs";
import { demoKey } from "../../demo/seed.mjs";
import { hiddenOf, openConsole } from "./support/console.mjs";

let own;
let client;
let kv;
before(async () => {
  own = await openConsole();
  client = await own.signedIn();
  kv = await own.kv();
});
after(() => own?.stop());

const KEY = /sk_(?:live|test)_[0-9A-Za-z]{24}_[0-9A-Za-z]{6}/;
const digestOf = (key) => kvName(key).slice("key:".length);
const at = (digest, path = "/key") => `${path}?digest=${digest}`;
const record = async (digest) => JSON.parse(await kv.get(`key:${digest}`));
const call = (key, path = "/environment/hello") =>
  fetch(`${own.gatewayUrl}${path}`, { headers: { authorization: `Bearer ${key}` } });
const faulty = (text) => [...text.matchAll(/<li><a href="#([^"]+)">/g)].map(([, id]) => id);

async function create(values = {}) {
  const answer = await client.submit("/keys/new", { prefix: "sk_live", subject: "console-test", ...values });
  assert.equal(answer.status, 200, answer.text);
  const [key] = KEY.exec(answer.text);
  return { key, digest: digestOf(key), answer };
}

test("a fresh key works at the gateway; revoked it is gone", async () => {
  const { key, digest, answer } = await create({
    prefix: "sk_test",
    name: "CI",
    customer: "acme-corp",
    claims: '{"environment":"sandbox","n":12345678901234567890}',
    expiresAt: "2099-01-01T00:00:00Z",
    methods: "GET, HEAD",
  });
  assert.match(key, /^sk_test_/);
  assert.equal(answer.text.split(key).length, 2, "it stands on the page once");
  assert.equal(answer.headers.get("cache-control"), "no-store");
  const text = await kv.get(`key:${digest}`);
  assert.ok(text.includes('"n":12345678901234567890'), "digits are kept");
  const { createdAt, ...rest } = JSON.parse(text);
  assert.ok(Math.abs(Date.parse(createdAt) - Date.now()) < 60_000);
  assert.deepEqual(
    { ...rest, claims: { ...rest.claims, n: 0 } },
    {
      subject: "console-test",
      claims: { environment: "sandbox", n: 0, customerId: "acme-corp" },
      name: "CI",
      expiresAt: "2099-01-01T00:00:00Z",
      methods: ["GET", "HEAD"],
    },
  );
  assert.deepEqual((await kv.getWithMetadata(`key:${digest}`)).metadata, {
    sha256: createHash("sha256").update(text).digest("hex"),
  });

  const through = await call(key);
  assert.equal(through.status, 200);
  assert.equal((await through.json()).backend, "sandbox");

  const list = () => client.get("/keys?by=subject&text=console-test");
  assert.ok((await list()).text.includes(digest));
  const revoked = await client.submit(at(digest, "/key/revoke"), {});
  assert.equal(revoked.location, "/keys?done=revoked");
  assert.equal(await kv.get(`key:${digest}`), null);
  assert.ok(!(await list()).text.includes(digest));
  assert.equal((await client.get(at(digest))).status, 404);
});

test("a revoked or disabled key that no isolate holds is refused", async () => {
  const one = await create({ claims: '{"environment":"sandbox"}' });
  const two = await create({ claims: '{"environment":"sandbox"}' });
  await client.submit(at(one.digest, "/key/revoke"), {});
  await client.submit(at(two.digest), { to: "off" }, at(two.digest, "/key/switch"));
  assert.equal((await record(two.digest)).disabled, true);
  for (const { key } of [one, two]) assert.equal((await call(key)).status, 401);
  await client.submit(at(two.digest), { to: "on" }, at(two.digest, "/key/switch"));
  assert.equal("disabled" in (await record(two.digest)), false);
});

test("one form makes one key, however often it is sent", async () => {
  const { text } = await client.get("/keys/new");
  const values = { ...hiddenOf(text, "/keys/new"), prefix: "sk_live", subject: "sent-twice" };
  assert.equal((await client.post("/keys/new", values)).status, 200);
  const again = await client.post("/keys/new", values);
  assert.equal(again.status, 409);
  assert.doesNotMatch(again.text, KEY);
  const { keys } = await kv.list({ prefix: "key:" });
  const subjects = await Promise.all(keys.map(async ({ name }) => JSON.parse(await kv.get(name)).subject));
  assert.equal(subjects.filter((subject) => subject === "sent-twice").length, 1);
});

test("a key is in no log, no address and no later page", async () => {
  const { key, digest } = await create({ name: "secret one" });
  for (const path of ["/keys", at(digest), at(digest, "/key/roll"), at(digest, "/key/revoke"), "/keys/new"]) {
    const answer = await client.get(path);
    assert.ok(!answer.text.includes(key), path);
    assert.doesNotMatch(answer.text, KEY, path);
  }
  const line = await own.logged(new RegExp(`"action":"create key","entry":"key:${digest}"`));
  assert.deepEqual(Object.keys(JSON.parse(line)), ["event", "who", "action", "entry"]);
  assert.ok(!(await own.log()).includes(key));
});

test("what the gateway would refuse is refused at its field, and nothing typed is lost", async () => {
  for (const [values, ids] of [
    [{ subject: "" }, ["subject"]],
    [{ prefix: "sk_other" }, ["prefix"]],
    [{ claims: "{" }, ["claims"]],
    [{ claims: "[]" }, ["claims"]],
    [{ claims: '{"a":1,"a":2}' }, ["claims"]],
    [{ claims: '{"customerId":"a"}', customer: "b" }, ["claims"]],
    [{ expiresAt: "next week" }, ["expiresAt"]],
    [{ allowedIps: "10.0.0.1/8" }, ["allowedIps"]],
    [{ methods: "get" }, ["methods"]],
  ]) {
    const answer = await client.submit("/keys/new", { prefix: "sk_live", subject: "s", name: "typed name", ...values });
    assert.equal(answer.status, 422);
    assert.deepEqual(faulty(answer.text), ids, JSON.stringify(values));
    assert.match(answer.text, /typed name/);
    assert.doesNotMatch(answer.text, KEY);
  }
});

test("rolling makes a key alike and gives the old one an end", async () => {
  const { digest, key } = await create({
    claims: '{"environment":"production"}',
    allowedIps: "0.0.0.0/0\n::/0",
    name: "rolled",
  });
  const before = await record(digest);
  const from = Date.now();
  const answer = await client.submit(at(digest, "/key/roll"), { grace: "1h", prefix: "sk_live", expiresAt: "" });
  assert.equal(answer.status, 200, answer.text);
  const [fresh] = KEY.exec(answer.text);
  assert.notEqual(fresh, key);
  const [old, young] = [await record(digest), await record(digestOf(fresh))];
  const { createdAt, ...alike } = young;
  assert.deepEqual(alike, {
    subject: before.subject,
    claims: before.claims,
    name: before.name,
    allowedIps: before.allowedIps,
  });
  assert.notEqual(createdAt, before.createdAt);
  const { expiresAt, ...same } = old;
  assert.deepEqual(same, before);
  const end = Date.parse(expiresAt);
  assert.ok(end >= from + 3_600_000 && end <= Date.now() + 3_600_000);
  for (const action of ["new", "old"]) await own.logged(new RegExp(`"action":"roll key: ${action}"`));
});

test("rolling never puts an end off, nor brings a dead key back", async () => {
  const soon = new Date(Date.now() + 600_000).toISOString();
  const { digest } = await create({ expiresAt: soon });
  await client.submit(at(digest), { to: "off" }, at(digest, "/key/switch"));
  const answer = await client.submit(at(digest, "/key/roll"), { grace: "30d", prefix: "sk_live", expiresAt: soon });
  const young = await record(digestOf(KEY.exec(answer.text)[0]));
  assert.equal((await record(digest)).expiresAt, soon);
  assert.equal((await record(digest)).disabled, true);
  assert.equal(young.disabled, undefined);
  assert.equal(young.expiresAt, soon);
  for (const [values, id] of [
    [{ grace: "10y", prefix: "sk_live", expiresAt: "" }, "grace"],
    [{ grace: "1h", prefix: "other", expiresAt: "" }, "prefix"],
    [{ grace: "1h", prefix: "sk_live", expiresAt: "2020-01-01T00:00:00Z" }, "expiresAt"],
    [{ grace: "1h", prefix: "sk_live", expiresAt: "never" }, "expiresAt"],
  ]) {
    const refused = await client.submit(at(digest, "/key/roll"), values);
    assert.equal(refused.status, 422);
    assert.deepEqual(faulty(refused.text), [id]);
  }
});

test("a key that somebody else has changed meanwhile stays as they left it", async () => {
  const { digest } = await create({ claims: '{"environment":"production"}' });
  const [page, form] = [await client.get(at(digest)), await client.get(at(digest, "/key/roll"))];
  const disabled = { ...(await record(digest)), disabled: true };
  await kv.put(`key:${digest}`, JSON.stringify(disabled));
  const count = async () => (await kv.list({ prefix: "key:" })).keys.length;
  const before = await count();
  const rolled = await client.post(at(digest, "/key/roll"), {
    ...hiddenOf(form.text, at(digest, "/key/roll")),
    grace: "1h",
    prefix: "sk_live",
    expiresAt: "",
  });
  const switched = await client.post(at(digest, "/key/switch"), {
    ...hiddenOf(page.text, at(digest, "/key/switch")),
    to: "on",
  });
  for (const answer of [rolled, switched]) {
    assert.equal(answer.status, 409);
    assert.match(answer.text, /changed by somebody else/);
  }
  assert.deepEqual(await record(digest), disabled);
  assert.equal(await count(), before, "no new key was made");
});

test("what an entry has in KV beside its value stays, and the end of a rolled key is the new one's too", async () => {
  const { digest } = await create({ claims: '{"environment":"production"}' });
  const expiration = Math.floor(Date.now() / 1000) + 3600;
  const beside = async (name) => {
    const { keys } = await kv.list({ prefix: name });
    return [keys[0].expiration, { ...keys[0].metadata, sha256: undefined }];
  };
  await kv.put(`key:${digest}`, JSON.stringify(await record(digest)), { expiration, metadata: { ticket: "OPS-7" } });
  for (const to of ["off", "on"]) {
    await client.submit(at(digest), { to }, at(digest, "/key/switch"));
    assert.deepEqual(await beside(`key:${digest}`), [expiration, { ticket: "OPS-7", sha256: undefined }]);
  }
  const roll = async (expiresAt) => {
    const answer = await client.submit(at(digest, "/key/roll"), { grace: "1h", prefix: "sk_live", expiresAt });
    return `key:${digestOf(KEY.exec(answer.text)[0])}`;
  };
  assert.deepEqual(await beside(await roll("")), [expiration, { sha256: undefined }]);
  assert.deepEqual(await beside(`key:${digest}`), [expiration, { ticket: "OPS-7", sha256: undefined }]);
  assert.deepEqual(
    await beside(await roll("2099-01-01T00:00:00Z")),
    [undefined, { sha256: undefined }],
    "another end was given",
  );
});

test("keys are found by subject, customer, name and digest", async () => {
  const names = (text) => [...text.matchAll(/<a href="\/key\?digest=([0-9a-f]{64})"/g)].map(([, digest]) => digest);
  const acme = digestOf(demoKey("acme"));
  for (const query of [
    "by=subject&text=demo-acme",
    "by=customer&text=ACME-c",
    "by=name&text=customer+acme-corp",
    `by=digest&text=${acme.slice(0, 10)}`,
  ]) {
    assert.ok(names((await client.get(`/keys?${query}`)).text).includes(acme), query);
  }
  for (const query of ["by=subject&text=nobody-at-all", "by=digest&text=0123456789abcdef0123", "by=digest&text=zzz"])
    assert.deepEqual(names((await client.get(`/keys?${query}`)).text), [], query);
});

test("a search goes on where it stopped and misses nothing", async () => {
  const many = Array.from({ length: 230 }, (_, i) => createHash("sha256").update(`many ${i}`).digest("hex"));
  await Promise.all(many.map((digest) => kv.put(`key:${digest}`, JSON.stringify({ subject: "crowd" }))));
  const seen = new Set();
  let path = "/keys?by=subject&text=crowd";
  for (let pages = 0; path; pages++) {
    assert.ok(pages < 10);
    const { text } = await client.get(path);
    for (const [, digest] of text.matchAll(/<a href="\/key\?digest=([0-9a-f]{64})"/g)) seen.add(digest);
    path = /<a href="([^"]*)">Go on/.exec(text)?.[1].replaceAll("&amp;", "&");
  }
  assert.deepEqual([...seen].sort(), many.sort());
  await Promise.all(many.map((digest) => kv.delete(`key:${digest}`)));
});

test("a record that the gateway cannot use is shown as such", async () => {
  const digest = "b".repeat(64);
  await kv.put(`key:${digest}`, '{"subject":"s","disbled":true}');
  const { text } = await client.get(at(digest));
  assert.match(text, /cannot use this record/);
  assert.match(text, /\/disbled/);
  assert.doesNotMatch(text, /\/key\/switch/);
  assert.equal((await client.submit(at(digest, "/key/revoke"), {})).status, 303);
});
