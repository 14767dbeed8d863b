// The console beside a ledger: what it asks for, and what it does when it gets another answer. ledger-gateway.test.mjs has
// the built gateway in its place.
import assert from "node:assert/strict";
import { test } from "node:test";
import { howSoon, howSoonItWorks, millisIn, spoken } from "../../console/how-soon.js";
import { commitOf, outcomeOf } from "../../console/ledger.js";
import { subjectOf, withoutKeys } from "../../console/pages/audit.js";
import { hiddenOf } from "./support/console.mjs";
import { CONFIGURATION, fakeKv, fakeLedger, signedIn } from "./support/fake-ledger.mjs";

const DIGEST = "ab".repeat(32);
const KEY = `key:${DIGEST}`;
const SUBJECT = { subject: "ci", claims: {} };
const acme = (more = {}) => ({ customerId: "acme", backendUrl: "https://acme.example.com", ...more });
const at = (path, digest = DIGEST) => `${path}?digest=${digest}`;
const customerAt = (path) => `${path}?id=acme`;
const faulty = (text) => [...text.matchAll(/<li><a href="#([^"]+)">/g)].map(([, id]) => id);

/** A ledger with a key and a customer, and a console beside it whose KV nobody may write. */
async function open(options = {}) {
  const ledger = fakeLedger();
  ledger.put(KEY, SUBJECT);
  ledger.put("customer:acme", acme());
  const kv = fakeKv(options.entries);
  const client = await signedIn({ ledger, kv, ...options });
  return { ledger, kv, client };
}

test("each change is a commit with its operation, who asked for it, from where, and the version that was shown", async () => {
  const { ledger, kv, client } = await open();
  for (const [page, action, values] of [
    [at("/key"), at("/key/switch"), { to: "off" }],
    [at("/key"), at("/key/switch"), { to: "on" }],
    [customerAt("/customer"), customerAt("/customer"), { backendUrl: "https://b.example.com" }],
    [customerAt("/customer"), customerAt("/customer/switch"), { to: "off" }],
    [customerAt("/customer/remove"), customerAt("/customer/remove"), {}],
    ["/customers/new", "/customers/new", { customerId: "wayne", backendUrl: "https://w.example.com" }],
    [at("/key/revoke"), at("/key/revoke"), {}],
  ])
    assert.equal((await client.submit(page, values, action)).status, 303, action);
  assert.deepEqual(
    ledger.commits.map(({ edits }) => edits.map(({ edit, expected }) => [edit, expected])),
    [
      [["putKey", 1]],
      [["putKey", 3]],
      [["putCustomer", 2]],
      [["putCustomer", 5]],
      [["removeCustomer", 6]],
      [["putCustomer", 0]],
      [["removeKey", 4]],
    ],
  );
  for (const { operation, actor, from } of ledger.commits) {
    assert.match(operation, /^console-[\w-]{24}$/);
    assert.deepEqual([actor, from], ["console", "192.0.2.7"]);
  }
  assert.equal(new Set(ledger.commits.map(({ operation }) => operation)).size, ledger.commits.length);
  assert.equal(ledger.text("customer:wayne"), '{"customerId":"wayne","backendUrl":"https://w.example.com"}');
  assert.deepEqual(kv.written, []);
});

test("a key that has leaked is said so on its page, with where it was found", async () => {
  const { ledger, client } = await open();
  const before = await client.get(at("/key"));
  assert.ok(!before.text.includes("has leaked"));
  ledger.records.get(KEY).leaked = { at: 1_790_000_000_000, found: "https://code.example/a<b" };
  const { text } = await client.get(at("/key"));
  assert.match(text, /has leaked.*2026-09-21.*https:\/\/code\.example\/a&lt;b/s);
});

test("a key is made and rolled in one commit each, and an end that KV gives it is passed on", async () => {
  const { ledger, kv, client } = await open();
  const made = await client.submit("/keys/new", { prefix: "sk_live", subject: "new" });
  const [key] = /sk_live_[0-9A-Za-z]{24}_[0-9A-Za-z]{6}/.exec(made.text);
  assert.equal(made.text.split(key).length, 2, "it stands on the page once");
  assert.match(made.text, /at its first request, a second from now at the latest/);
  ledger.records.get(KEY).operator.expires = 4_000_000_000;
  const rolled = await client.submit(at("/key/roll"), { grace: "1h", prefix: "sk_live", expiresAt: "" });
  assert.match(rolled.text, /Key rolled/);
  const [{ edits: one }, { edits: two }] = ledger.commits;
  assert.deepEqual(
    [...one, ...two].map(({ edit, expected, expires }) => [edit, expected, expires]),
    [
      ["putKey", 0, undefined],
      ["putKey", 0, 4_000_000_000],
      ["putKey", 1, 4_000_000_000],
    ],
  );
  assert.ok(!JSON.stringify(ledger.commits).includes(key));
  assert.deepEqual(kv.written, []);
});

test("a form that is sent twice happens once, and is answered as the first time", async () => {
  const { ledger, client } = await open();
  const send = async (page, values, action = page) => {
    const { text } = await client.get(page);
    const form = { ...hiddenOf(text, action), ...values };
    const [first, second] = [await client.post(action, form), await client.post(action, form)];
    return [first.status, first.location, second.status, second.location, second.text];
  };
  for (const [page, values, action] of [
    [at("/key"), { to: "off" }, at("/key/switch")],
    [customerAt("/customer"), { backendUrl: "https://b.example.com" }],
    ["/customers/new", { customerId: "wayne", backendUrl: "https://w.example.com" }],
    [customerAt("/customer/remove"), {}],
    [at("/key/revoke"), {}],
  ]) {
    const before = ledger.lines.length;
    const [first, location, second, again] = await send(page, values, action);
    assert.deepEqual([first, second, again], [303, 303, location], action ?? page);
    assert.equal(ledger.lines.length, before + 1, "one change");
  }
  const before = ledger.records.size;
  const [first, , second, , text] = await send("/keys/new", { prefix: "sk_live", subject: "twice" });
  assert.deepEqual([first, second], [200, 409]);
  assert.match(text, /sent already/);
  assert.doesNotMatch(text, /sk_live_/);
  assert.equal(ledger.records.size, before + 1);
});

test("a commit whose answer was lost is made once more, and happens once", async () => {
  const { ledger, client } = await open();
  let lost = 0;
  const real = ledger.fetch;
  ledger.fetch = async (target, init) => {
    const answer = await real(target, init);
    if (init?.method !== "POST" || lost > 0) return answer;
    lost += 1;
    throw new Error("the connection was lost");
  };
  assert.equal((await client.submit(at("/key"), { to: "off" }, at("/key/switch"))).status, 303);
  assert.equal(ledger.commits.length, 2);
  assert.deepEqual(ledger.commits[0], ledger.commits[1]);
  assert.equal(ledger.lines.length, 3, "two that were there, and this one");
});

test("where no answer comes at all, the page says that nobody knows, and the same form may be sent again", async () => {
  const { ledger, client } = await open();
  const page = await client.get(customerAt("/customer"));
  const typed = { ...hiddenOf(page.text, customerAt("/customer")), backendUrl: "https://typed.example.com" };
  const real = ledger.fetch;
  ledger.fetch = async (target, init) => {
    if (init?.method !== "POST") return real(target, init);
    await real(target, init);
    throw new Error("the connection was lost");
  };
  const lost = await client.post(customerAt("/customer"), typed);
  ledger.fetch = real;
  assert.equal(lost.status, 503);
  assert.match(lost.text, /Nobody knows whether the change was made\./);
  assert.match(lost.text, /https:\/\/typed\.example\.com/);
  const lines = ledger.lines.length;
  assert.equal(hiddenOf(lost.text, customerAt("/customer")).operation, typed.operation);
  assert.equal((await client.post(customerAt("/customer"), typed)).status, 303);
  assert.equal(ledger.lines.length, lines, "it had been made");
});

test("of two operators none loses a change: the second one sees the first one's, and what was typed stays", async () => {
  const { ledger, client } = await open();
  const page = await client.get(customerAt("/customer"));
  const typed = { ...hiddenOf(page.text, customerAt("/customer")), backendUrl: "https://mine.example.com" };
  ledger.put("customer:acme", acme({ environmentName: "theirs" }));
  const refused = await client.post(customerAt("/customer"), typed);
  assert.equal(refused.status, 409);
  assert.match(refused.text, /changed by somebody else/);
  assert.match(refused.text, /value="https:\/\/mine\.example\.com"/);
  assert.match(refused.text, /&quot;theirs&quot;/, "what is there now");
  assert.match(ledger.text("customer:acme"), /theirs/);
  const again = await client.post(customerAt("/customer"), {
    ...typed,
    ...hiddenOf(refused.text, customerAt("/customer")),
  });
  assert.equal(again.status, 303);
  assert.match(ledger.text("customer:acme"), /mine/);

  for (const [path, action, values] of [
    ["/key", "/key/switch", { to: "off" }],
    ["/key/revoke", "/key/revoke", {}],
    ["/key/roll", "/key/roll", { grace: "7d", prefix: "sk_live", expiresAt: "2099-01-01T00:00:00Z" }],
  ]) {
    const { text } = await client.get(at(path));
    ledger.put(KEY, { ...SUBJECT, name: `theirs before ${action}` });
    const answer = await client.post(at(action), { ...hiddenOf(text, at(action)), ...values });
    assert.equal(answer.status, 409, action);
    assert.match(answer.text, /changed by somebody else/);
    assert.match(answer.text, new RegExp(`theirs before ${action}`));
    if (values.expiresAt) assert.match(answer.text, /value="2099-01-01T00:00:00"/);
    assert.match(ledger.text(KEY), new RegExp(`theirs before ${action}`));
  }
});

test("a key's claims and end are edited on its page, all else of its record stays, and nobody's change is lost", async () => {
  const { ledger, client } = await open();
  const end = "2098-06-30 12:00:00.250Z";
  const before = { ...SUBJECT, expiresAt: end, createdAt: "2026-01-01T00:00:00Z", disabled: true };
  ledger.put(KEY, before);
  const page = await client.get(at("/key"));
  assert.match(page.text, /type="datetime-local" value="2098-06-30T12:00:00"/);
  const typed = { subject: "ci", claims: '{"plan":"gold","n":12345678901234567890}', expiresAt: "2098-06-30T12:00:00" };
  const saved = await client.post(at("/key"), { ...hiddenOf(page.text, at("/key")), ...typed });
  assert.equal(saved.location, `${at("/key")}&done=saved`);
  assert.ok(ledger.text(KEY).includes('"n":12345678901234567890'), "digits are kept");
  const record = JSON.parse(ledger.text(KEY));
  assert.deepEqual({ ...record, claims: record.claims.plan }, { ...before, claims: "gold" });

  await client.submit(at("/key"), { ...typed, expiresAt: "2097-01-02T03:04" });
  assert.equal(JSON.parse(ledger.text(KEY)).expiresAt, "2097-01-02T03:04:00Z");
  await client.submit(at("/key"), { ...typed, expiresAt: "", methods: "GET" });
  assert.deepEqual(
    [JSON.parse(ledger.text(KEY)).expiresAt, JSON.parse(ledger.text(KEY)).methods],
    [undefined, ["GET"]],
  );

  const bad = await client.submit(at("/key"), { subject: "", claims: "[", expiresAt: "next week" });
  assert.deepEqual([bad.status, faulty(bad.text).sort()], [422, ["claims", "expiresAt", "subject"]]);
  const stale = await client.get(at("/key"));
  ledger.put(KEY, { ...SUBJECT, name: "theirs" });
  const crossed = await client.post(at("/key"), { ...hiddenOf(stale.text, at("/key")), ...typed });
  assert.equal(crossed.status, 409);
  assert.match(crossed.text, /12345678901234567890/);
  assert.match(ledger.text(KEY), /theirs/);
});

test("a customer that somebody made meanwhile is not written over", async () => {
  const { ledger, client } = await open();
  const answer = await client.submit("/customers/new", { customerId: "acme", backendUrl: "https://x.example.com" });
  assert.deepEqual([answer.status, faulty(answer.text)], [422, ["customerId"]]);
  assert.match(answer.text, /https:\/\/x\.example\.com/);
  assert.equal(ledger.text("customer:acme"), JSON.stringify(acme()));
  ledger.records.set("customer:api", {
    provider: { text: '{"customerId":"api","backendUrl":"https://a.example.com"}', malformed: false, unsure: false },
  });
  const ofApi = await client.submit("/customers/new", { customerId: "api", backendUrl: "https://x.example.com" });
  assert.deepEqual([ofApi.status, faulty(ofApi.text)], [422, ["customerId"]]);
  assert.equal(ledger.commits.filter(({ edits }) => edits[0].id === "api").length, 0);
});

const STATES = [
  ["does not answer", { instead: () => Promise.reject(new Error("down")) }, /does not answer/],
  ["fails", { instead: () => Response.json({ title: "Service Unavailable" }, { status: 503 }) }, /says 503/],
  ["is off", { state: { on: false, off: "it found another ledger's head", switchedOff: false } }, /another ledger/],
  ["takes another secret", { instead: () => Response.json({ title: "no" }, { status: 401 }) }, /OPERATOR_SECRET/],
  ["is at no such path", { instead: () => Response.json({ title: "no" }, { status: 404 }) }, /same gateway\.toml/],
];
for (const [what, state, says] of STATES) {
  test(`a ledger that ${what}: changes are refused with what was typed, and KV is never written`, async () => {
    const entries = { [KEY]: JSON.stringify(SUBJECT), "customer:acme": JSON.stringify(acme()) };
    const { ledger, kv, client } = await open({ entries });
    Object.assign(ledger, state);
    const page = await client.get(at("/key"));
    assert.equal(page.status, 200, "what KV has is shown");
    assert.match(page.text, /Nothing can be changed at the moment\./);
    assert.match(page.text, says);
    for (const [where, action, values] of [
      [at("/key"), at("/key/switch"), { to: "off" }],
      [at("/key/revoke"), at("/key/revoke"), {}],
      [at("/key/roll"), at("/key/roll"), { grace: "7d", prefix: "sk_live", expiresAt: "" }],
      ["/keys/new", "/keys/new", { prefix: "sk_live", subject: "typed subject" }],
      [customerAt("/customer"), customerAt("/customer"), { backendUrl: "https://typed.example.com" }],
      [customerAt("/customer/remove"), customerAt("/customer/remove"), {}],
      ["/customers/new", "/customers/new", { customerId: "new", backendUrl: "https://typed.example.com" }],
    ]) {
      const answer = await client.submit(where, values, action);
      assert.equal(answer.status, 503, action);
      assert.match(answer.text, /Nothing was changed\./, action);
      for (const typed of [values.subject, values.backendUrl])
        if (typed) assert.ok(answer.text.includes(typed), `${action} keeps ${typed}`);
      assert.doesNotMatch(answer.text, /sk_live_[0-9A-Za-z]{24}_/);
    }
    assert.deepEqual(kv.written, []);
  });
}

test("a ledger that went off after the form was shown is written nothing for", async () => {
  const { ledger, kv, client } = await open();
  const { text } = await client.get(at("/key"));
  const real = ledger.fetch;
  ledger.fetch = async (target, init) => {
    if (init?.method === "POST") ledger.state = { on: false, off: "it is leaving", switchedOff: false };
    return real(target, init);
  };
  const answer = await client
    .post(at("/key/switch"), { ...hiddenOf(text, at("/key/switch")), to: "off" })
    .catch(String);
  assert.notEqual(answer.status, 303);
  assert.match(answer.text, /The ledger is off/);
  assert.deepEqual(kv.written, []);
});

test("where the console lacks the gateway's secret, it changes nothing and says what to set", async () => {
  const { kv, client } = await open({
    env: { OPERATOR_SECRET: undefined },
    entries: { [KEY]: JSON.stringify(SUBJECT) },
  });
  const answer = await client.submit(at("/key"), { to: "off" }, at("/key/switch"));
  assert.equal(answer.status, 503);
  assert.match(answer.text, /lacks the operator secret \(OPERATOR_SECRET\)/);
  assert.deepEqual(kv.written, []);
});

test("a ledger that an operator switched off leaves it to KV, as isolates do", async () => {
  const entries = { [KEY]: JSON.stringify(SUBJECT) };
  const { ledger, kv, client } = await open({ entries });
  ledger.state = { on: false, off: "an operator switched it off", switchedOff: true };
  const answer = await client.submit(at("/key"), { to: "off" }, at("/key/switch"));
  assert.equal(answer.status, 303);
  assert.equal(JSON.parse(kv.values.get(KEY)).disabled, true);
  assert.match((await client.get(answer.location)).text, /switched off, so this went to KV: .* about 2 minutes\./);
  assert.equal(ledger.commits.length, 0);
});

test("a gateway without the ledger's path has KV as before", async () => {
  const { operator, ...configuration } = CONFIGURATION;
  const { ledger, kv, client } = await open({ configuration, entries: { [KEY]: JSON.stringify(SUBJECT) } });
  ledger.instead = () => assert.fail("nobody asks the ledger");
  const answer = await client.submit(at("/key"), { to: "off" }, at("/key/switch"));
  assert.equal(answer.status, 303);
  assert.deepEqual(kv.written, [KEY]);
  assert.match((await client.get(answer.location)).text, /within about 2 minutes; where the gateway follows a ledger/);
  assert.match((await client.get("/audit")).text, /There is no audit trail here\./);
});

test("a form that was shown what KV has is not sent to the ledger", async () => {
  const commit = (was) =>
    commitOf(
      { operation: "o", actor: "a", from: "", changes: [{ remove: KEY, was }] },
      { key: "key:", customer: "customer:" },
    );
  assert.equal(JSON.parse(commit("v12")).edits[0].expected, 12);
  for (const was of ["none", "12", "v", "v-1", DIGEST]) assert.equal(commit(was), undefined, was);
});

test("what the ledger says of a commit is one outcome each", () => {
  const said = (status, json) => {
    const { done, why } = outcomeOf({ status, json });
    return done || why;
  };
  assert.equal(said(200, { revision: 1 }), true);
  assert.equal(said(409, { error: "changed", version: 3 }), "changed");
  assert.equal(said(409, { error: "operationReused" }), "again");
  for (const [status, json] of [
    [503, { error: "off" }],
    [422, { error: "invalid", faults: [{ pointer: "/subject", message: "must not be empty" }] }],
    [401, { title: "Unauthorized" }],
    [413, { error: "tooManyEdits" }],
  ])
    assert.equal(said(status, json), "refused", `${status}`);
  assert.equal(said(503, { title: "Service Unavailable" }), "unknown");
  assert.equal(outcomeOf({ failed: "lost" }).why, "unknown");
});

test("what the config API says of a customer is the ledger's, or KV's where no run has handed it over", async () => {
  const said = (id, host) => JSON.stringify({ customerId: id, backendUrl: `https://${host}.example.com` });
  const fetched = JSON.stringify({ ...JSON.parse(said("by-id", "kv")), fetchedAt: "2026-07-30T12:00:00Z" });
  const configuration = { ...CONFIGURATION, customers: { source: {} } };
  const { ledger, client } = await open({ configuration, entries: { "source:customer:by-id": fetched } });
  ledger.records.set("customer:listed", {
    provider: { text: said("listed", "ledger"), malformed: false, unsure: false },
  });
  ledger.records.set("customer:broken", { provider: { text: said("broken", "old"), malformed: true, unsure: false } });
  for (const [id, shown] of [
    ["listed", /ledger\.example\.com/],
    ["by-id", /kv\.example\.com/],
    ["broken", /cannot be used/],
  ]) {
    const { text } = await client.get(`/customer?id=${id}`);
    assert.match(text, /This record is the config API.s/, id);
    assert.match(text, shown, id);
  }
  assert.match((await client.get("/customers")).text, /id=listed/);
  assert.match((await client.get("/customers?of=api")).text, /id=by-id[\s\S]*This is KV.s list/);
  const refused = await client.submit("/customer?id=by-id", { backendUrl: "https://own.example.com" });
  assert.deepEqual([refused.status, faulty(refused.text)], [422, ["takeOver"]]);
  const taken = await client.submit("/customer?id=by-id", { backendUrl: "https://own.example.com", takeOver: "yes" });
  assert.equal(taken.status, 303);
  assert.match(ledger.text("customer:by-id"), /own/);
});

/** The address of the link with that text. */
const linkIn = (text, name) => new RegExp(`<a href="([^"]*)"[^>]*>${name}`).exec(text)?.[1].replaceAll("&amp;", "&");

test("customers are found by any part of their ids, with totals, in pages both ways that keep filter and order", async () => {
  const { ledger, client } = await open({ entries: { "customer:in-kv-only": "{}" } });
  const id = (i) => `big-page-${String(i).padStart(3, "0")}`;
  for (let i = 0; i < 120; i++) ledger.put(`customer:${id(i)}`, acme({ customerId: id(i) }));
  for (const odd of ["100%", "a_b", "axb"]) ledger.put(`customer:${odd}`, acme({ customerId: odd }));
  const ids = (text) =>
    [...text.matchAll(/href="\/customer\?id=([^"]+)"/g)].map(([, found]) => decodeURIComponent(found));
  const all = await client.get("/customers");
  assert.match(all.text, /<strong>124 customers<\/strong>, 1 to 50 here/);
  assert.doesNotMatch(all.text, /in-kv-only/);
  assert.match(all.text, /shows at once/);

  const first = await client.get("/customers?text=PAGE&order=descending");
  assert.match(first.text, /<strong>120 of 124 customers<\/strong>, 1 to 50 here/);
  assert.deepEqual(
    ids(first.text),
    Array.from({ length: 50 }, (_, i) => id(119 - i)),
  );
  assert.equal(linkIn(first.text, "Previous page"), undefined);
  const second = await client.get(linkIn(first.text, "Next page"));
  const third = await client.get(linkIn(second.text, "Next page"));
  assert.deepEqual(
    ids(third.text),
    Array.from({ length: 20 }, (_, i) => id(19 - i)),
  );
  assert.equal(linkIn(third.text, "Next page"), undefined);
  assert.deepEqual(ids((await client.get(linkIn(third.text, "Previous page"))).text), ids(second.text));
  assert.deepEqual(ids((await client.get(linkIn(first.text, "Last page"))).text), ids(third.text));
  const turned = await client.get(linkIn(first.text, "Customer id"));
  assert.equal(ids(turned.text)[0], id(0));
  assert.match(turned.text, /value="PAGE"/);

  for (const [text, found] of [
    ["%", "100%"],
    ["_", "a_b"],
  ])
    assert.deepEqual(ids((await client.get(`/customers?${new URLSearchParams({ text })}`)).text), [found]);
  assert.match(
    (await client.get("/customers?text=nobody")).text,
    /<strong>0 of 124 customers<\/strong>.*No customer’s id/s,
  );

  ledger.isBuilding = true;
  const meanwhile = await client.get("/customers?text=big-page-00");
  assert.match(meanwhile.text, /found by how their ids begin/);
  assert.equal(ids(meanwhile.text).length, 10);
});

test("keys are found by a part of subject, customer and digest with totals; names and states are looked through", async () => {
  const { ledger, client } = await open({ entries: { "key:in-kv-only": "{}" } });
  const digest = (i) => String(i).padStart(64, "0");
  const soon = new Date(Date.now() + 3 * 86_400_000).toISOString();
  for (let i = 0; i < 60; i++) {
    const record = { subject: `crowd ${i}`, name: `n${i}`, claims: { customerId: i < 3 ? "acme" : "wayne" } };
    ledger.put(`key:${digest(i)}`, {
      ...record,
      ...(i === 7 && { expiresAt: soon }),
      ...(i === 8 && { disabled: true }),
    });
  }
  ledger.put(`key:${digest(70)}`, { subject: "old", expiresAt: "2020-01-01T00:00:00Z" });
  ledger.put(`key:${digest(71)}`, { subject: "later", expiresAt: "2099-01-01T00:00:00Z" });
  const digests = (text) => [...text.matchAll(/href="\/key\?digest=([0-9a-f]{64})"/g)].map(([, found]) => found);
  const list = async (query) => (await client.get(`/keys?${new URLSearchParams(query)}`)).text;
  const crowd = await list({ by: "subject", text: "CROWD" });
  assert.match(crowd, /<strong>60 of 63 keys<\/strong>, 1 to 50 here/);
  assert.equal(digests((await client.get(linkIn(crowd, "Next page"))).text).length, 10);
  assert.deepEqual(digests(await list({ by: "customer", text: "cme" })), [0, 1, 2].map(digest));
  assert.deepEqual(digests(await list({ by: "digest", text: DIGEST })), [DIGEST], "the whole digest");
  assert.deepEqual(digests(await list({ by: "digest", text: "baba" })), [DIGEST], "a part of it");
  assert.deepEqual(digests(await list({ by: "name", text: "n59" })), [digest(59)]);
  const states = { soon: [7], disabled: [8], expired: [70], broken: [] };
  for (const [state, found] of Object.entries(states)) {
    const text = await list({ by: "subject", text: "", state });
    assert.deepEqual(digests(text), found.map(digest), state);
    assert.match(text, /looked through/);
  }
  assert.deepEqual(digests(await list({ by: "subject", text: "crowd", state: "expired" })), []);
  ledger.takenIn = false;
  for (const path of ["/customers", "/keys"]) assert.match((await client.get(path)).text, /still takes in/);
});

test("the audit page shows who changed what, from where and when, newest first, and of one record", async () => {
  const { ledger, client } = await open();
  for (let i = 0; i < 60; i++) ledger.put("customer:acme", acme({ environmentName: `e${i}` }), `jane-${i}@example.com`);
  await client.submit(at("/key"), { to: "off" }, at("/key/switch"));
  const first = await client.get("/audit");
  assert.equal(first.text.match(/<tr><th scope="row">/g).length, 50);
  assert.ok(first.text.indexOf("console-") < first.text.indexOf("jane-59@"), "newest first");
  assert.match(
    first.text,
    /<time datetime="2026-07-30T12:01:02.000Z" title="2026-07-30 12:01:02 UTC">[^<]+ ago<\/time>/,
  );
  assert.match(first.text, /192\.0\.2\.7/);
  assert.match(first.text, new RegExp(`href="/key\\?digest=${DIGEST}"`));
  const older = /<a href="(\/audit\?[^"]*)">Older/.exec(first.text)[1].replaceAll("&amp;", "&");
  const second = await client.get(older);
  assert.equal(second.text.match(/<tr><th scope="row">/g).length, 13);
  assert.doesNotMatch(second.text, />Older</);
  const link = /<a class="button" href="(\/audit\?[^"]*)">Its changes/.exec((await client.get(at("/key"))).text)[1];
  const own = await client.get(link.replaceAll("&amp;", "&"));
  assert.equal(own.text.match(/<tr><th scope="row">/g).length, 2);
  assert.doesNotMatch(own.text, /jane-/);
  const rows = (text) => text.match(/<tr><th scope="row">/g)?.length ?? 0;
  const ofFifties = await client.get("/audit?who=JANE-5");
  assert.equal(rows(ofFifties.text), 11, "jane-5 and jane-50 to jane-59");
  assert.match(ofFifties.text, /made by “JANE-5”, newest first/);
  const person = /<a href="([^"]*who=[^"]*)">jane-59@/.exec(first.text)[1].replaceAll("&amp;", "&");
  assert.equal(rows((await client.get(person)).text), 1);
  const ofJanes = await client.get("/audit?who=jane");
  const olderOfJanes = /<a href="(\/audit\?[^"]*)">Older/.exec(ofJanes.text)[1].replaceAll("&amp;", "&");
  assert.match((await client.get(olderOfJanes)).text, /made by “jane”/, "the filter stays");
  const both = new URLSearchParams({ of: `key:${DIGEST}`, who: "jane" });
  assert.equal(rows((await client.get(`/audit?${both}`)).text), 0);
  ledger.instead = () => Response.json({}, { status: 503 });
  assert.equal((await client.get("/audit")).status, 503);
});

test("what a line of the trail holds is text, and never a key", async () => {
  const { ledger, client } = await open();
  const evil = `"><script src=//evil.example></script>`;
  const key = "sk_live_0123456789ABCDEFGHIJKLMN_abcdef";
  ledger.note(`customer:${evil}`, evil, { actor: evil, operation: `retry of ${key}`, from: evil });
  ledger.note(`token:sub:https://id.example.com/ ${key}`, "revoke", { actor: key, operation: evil, from: "" });
  for (const path of ["/audit", `/audit?${new URLSearchParams({ of: evil })}`]) {
    const { text } = await client.get(path);
    assert.doesNotMatch(text, /<script src=\/\//);
    assert.ok(!text.includes(key));
  }
  assert.equal(withoutKeys(`x ${key} y`), "x (a key) y");
  assert.deepEqual(subjectOf("token:jti:https://id.example.com/ 1"), {
    kind: "the token",
    text: "https://id.example.com/ 1",
  });
});

test("how soon a change counts is said in minutes and seconds, by what the configuration says", () => {
  assert.deepEqual([0, 1000, 61_000, 3_600_000, 90_061_000].map(spoken), [
    "0 seconds",
    "1 second",
    "1 minute 1 second",
    "1 hour",
    "1 day 1 hour 1 minute 1 second",
  ]);
  assert.deepEqual(["250ms", "10s", "2m", "1h", "${X}", "10"].map(millisIn), [
    250,
    10_000,
    120_000,
    3_600_000,
    undefined,
    undefined,
  ]);
  const ledger = { kind: "ledger", isSwitchedOff: false };
  const kv = { kind: "kv", isSwitchedOff: false };
  const slow = { directory: { max_staleness: "60s" }, api_keys: { fresh: "30s" } };
  assert.equal(howSoon({}, "keys", ledger), "This counts everywhere within 10 seconds.");
  assert.equal(howSoon(slow, "keys", ledger), "This counts everywhere within 1 minute.");
  assert.match(howSoon({}, "keys", kv), /within about 2 minutes; .* within 5 minutes 10 seconds\.$/);
  assert.match(howSoon({}, "customers", kv), /within about 6 minutes;/);
  assert.match(howSoon(slow, "keys", kv), /within about 1 minute 30 seconds; .* within 16 minutes\.$/);
  assert.match(howSoon({ directory: { max_staleness: "${X}" } }, "keys", ledger), /pointsman check/);
  assert.match(howSoonItWorks(slow, ledger), /within 1 minute\.$/);
});
