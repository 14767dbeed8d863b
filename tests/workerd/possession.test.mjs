// Bound tokens and opaque ones at the built Worker: proofs of DPoP with WebCrypto's clock and keys, and an issuer that is asked.
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { bearer, openGateway } from "./support/gateway.mjs";
import { signed } from "./support/tokens.mjs";

const SECRET = "introspection secret/&=";
const route = (path, issuer) => `
[[routes]]
path = "/${path}/{+rest}"
auth = ["${issuer}"]
rules = [{ name = "all", to = "shared" }]
`;
const issuer = (name, iss, lines) => `
[[issuers]]
name = "${name}"
issuer = "${iss}"
${lines}
`;
const keys = 'jwks_url = "https://id.example.com/.well-known/jwks.json"\nalgorithms = ["ES256"]';
const toml = `
${issuer("main", "https://id.example.com/", `audience = "https://api.example.com"\n${keys}\ndpop = "required"`)}
${issuer(
  "opaque",
  "https://opaque.example.com/",
  `fresh = "2s"
introspection = { url = "https://opaque.example.com/introspect?realm=1", client_id = "gate:way", client_secret = "\${SECRET}" }`,
)}
[dpop]
nonce_secret = "\${NONCE_SECRET}"

[backends.shared]
url = "\${SHARED_BACKEND_URL}"
${route("bound", "main")}${route("opaque", "opaque")}`;

let gateway;
before(async () => {
  gateway = await openGateway({
    toml,
    bindings: { SECRET, NONCE_SECRET: "0123456789abcdef0123456789abcdef" },
  });
});
after(() => gateway?.stop());

const base64url = (value) => Buffer.from(value).toString("base64url");
const digest = (text) => createHash("sha256").update(text).digest("base64url");

/** A client that holds a key. */
function holder(kind = { type: "ec", options: { namedCurve: "P-256" }, alg: "ES256", hash: "sha256" }) {
  const { privateKey, publicKey } = generateKeyPairSync(kind.type, kind.options);
  const jwk = publicKey.export({ format: "jwk" });
  const required = { EC: ["crv", "kty", "x", "y"], OKP: ["crv", "kty", "x"], RSA: ["e", "kty", "n"] }[jwk.kty];
  const jkt = digest(JSON.stringify(Object.fromEntries(required.map((name) => [name, jwk[name]]))));
  const prove = (token, { htm = "GET", path, nonce, jti = randomUUID() }) => {
    const claims = { jti, htm, htu: `http://gateway.example.com${path}`, iat: Math.floor(Date.now() / 1000) };
    const header = { typ: "dpop+jwt", alg: kind.alg, jwk };
    const input = [header, { ...claims, ath: digest(token), nonce }]
      .map((part) => base64url(JSON.stringify(part)))
      .join(".");
    const key = { key: privateKey, dsaEncoding: "ieee-p1363" };
    return `${input}.${base64url(sign(kind.hash, Buffer.from(input), key))}`;
  };
  return { prove, token: (claims) => signed("es256-1", { ...claims, cnf: { jkt } }) };
}

const KINDS = {
  ES256: { type: "ec", options: { namedCurve: "P-256" }, alg: "ES256", hash: "sha256" },
  ES384: { type: "ec", options: { namedCurve: "P-384" }, alg: "ES384", hash: "sha384" },
  RS256: { type: "rsa", options: { modulusLength: 2048 }, alg: "RS256", hash: "sha256" },
  EdDSA: { type: "ed25519", options: {}, alg: "EdDSA", hash: null },
};

async function send(token, proof, { method = "GET", path }) {
  gateway.world.clear();
  const headers = [
    ["Authorization", `DPoP ${token}`],
    ["DPoP", proof],
  ];
  return gateway.send({ method, target: path, headers });
}

describe("DPoP", () => {
  const path = "/bound/%E2%82%AC/x";
  let nonce;

  test("a client is told the nonce, and passes with it", async () => {
    const { token, prove } = holder();
    const mine = token();
    const refused = await send(mine, prove(mine, { path }), { path: `${path}?q=1` });
    assert.equal(refused.status, 401);
    assert.match(refused.get("www-authenticate"), /^DPoP error="use_dpop_nonce", algs="[^"]*ES256/);
    nonce = refused.get("dpop-nonce");
    const passed = await send(mine, prove(mine, { path, nonce }), { path: `${path}?q=1` });
    assert.equal(passed.status, 200, passed.text());
    assert.ok(passed.get("dpop-nonce"));
    const [call] = gateway.called();
    const names = call.headers.map(([name]) => name.toLowerCase());
    assert.ok(!names.includes("dpop") && !names.includes("authorization"), names.join());
  });

  for (const [name, kind] of Object.entries(KINDS)) {
    test(`a proof that is signed with ${name} counts once`, async () => {
      const { token, prove } = holder(kind);
      const mine = token();
      const proof = prove(mine, { path, nonce });
      const answers = await Promise.all([1, 2, 3].map(() => send(mine, proof, { path })));
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 401, 401]);
    });
  }

  test("a copied token, another method and a key of somebody else's are refused", async () => {
    const { token, prove } = holder();
    const mine = token();
    const stranger = holder();
    gateway.log.clear();
    for (const [reason, answer] of [
      ["token_bound_to_key", gateway.send({ target: path, headers: [bearer(mine)] })],
      ["dpop_proof_key", send(mine, stranger.prove(mine, { path, nonce }), { path })],
      ["dpop_proof_request", send(mine, prove(mine, { path, nonce }), { method: "POST", path })],
      ["token_not_bound", gateway.send({ target: path, headers: [bearer(signed("es256-1"))] })],
    ]) {
      const { status } = await answer;
      assert.equal(status, 401, reason);
    }
    const lines = gateway.log.texts.join("\n");
    for (const reason of ["token_bound_to_key", "dpop_proof_key", "dpop_proof_request", "token_not_bound"])
      assert.ok(lines.includes(reason), reason);
    assert.ok(!lines.includes(mine), "no line has the token");
  });
});

describe("introspection", () => {
  const TOKEN = "ory_at_Zm9vYmFy";
  let asked;
  const answerWith = (handler) => {
    asked = [];
    gateway.world.replace("opaque.example.com", async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      asked.push({ method: request.method, url: request.url, headers: request.headers, body });
      handler(response);
    });
  };
  const json = (value) => (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  const ask = () => gateway.send({ target: "/opaque/x", headers: [bearer(TOKEN)] });
  const restart = () => gateway.restart({ keepStore: true });

  test("many requests at once ask once, as the client that is configured", async () => {
    await restart();
    answerWith((response) => setTimeout(() => json({ active: true, sub: "user-1" })(response), 50));
    gateway.world.clear();
    const answers = await Promise.all(Array.from({ length: 20 }, ask));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    assert.equal(asked.length, 1);
    const [{ method, url, headers, body }] = asked;
    assert.equal(method, "POST");
    assert.equal(url, "/introspect?realm=1");
    assert.equal(headers["content-type"], "application/x-www-form-urlencoded");
    assert.equal(body, `token=${TOKEN}&token_type_hint=access_token`);
    const basic = Buffer.from(headers.authorization.replace("Basic ", ""), "base64").toString();
    assert.deepEqual(basic.split(":").map(decodeURIComponent), ["gate:way", SECRET]);
    assert.ok(
      gateway.called().every(({ headers }) => headers.every(([name]) => name.toLowerCase() !== "authorization")),
    );
  });

  test("a token that its issuer has ended stops within the time, and a failure is no bad token", async () => {
    await restart();
    answerWith(json({ active: true, sub: "user-1" }));
    assert.equal((await ask()).status, 200);
    answerWith(json({ active: false }));
    await new Promise((resolve) => setTimeout(resolve, 2300));
    assert.equal((await ask()).status, 401);
    await restart();
    for (const handler of [
      (response) => response.writeHead(500).end(),
      (response) => response.writeHead(302, { location: "https://shared.backends.example.com/" }).end(),
      json([]),
      (response) => response.destroy(),
    ]) {
      await restart();
      answerWith(handler);
      gateway.world.clear();
      const answer = await ask();
      assert.equal(answer.status, 503, answer.text());
      assert.equal(gateway.called().length, 0, "no redirect is followed");
      const { message } = await gateway.log.event("introspection_failed");
      assert.match(message, /^opaque: /);
    }
    const lines = gateway.log.texts.join("\n");
    for (const secret of [TOKEN, SECRET, encodeURIComponent(SECRET)]) assert.ok(!lines.includes(secret));
  });
});
