// The secret of a customer's own backend reaches that backend's origin and nobody else, and a secret that was sealed for
// somebody else reaches nobody. The secrets are sealed by a library of others', as a provider's own program would.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { CompactEncrypt } from "jose";
import { demoKey } from "../../demo/seed.mjs";
import { bearer, openGateway } from "./support/gateway.mjs";

const CANARY = "canary-secret-7f1a09";
const OPERATOR = "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2";
const KEYS = {
  k1: "pso_DemoOperatorSecretIsPublicNotForProduction0_1mpS7r",
  k2: "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2",
};
const [OWN, OTHER] = ["acme.tenants.example.com", "wayne.tenants.example.com"];
const ORIGIN = `https://${OWN}`;
const toml = (keys) => `
  [api_keys]
  prefixes = ["sk_live", "sk_test"]
  [operator]
  status = "/status"
  secret = "${OPERATOR}"
  [customers]
  secrets = { keys = [${keys.map((id) => `{ id = "${id}", secret = "\${SEALING_${id.toUpperCase()}}" }`)}], fields = ["authorization", "x-api-secret"] }
  [backends.shared]
  url = "\${SHARED_BACKEND_URL}"
  [[routes]]
  path = "/own/{+path}"
  methods = ["GET", "POST"]
  auth = ["api_key"]
  rules = [{ name = "own", to = "customer" }]
  [[routes]]
  path = "/shared/{+path}"
  auth = ["api_key"]
  rules = [{ name = "all", to = "shared" }]`;
const bindings = { SEALING_K1: KEYS.k1, SEALING_K2: KEYS.k2 };

const bytesOf = (secret) => createHash("sha256").update(secret).digest();
const FOR = { sub: "acme-corp", aud: ORIGIN, field: "x-api-secret" };
function seal({
  value = CANARY,
  kid = "k1",
  key = bytesOf(Object.hasOwn(KEYS, kid) ? KEYS[kid] : KEYS.k1),
  ...header
} = {}) {
  const sealing = new CompactEncrypt(new TextEncoder().encode(value));
  return sealing.setProtectedHeader({ alg: "dir", enc: "A256GCM", kid, ...FOR, ...header }).encrypt(key);
}

let gateway;
before(async () => {
  gateway = await openGateway({ toml: toml(["k1"]), bindings });
});
after(() => gateway?.stop());
beforeEach(() => {
  gateway.world.mend();
  gateway.world.clear();
  gateway.log.clear();
});

const quietly = (status, fields) => (request, response) => response.writeHead(status, fields).end("done");
const values = (call, name) => call.headers.filter(([own]) => own.toLowerCase() === name).map(([, value]) => value);
const send = (target, headers = [], more) =>
  gateway.send({ target, ...more, headers: [bearer(demoKey("acme")), ...headers] });

/** A fresh isolate with this record of acme-corp. */
async function withRecord(secrets, backends = [{ url: ORIGIN }], change) {
  await gateway.restart(change);
  for (const host of [OWN, OTHER, "shared.backends.example.com"]) gateway.world.replace(host, quietly(200));
  const record = { customerId: "acme-corp", backends, secrets };
  await (await gateway.store()).put("customer:acme-corp", JSON.stringify(record));
}

/** The canary is in requests to the origin whose secret it is, and nowhere else. */
async function isKept(answers, mayHave = ({ host }) => host === OWN) {
  for (const answer of answers) {
    const whole = JSON.stringify([answer.status, answer.headers, answer.text()]);
    assert.ok(!whole.includes(CANARY), whole);
  }
  for (const call of gateway.world.requests) {
    const has = JSON.stringify([call.url, call.headers]).includes(CANARY);
    assert.equal(has, mayHave(call), `${call.host}${call.url}`);
  }
  const log = gateway.log.texts.join("\n");
  assert.ok(!log.includes(CANARY) && !Object.values(KEYS).some((key) => log.includes(key)), log);
}

test("a secret reaches the origin that it was sealed for, and is in nothing else", async () => {
  const bearing = await seal({ field: "authorization", value: `Bearer ${CANARY}` });
  await withRecord([await seal(), bearing]);
  const answers = [
    await send("/own/x", [["X-Api-Secret", "guess"]]),
    await send("/own/x", [["x_api_secret", "guess"]], { method: "POST", body: "a body" }),
    await send("/own/again"),
    await send("/shared/x", [["X-Api-Secret", "guess"]]),
    await send("/nowhere"),
    await send("/own/x", [["X-Pointsman-Explain", OPERATOR]]),
    await gateway.send({ target: "/status", headers: [bearer(OPERATOR)] }),
  ];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200, 404, 200, 200],
  );
  const own = gateway.called().filter(({ host }) => host === OWN);
  assert.equal(own.length, 3);
  for (const call of own) {
    assert.deepEqual(values(call, "x-api-secret"), [CANARY]);
    assert.deepEqual(values(call, "authorization"), [`Bearer ${CANARY}`]);
    assert.deepEqual(values(call, "x_api_secret"), []);
  }
  const [shared] = gateway.called().filter(({ host }) => host !== OWN);
  assert.deepEqual(values(shared, "x-api-secret"), ["guess"]);
  const { attempts } = answers[5].json().forward.plan;
  assert.deepEqual(attempts[0].secrets, ["x-api-secret", "authorization"]);
  await isKept(answers);
});

test("the backup gets no secret of the primary, and none of the primary's stays behind", async () => {
  const backends = [{ url: ORIGIN }, { url: `https://${OTHER}` }];
  await withRecord([await seal()], backends);
  gateway.world.replace(OWN, (request) => request.socket.destroy());
  const answers = [await send("/own/x", [["X-Api-Secret", "the client's own"]]), await send("/own/y")];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200],
  );
  const other = gateway.called().filter(({ host }) => host === OTHER);
  assert.deepEqual(
    other.map((call) => values(call, "x-api-secret")),
    [["the client's own"], []],
  );
  await isKept(answers);
});

test("a redirect leads a secret nowhere", async () => {
  await withRecord([await seal()]);
  gateway.world.replace(OWN, quietly(307, { location: `https://${OTHER}/elsewhere` }));
  const answer = await send("/own/x");
  assert.equal(answer.status, 307);
  assert.equal(gateway.called().length, 1);
  await isKept([answer]);
});

/** Nothing is sent to anybody, and nobody learns of the secret. */
async function sendsNothing(sealed, name, reason, why) {
  await withRecord([sealed]);
  gateway.log.clear();
  const answer = await send("/own/x", [["X-Api-Secret", "guess"]]);
  assert.deepEqual([answer.status, answer.json().type.split(":").at(-1)], [500, "gateway-misconfigured"], name);
  assert.deepEqual(gateway.called(), [], name);
  const line = await gateway.log.request(answer.get("x-request-id"));
  assert.equal(line.reason, reason, name);
  const said = gateway.log.texts.some((text) => text.includes(`"event":"${reason}"`) && text.includes(why));
  assert.ok(said, `${name}: ${gateway.log.texts}`);
  await isKept([answer]);
  gateway.world.clear();
}

test("what was sealed for somebody else is sent to nobody", async () => {
  for (const [name, header, why] of [
    ["another customer's", { sub: "wayne-ent" }, "was sealed for another customer"],
    ["another origin's", { aud: `https://${OTHER}` }, "was sealed for an origin"],
    ["another port's", { aud: `${ORIGIN}:8443` }, "was sealed for an origin"],
    ["no customer's", { sub: undefined }, "was sealed for another customer"],
    ["no field's", { field: undefined }, "must be a secret"],
  ])
    await sendsNothing(await seal(header), name, "customer_record_malformed", `/secrets/0: ${why}`);
});

test("what was changed, or sealed with another key, is sent to nobody", async () => {
  const [header, , iv, text, tag] = (await seal()).split(".");
  const flipped = `${text.startsWith("A") ? "B" : "A"}${text.slice(1)}`;
  const inBase64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const whose = (more) => inBase64url({ alg: "dir", enc: "A256GCM", kid: "k1", ...FOR, ...more });
  // What an operator of records alone could try: another's secret under a header of one's own.
  const [, , ...stolen] = (await seal({ sub: "wayne-ent", aud: `https://${OTHER}` })).split(".");
  const form = "no JWE of dir";
  const cases = {
    "a header of one's own before another's secret": [`${whose()}..${stolen.join(".")}`, "changed"],
    "another field in the header": [`${whose({ field: "authorization" })}..${iv}.${text}.${tag}`, "changed"],
    "another key": [await seal({ key: bytesOf(KEYS.k2) }), "changed"],
    "a key that is not listed": [await seal({ kid: "k2" }), "no key"],
    "a key named as a member of every object": [await seal({ kid: "constructor" }), "no key"],
    "a changed text": [`${header}..${iv}.${flipped}.${tag}`, "changed"],
    "a tag that is cut": [`${header}..${iv}.${text}.${tag.slice(0, 16)}`, form],
    "a part too many": [`${header}..${iv}.${text}.${tag}.${tag}`, form],
    "an encrypted key": [`${header}.AAAA.${iv}.${text}.${tag}`, form],
    "another encryption": [await seal({ enc: "A128CBC-HS256" }), form],
    "no parts": [`${header}.`, form],
    "a value with a line break": [await seal({ value: `${CANARY}\r\nx-injected: 1` }), "none of a field"],
  };
  for (const [name, [sealed, why]] of Object.entries(cases))
    await sendsNothing(sealed, name, "customer_secret_unusable", why);
  assert.ok(gateway.log.texts.join("\n").includes(`customer acme-corp: the secret x-api-secret for ${ORIGIN}`));
});

test("a secret of the Worker that nobody minted opens nothing, and shuts out those alone whose secrets it should open", async () => {
  const key = "correct-horse-battery-staple";
  await withRecord([await seal({ key: bytesOf(key) })], undefined, { bindings: { ...bindings, SEALING_K1: key } });
  assert.deepEqual([(await send("/own/x")).status, (await send("/shared/x")).status], [500, 200]);
  assert.ok(gateway.log.texts.some((text) => text.includes("none that pointsman secret create made")));
  assert.ok(!gateway.log.texts.join("").includes(key));
  await withRecord([], undefined, { bindings });
  assert.equal((await send("/own/x")).status, 200);
});

test("keys are changed without an interruption: a new one seals, and the old one still opens", async () => {
  const old = await seal();
  await withRecord([old], undefined, { toml: toml(["k2", "k1"]) });
  assert.equal((await send("/own/x")).status, 200);
  const sealed = await seal({ kid: "k2" });
  await withRecord([sealed], undefined, { toml: toml(["k2"]) });
  assert.equal((await send("/own/x")).status, 200);
  for (const call of gateway.called()) assert.deepEqual(values(call, "x-api-secret"), [CANARY]);
  await withRecord([old], undefined, { toml: toml(["k2"]) });
  assert.equal((await send("/own/x")).status, 500);
});
