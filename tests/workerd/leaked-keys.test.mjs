// Keys that are reported because they have leaked, at the built Worker, with a stand-in for the place where GitHub has its public
// keys.
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { request } from "node:http";
import { after, test } from "node:test";
import { Response } from "miniflare";
import { BASE, digestOf, openApi } from "./support/api.mjs";
import { until } from "./support/log.mjs";

const PATH = "/v1/leaked-keys";
const URL_FOUND = "https://github.com/acme/app/blob/c0ffee/.env";
const KEY_LIST = "https://config.example.com/github-keys";

const pair = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const github = pair();
const stranger = pair();

/** The place where GitHub has its keys: what it answers, and how often it was asked. */
const place = {
  asked: 0,
  status: 200,
  answer() {
    place.asked += 1;
    if (place.status !== 200) return new Response("no", { status: place.status });
    const key = github.publicKey.export({ type: "spki", format: "pem" });
    return JSON.stringify({ public_keys: [{ key_identifier: "k1", key, is_current: true }] });
  },
};

const opened = [];
async function open(leakedKeys) {
  const api = await openApi({ leakedKeys, configApi: () => place.answer() });
  opened.push(api);
  return api;
}
after(async () => {
  for (const api of opened) await api.stop();
});

const WITH_GITHUB = `github = true\ngithub_keys_url = "${KEY_LIST}"`;
const keyOf = (customerId) => ({ prefix: "sk_test", subject: "ci", claims: { customerId } });
const make = async (api) => (await api.call("POST", "/v1/keys", { body: keyOf("acme") })).body;
const said = (...keys) =>
  JSON.stringify(keys.map((token) => ({ token, type: "acme_api_key", url: URL_FOUND, source: "content" })));

/** What GitHub sends, or somebody who says to be GitHub. */
function report(api, text, { by = github, key = "k1", signed = text, headers = {} } = {}) {
  const signature = sign("sha256", Buffer.from(signed), by.privateKey).toString("base64");
  const fields = { "github-public-key-identifier": key, "github-public-key-signature": signature, ...headers };
  return api.call("POST", PATH, { key: null, bytes: text, headers: fields });
}

const seen = async (api, key) => [(await api.ask(0, key)).status, (await api.ask(1, key)).status];
const trailOf = async (api, id) =>
  (await api.call("GET", "/v1/audit?limit=1000")).body.lines.filter(({ name }) => name === `key:${id}`);
const labels = ({ body }) => body.map(({ label }) => label);

let revoking;
test("a report that GitHub has signed revokes a key everywhere within the bound, and says so without the key", async () => {
  revoking = await open(WITH_GITHUB);
  const { key, id } = await make(revoking);
  assert.deepEqual(await seen(revoking, key), [200, 200]);
  const text = said(key, "sk_test_made_up");
  const answer = await report(revoking, text);
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, [
    { token_hash: id, token_type: "acme_api_key", label: "true_positive" },
    { token_hash: digestOf("sk_test_made_up"), token_type: "acme_api_key", label: "false_positive" },
  ]);
  await until(async () => (await seen(revoking, key)).every((status) => status === 401), "heard everywhere", 10_000);
  const trail = await trailOf(revoking, id);
  const { actor, action, found } = trail.at(-1);
  assert.deepEqual([actor, action, found], ["secret scanning (github)", "remove", URL_FOUND]);
  // The same report again, as it came: nothing more happens.
  const again = await report(revoking, text);
  assert.deepEqual(again.body, answer.body);
  assert.deepEqual(await trailOf(revoking, id), trail);
  assert.equal(place.asked, 1, "the list of keys is kept");
});

test("what GitHub has not signed does nothing and is refused as a wrong root key is", async () => {
  const { key, id } = await make(revoking);
  const text = said(key);
  const before = await trailOf(revoking, id);
  const wrong = { status: 401, type: "urn:pointsman:problem:credential-invalid" };
  const asked = place.asked;
  for (const [about, sent] of [
    ["another's signature", report(revoking, text, { by: stranger })],
    ["another body", report(revoking, text, { signed: `${text} ` })],
    ["a key that GitHub does not have", report(revoking, text, { key: "k2" })],
    ["no signature in base64", report(revoking, text, { headers: { "github-public-key-signature": "nonsense" } })],
    ["a wrong root key", revoking.call("POST", PATH, { key: "sk_test_made_up", bytes: text })],
  ]) {
    const { status, body, fields } = await sent;
    assert.deepEqual({ status, type: body.type }, wrong, about);
    assert.match(fields.get("www-authenticate"), /invalid_token/, about);
  }
  const nobody = await revoking.call("POST", PATH, { key: null, bytes: text });
  assert.deepEqual([nobody.status, nobody.body.type], [401, "urn:pointsman:problem:credential-required"]);
  const half = { "github-public-key-identifier": "k1" };
  assert.equal((await revoking.call("POST", PATH, { key: null, bytes: text, headers: half })).status, 401);
  const elsewhere = { "github-public-key-identifier": "k1", "github-public-key-signature": "x" };
  assert.equal((await revoking.call("POST", "/v1/keys", { key: null, bytes: text, headers: elsewhere })).status, 401);
  assert.deepEqual(await seen(revoking, key), [200, 200]);
  assert.deepEqual(await trailOf(revoking, id), before);
  assert.equal(place.asked, asked, "who makes up names of keys makes nobody fetch");
});

test("a root key reports too, and what somebody put into KV a moment ago is found", async () => {
  const { key, id } = await make(revoking);
  const kv = await revoking.kv();
  await kv.put(`key:${digestOf("by hand")}`, JSON.stringify({ subject: "s", claims: { customerId: "acme" } }));
  await revoking.putRoot("scanner", { scopes: ["keys.write"] });
  const answer = await revoking.call("POST", PATH, { key: "scanner", bytes: said(key, "by hand", "nobody's") });
  assert.deepEqual(labels(answer), ["true_positive", "true_positive", "false_positive"]);
  for (const gone of [key, "by hand"])
    await until(async () => (await seen(revoking, gone)).every((status) => status === 401), "heard everywhere", 10_000);
  assert.match((await trailOf(revoking, id)).at(-1).actor, /^scanner \(key [0-9a-f]{12}\)$/);
  await until(async () => (await kv.get(`key:${digestOf("by hand")}`)) === null, "KV is told", 10_000);
});

test("long reports are checked over all of their bytes, and longer ones than 1 MiB are not read", async () => {
  const { key } = await make(revoking);
  const filled = (length) => `[${" ".repeat(length)}${said(key).slice(1)}`;
  const changed = `${filled(200_000).slice(0, -1)} ]`;
  assert.equal((await report(revoking, filled(200_000), { signed: changed })).status, 401);
  assert.equal((await report(revoking, filled(1 << 20))).status, 413);
  assert.deepEqual(await seen(revoking, key), [200, 200]);
  assert.deepEqual(labels(await report(revoking, filled(200_000))), ["true_positive"]);
  const noText = await report(revoking, Buffer.from([0x5b, 0x5d, 0xff]), { signed: Buffer.from([0x5b, 0x5d, 0xff]) });
  assert.equal(noText.status, 422);
});

/** The status of the answer to a head that announces a body and sends none of it. */
function statusWithoutBody(origin, headers) {
  return new Promise((resolve, reject) => {
    const sent = request(`${origin}${BASE}/v1/bulk`, { method: "POST", headers }, (answer) => {
      resolve(answer.statusCode);
      sent.destroy();
    });
    sent.on("error", reject);
    sent.flushHeaders();
  });
}

test("a long body of whoever shows a wrong credential is not waited for", async () => {
  const origin = await revoking.origin(0);
  const long = { "content-length": 3 << 20, "content-type": "application/json" };
  const wrong = { ...long, authorization: "Bearer sk_test_made_up" };
  assert.equal(await statusWithoutBody(origin, wrong), 401);
  assert.equal(await statusWithoutBody(origin, { ...wrong, "content-length": 5 << 20 }), 401);
  const right = { ...long, authorization: `Bearer ${revoking.root}` };
  assert.equal(await statusWithoutBody(origin, { ...right, "content-length": 5 << 20 }), 413);
});

test("a key that is only marked goes on and is listed with since when it has leaked", async () => {
  const marking = await open(`action = "mark"\n${WITH_GITHUB}`);
  const { key, id } = await make(marking);
  assert.deepEqual(labels(await report(marking, said(key))), ["true_positive"]);
  assert.deepEqual(await seen(marking, key), [200, 200]);
  const { keys } = (await marking.call("GET", "/v1/keys?customer=acme")).body;
  const { leaked } = keys.find((item) => item.id === id);
  assert.equal(leaked.found, URL_FOUND);
  assert.ok(Math.abs(Date.parse(leaked.since) - Date.now()) < 60_000, leaked.since);
  assert.equal((await trailOf(marking, id)).at(-1).action, "leaked");
  await report(marking, said(key));
  assert.equal((await trailOf(marking, id)).filter(({ action }) => action === "leaked").length, 1);
});

test("while GitHub's keys cannot be had, a report is to be sent again, and then it counts", async () => {
  place.status = 500;
  const waiting = await open(WITH_GITHUB);
  const { key } = await make(waiting);
  const { status, body, fields } = await report(waiting, said(key));
  assert.deepEqual([status, body.type], [503, "urn:pointsman:problem:scanner-keys-unavailable"]);
  assert.equal(fields.get("retry-after"), "60");
  assert.equal((await waiting.call("POST", PATH, { bytes: said() })).status, 200, "a root key needs none of them");
  assert.deepEqual(await seen(waiting, key), [200, 200]);
  place.status = 200;
  await until(async () => (await report(waiting, said(key))).status === 200, "the list is asked for again", 10_000);
  await until(async () => (await seen(waiting, key)).every((one) => one === 401), "heard everywhere", 10_000);
});

test("without the setting no signature counts", async () => {
  const without = await open("github = false");
  const { key } = await make(without);
  const asked = place.asked;
  assert.equal((await report(without, said(key))).status, 401);
  assert.deepEqual([await seen(without, key), place.asked], [[200, 200], asked]);
  assert.deepEqual(labels(await without.call("POST", PATH, { bytes: said(key) })), ["true_positive"]);
});
