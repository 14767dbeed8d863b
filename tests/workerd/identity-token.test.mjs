// The signed token that tells a backend who is calling, verified as a backend would: by a library of somebody else's.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, mock, test } from "node:test";
import { createLocalJWKSet, createRemoteJWKSet, decodeProtectedHeader, jwtVerify, SignJWT } from "jose";
import { WebSocket } from "ws";
import { kvName, mint } from "../../demo/keys.mjs";
import { demoKey } from "../../demo/seed.mjs";
import { assertCaller, installSigner } from "../../src/edge/sign.js";
import { json } from "./support/files.mjs";
import { bearer, openGateway } from "./support/gateway.mjs";

const ISSUER = "https://api.example.com";
const FIELD = "x-pointsman-identity";
const JWKS = "/.well-known/jwks.json";
const SHARED = "shared.backends.example.com";
const FIRST = "sandbox.backends.example.com";
const SECOND = "production.backends.example.com";

const PRIVATE = json("fixtures/keys/private.json");
const OLD = { ...PRIVATE["es256-1"], kid: "old" };
const NEW = { ...PRIVATE["es256-2"], kid: "new" };
const ED = PRIVATE["eddsa-1"];

const SECRET = "0123456789abcdef0123456789abcdef";

const toml = (token = "") => `
[api_keys]
prefixes = ["sk_live", "sk_test"]

[[issuers]]
name = "staff"
issuer = "https://staff.example.com"
audience = "${ISSUER}"
algorithms = ["HS256"]
secret = "${SECRET}"

[[issuers]]
name = "partner"
issuer = "https://partner.example.com"
audience = "${ISSUER}"
algorithms = ["HS256"]
secret = "${SECRET}"

[customers]

[identity.token]
issuer = "${ISSUER}"
claims = { plan = "subscription_tier", roles = "/org/roles" }
${token.includes("keys = ") ? "" : 'keys = ["${KEY_1}"]'}
${token}

[backends.shared]
url = "\${SHARED_BACKEND_URL}"

[backends.several]
origins = [{ url = "https://${FIRST}" }, { url = "https://${SECOND}:8443/base" }]
failure_statuses = [503]

[[routes]]
path = "/shared/{+path}"
methods = ["GET", "HEAD", "POST"]
auth = ["api_key"]
anonymous = true
rules = [{ name = "all", to = "shared" }]

[[routes]]
path = "/kinds/{+path}"
auth = ["api_key", "staff", "partner"]
rules = [{ name = "all", to = "shared" }]

[[routes]]
path = "/several/{+path}"
auth = ["api_key"]
rules = [{ name = "all", to = "several" }]

[[routes]]
path = "/customer/{+path}"
auth = ["api_key"]
rules = [{ name = "customer", to = "customer" }]
`;

/** Bindings KEY_1, KEY_2 and what `keys` names them by. */
const bindings = (...keys) =>
  Object.fromEntries(
    keys.map((key, index) => [`KEY_${index + 1}`, typeof key === "string" ? key : JSON.stringify(key)]),
  );
const listed = (count) => `keys = [${Array.from({ length: count }, (_, index) => `"\${KEY_${index + 1}}"`)}]`;

let gateway;
before(async () => {
  gateway = await openGateway({ toml: toml(), bindings: bindings(OLD) });
});
after(() => gateway?.stop());
beforeEach(() => {
  gateway.world.mend();
  gateway.world.clear();
  gateway.log.clear();
});

const ask = (target, key, request = {}) =>
  gateway.send({ target, ...request, headers: [...(key ? [bearer(key)] : []), ...(request.headers ?? [])] });
const values = (call, name) => call.headers.filter(([own]) => own.toLowerCase() === name).map(([, value]) => value);
/** The only token that came with a call of a backend. */
function tokenOf(call, field = FIELD) {
  const found = values(call, field);
  assert.equal(found.length, 1, `${found.length} fields ${field}`);
  return found[0];
}
async function tokenFor(target, key, request) {
  gateway.world.clear();
  const answer = await ask(target, key, request);
  assert.equal(answer.status, 200, answer.text());
  const calls = gateway.called();
  assert.equal(calls.length, 1);
  return tokenOf(calls[0]);
}
const keySet = async () => (await gateway.send({ target: JWKS })).json();
const verifyWith = (jwks, token, host, options) =>
  jwtVerify(token, createLocalJWKSet(jwks), {
    issuer: ISSUER,
    audience: `https://${host}`,
    algorithms: ["ES256", "EdDSA"],
    typ: "JWT",
    ...options,
  });
const verify = async (token, host = SHARED, options = {}) => verifyWith(await keySet(), token, host, options);

/** Keys of made-up callers, in KV. */
async function callers(records) {
  const store = await gateway.store();
  return Promise.all(
    records.map(async (record) => {
      const key = mint("sk_live");
      await store.put(kvName(key), JSON.stringify(record));
      return { key, ...record };
    }),
  );
}

for (const [what, key, alg] of [
  ["P-256", OLD, "ES256"],
  ["Ed25519", ED, "EdDSA"],
  ["Ed25519 by its newer name", { ...ED, alg: "Ed25519" }, "Ed25519"],
]) {
  test(`a backend verifies who is calling, by the gateway's own key set (${what})`, async () => {
    await gateway.restart({ toml: toml(), bindings: bindings(key) });
    const [caller] = await callers([
      {
        subject: 'Zoë "1"',
        claims: {
          customerId: "acme-corp",
          subscription_tier: "gold",
          org: { roles: ["a", 7] },
          email: "e@example.com",
        },
      },
    ]);
    const token = await tokenFor("/shared/x", caller.key);
    const remote = createRemoteJWKSet(new URL(`http://127.0.0.1:${gateway.port}${JWKS}`));
    const { payload, protectedHeader } = await jwtVerify(token, remote, {
      issuer: ISSUER,
      audience: `https://${SHARED}`,
      algorithms: [alg],
      typ: "JWT",
      maxTokenAge: 60,
    });
    assert.deepEqual(Object.keys(protectedHeader).sort(), ["alg", "kid", "typ"]);
    const { iat, exp, ...rest } = payload;
    assert.deepEqual(rest, {
      iss: ISSUER,
      aud: `https://${SHARED}`,
      sub: 'Zoë "1"',
      customer: "acme-corp",
      authenticated_by: "api_key",
      plan: "gold",
      roles: ["a", 7],
    });
    assert.equal(exp - iat, 60);
    assert.ok(Math.abs(Date.now() / 1000 - iat) < 30);
  });
}

test("the other ways of saying it are as they are written", async () => {
  await gateway.restart({
    toml: toml('field = "authorization"\nlifetime = "10s"\njwks = "/keys"'),
    bindings: bindings(OLD),
  });
  await ask("/shared/x", demoKey("acme"));
  const [scheme, token] = tokenOf(gateway.called()[0], "authorization").split(" ");
  assert.equal(scheme, "Bearer");
  const jwks = (await gateway.send({ target: "/keys" })).json();
  const { payload } = await verifyWith(jwks, token, SHARED);
  assert.equal(payload.exp - payload.iat, 10);
  assert.equal((await gateway.send({ target: JWKS })).status, 404, "no other path has the keys");
});

describe("with one key", () => {
  before(() => gateway.restart({ toml: toml(), bindings: bindings(OLD) }));

  test("a token expires after 60 seconds", async () => {
    const token = await tokenFor("/shared/x", demoKey("acme"));
    const { payload } = await verify(token);
    const at = (seconds) => ({ currentDate: new Date((payload.iat + seconds) * 1000) });
    await verify(token, SHARED, at(59));
    await assert.rejects(verify(token, SHARED, at(60)), { code: "ERR_JWT_EXPIRED" });
  });

  test("a token is for one backend and no other", async () => {
    const shared = await tokenFor("/shared/x", demoKey("acme"));
    const own = await tokenFor("/customer/x", demoKey("acme"));
    await verify(shared, SHARED);
    await verify(own, "acme.tenants.example.com");
    await assert.rejects(verify(shared, "acme.tenants.example.com"), { code: "ERR_JWT_CLAIM_VALIDATION_FAILED" });
    await assert.rejects(verify(own, SHARED), { code: "ERR_JWT_CLAIM_VALIDATION_FAILED" });
  });

  test("each attempt has a token of its own", async () => {
    gateway.world.replace(FIRST, (request, response) => response.writeHead(503).end());
    const answer = await ask("/several/x", demoKey("acme"));
    assert.equal(answer.status, 200);
    const [first, second] = gateway.called();
    assert.deepEqual([first.host, second.host], [FIRST, SECOND]);
    await verify(tokenOf(first), FIRST);
    await verify(tokenOf(second), `${SECOND}:8443`);
    await assert.rejects(verify(tokenOf(first), `${SECOND}:8443`));
    await assert.rejects(verify(tokenOf(second), FIRST));
    const line = await gateway.log.request(values(second, "x-request-id")[0]);
    assert.deepEqual([line.attempt, line.origin], [2, `https://${SECOND}:8443`]);
  });

  test("an anonymous caller has no subject", async () => {
    const { payload } = await verify(await tokenFor("/shared/x"));
    assert.deepEqual(Object.keys(payload).sort(), ["aud", "exp", "iat", "iss"]);
  });

  test("a request with a body has one", async () => {
    const token = await tokenFor("/shared/x", demoKey("acme"), { method: "POST", body: "hello" });
    assert.equal((await verify(token)).payload.sub, "demo-acme");
    assert.equal(gateway.called()[0].bodyBytes, 5);
  });

  test("a WebSocket has one", async () => {
    const [name, value] = bearer(demoKey("acme"));
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/shared/ws`, { headers: { [name]: value } });
    const heard = new Promise((resolve, reject) => socket.on("message", resolve).on("error", reject));
    socket.on("open", () => socket.send("ping"));
    assert.equal(String(await heard), "ping");
    socket.close();
    assert.equal((await verify(tokenOf(gateway.called()[0]))).payload.sub, "demo-acme");
  });

  test("a client's own field is taken off, however it is spelled", async () => {
    const forged = [FIELD, "X-Pointsman-Identity", "x_pointsman_identity", "X.Pointsman.Identity"].map((name) => [
      name,
      "forged",
    ]);
    const token = await tokenFor("/shared/x", demoKey("acme"), { headers: forged });
    assert.equal((await verify(token)).payload.sub, "demo-acme");
    const names = gateway.called()[0].headers.map(([name]) => name.toLowerCase().replace(/[^a-z]/g, "-"));
    assert.equal(names.filter((name) => name === FIELD).length, 1);
    await tokenFor("/shared/x", demoKey("acme"), { headers: [["Connection", `close, ${FIELD}`]] });
  });

  test("100 requests at once of 20 callers: each backend call has its own caller's token", async () => {
    const customers = ["acme-corp", "wayne-ent", "stark-ind"];
    const known = await callers(
      Array.from({ length: 20 }, (_, index) => ({
        // Subjects are shared by callers of different customers and tiers on purpose.
        subject: `user-${index % 4}`,
        claims: { customerId: customers[index % 3], subscription_tier: `tier-${index}` },
      })),
    );
    const jwks = await keySet();
    for (const round of ["cold", "warm"]) {
      gateway.world.clear();
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, index) => ask(`/shared/${index}`, known[index % 20].key)),
      );
      assert.ok(
        answers.every(({ status }) => status === 200),
        round,
      );
      const calls = gateway.called();
      assert.equal(calls.length, 100);
      for (const call of calls) {
        const { subject, claims } = known[Number(call.url.split("/").at(-1)) % 20];
        const { payload } = await verifyWith(jwks, tokenOf(call), SHARED);
        assert.deepEqual(
          [payload.sub, payload.customer, payload.plan],
          [subject, claims.customerId, claims.subscription_tier],
        );
        assert.deepEqual(
          [values(call, "x-subject")[0], values(call, "x-customer-id")[0]],
          [payload.sub, payload.customer],
        );
      }
      assert.ok(new Set(calls.map((call) => tokenOf(call))).size >= 20);
    }
  });

  test("one subject of two issuers and of a key is three callers", async () => {
    const [{ key }] = await callers([{ subject: "admin", claims: {} }]);
    const of = (name) =>
      new SignJWT({})
        .setProtectedHeader({ alg: "HS256" })
        .setIssuer(`https://${name}.example.com`)
        .setAudience(ISSUER)
        .setSubject("admin")
        .setExpirationTime("1h")
        .sign(new TextEncoder().encode(SECRET));
    const credentials = { api_key: key, staff: await of("staff"), partner: await of("partner") };
    const jwks = await keySet();
    // Cold, and then from the cache of signed tokens, in another order.
    for (const names of [
      ["api_key", "staff", "partner"],
      ["partner", "api_key", "staff"],
    ]) {
      for (const name of names) {
        gateway.world.clear();
        assert.equal((await ask("/kinds/x", credentials[name])).status, 200);
        const [call] = gateway.called();
        const { payload } = await verifyWith(jwks, tokenOf(call), SHARED);
        assert.deepEqual(
          [payload.sub, payload.authenticated_by, values(call, "x-authenticated-by")],
          ["admin", name, [name]],
        );
      }
    }
  });

  test("one caller's token is used again at the same backend", async () => {
    const [first, second] = [
      await tokenFor("/shared/x", demoKey("acme")),
      await tokenFor("/shared/y", demoKey("acme")),
    ];
    // Unless half a minute went by between the two, which is the clock's doing.
    assert.equal(first, second);
  });

  test("the key set is public, may be kept for five minutes, and takes GET and HEAD alone", async () => {
    const answer = await gateway.send({ target: JWKS });
    assert.equal(answer.status, 200);
    assert.equal(answer.get("content-type"), "application/jwk-set+json");
    assert.equal(answer.get("cache-control"), "public, max-age=300");
    const { x, y } = OLD;
    assert.deepEqual(answer.json(), {
      keys: [{ alg: "ES256", crv: "P-256", kid: "old", kty: "EC", use: "sig", x, y }],
    });
    const head = await gateway.send({ method: "HEAD", target: JWKS });
    assert.deepEqual([head.status, head.get("content-type"), head.text()], [200, "application/jwk-set+json", ""]);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const refused = await gateway.send({ method, target: JWKS });
      assert.deepEqual([refused.status, refused.get("allow")], [405, "GET, HEAD"], method);
    }
    assert.deepEqual(gateway.called(), []);
  });

  test("the private key is in no answer, no call of a backend and no line of the log", async () => {
    const answers = [
      await gateway.send({ target: JWKS }),
      await ask("/shared/x", demoKey("acme")),
      await ask("/shared/x", "sk_live_no"),
    ];
    await gateway.log.request(answers[1].json().headers?.["x-request-id"]);
    const said = [
      ...answers.map((answer) => answer.text()),
      JSON.stringify(gateway.world.requests),
      ...gateway.log.texts,
    ].join("\n");
    assert.ok(!said.includes(OLD.d));
  });
});

test("keys are changed without a token that a backend must refuse", async () => {
  const tokens = [];
  const signers = [];
  for (const keys of [[OLD], [OLD, NEW], [NEW, OLD], [NEW]]) {
    await gateway.restart({ toml: toml(listed(keys.length)), bindings: bindings(...keys) });
    const jwks = await keySet();
    assert.deepEqual(
      jwks.keys.map(({ kid }) => kid),
      keys.map(({ kid }) => kid),
    );
    assert.ok(jwks.keys.every((key) => !("d" in key)));
    // What was signed before this step is verified with what is published after it, and the other way round.
    if (tokens.length > 0) await verifyWith(jwks, tokens.at(-1).token, SHARED);
    const token = await tokenFor("/shared/x", demoKey("acme"));
    if (tokens.length > 0) await verifyWith(tokens.at(-1).jwks, token, SHARED);
    await verifyWith(jwks, token, SHARED);
    signers.push(decodeProtectedHeader(token).kid);
    tokens.push({ token, jwks });
  }
  assert.deepEqual(signers, ["old", "old", "new", "new"]);
});

for (const [what, key] of [
  ["whose halves are of two keys", { ...OLD, d: NEW.d }],
  ["that lies off its curve", { ...OLD, y: OLD.x }],
  ["of Ed25519 whose halves are of two keys", { ...ED, d: NEW.d, kid: "old" }],
]) {
  test(`with a key ${what} nothing is sent, and the log says why`, async () => {
    await gateway.restart({ toml: toml(), bindings: bindings(key) });
    const answer = await ask("/shared/x", demoKey("acme"));
    assert.equal(answer.status, 500);
    assert.match(answer.json().type, /:gateway-misconfigured$/);
    assert.equal((await gateway.log.request(answer.json().instance)).reason, "misconfigured");
    assert.match((await gateway.log.event("identity_key_unusable")).message, /key old cannot sign/);
    assert.deepEqual(gateway.called(), []);
    assert.ok(!gateway.log.texts.join("\n").includes(key.d));
  });
}

test("a key that is none is found at the start, and the log does not show it", async () => {
  const { x, ...half } = OLD;
  for (const key of [{ ...OLD, crv: "P-384" }, half, JSON.stringify(OLD).slice(0, -1), [OLD]]) {
    await gateway.restart({ toml: toml(), bindings: bindings(key) });
    gateway.log.clear();
    assert.equal((await ask("/shared/x", demoKey("acme"))).status, 500);
    assert.match((await gateway.log.event("misconfigured")).message, /^\/identity\/token\/keys\/0: must /);
    assert.ok(!gateway.log.texts.join("\n").includes(OLD.d));
    assert.deepEqual(gateway.called(), []);
  }
});

// ---- sign.js by itself: time passes only where the clock can be set

describe("signed tokens are kept", () => {
  const { d, x, y } = OLD;
  const header = Buffer.from(JSON.stringify({ alg: "ES256", kid: "old", typ: "JWT" })).toString("base64url");
  const signer = {
    field: FIELD,
    scheme: "",
    header,
    lifetime: 60,
    kid: "old",
    algorithm: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
    publicKey: { crv: "P-256", kty: "EC", x, y },
    d,
  };
  const signed = async (claims) => {
    const headers = new Headers();
    assert.ok(await assertCaller(headers, claims));
    return headers.get(FIELD);
  };
  before(() => mock.timers.enable({ apis: ["Date"], now: Date.UTC(2026, 6, 30, 12) }));
  after(() => mock.timers.reset());
  beforeEach(() => installSigner(JSON.stringify(signer)));

  test("for half of their life", async () => {
    const token = await signed('{"sub":"a"}');
    mock.timers.tick(29_999);
    assert.equal(await signed('{"sub":"a"}'), token);
    assert.notEqual(await signed('{"sub":"b"}'), token);
    mock.timers.tick(1);
    const next = await signed('{"sub":"a"}');
    assert.notEqual(next, token);
    const { payload } = await jwtVerify(next, createLocalJWKSet({ keys: [{ ...signer.publicKey, kid: "old" }] }));
    assert.deepEqual(payload, {
      sub: "a",
      iat: Date.UTC(2026, 6, 30, 12) / 1000 + 30,
      exp: Date.UTC(2026, 6, 30, 12) / 1000 + 90,
    });
  });

  test("2048 of them, and the oldest goes first", async () => {
    const tokens = [];
    for (let i = 0; i < 2049; i++) tokens.push(await signed(`{"sub":"${i}"}`));
    assert.equal(await signed('{"sub":"1"}'), tokens[1]);
    assert.equal(await signed('{"sub":"2048"}'), tokens[2048]);
    assert.notEqual(await signed('{"sub":"0"}'), tokens[0]);
  });

  test("fewer where they are long", async () => {
    const long = (name) => `{"plan":"${"x".repeat(1024 * 1024)}","sub":"${name}"}`;
    const first = await signed(long("first"));
    assert.equal(await signed(long("first")), first);
    for (let i = 0; i < 4; i++) await signed(long(i));
    assert.notEqual(await signed(long("first")), first);
  });

  test("but not under a new key", async () => {
    const token = await signed('{"sub":"a"}');
    installSigner(JSON.stringify(signer));
    assert.notEqual(await signed('{"sub":"a"}'), token);
  });
});
