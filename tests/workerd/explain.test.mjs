// The running gateway's explanations: for whoever shows the operator's secret, and nobody else.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { demoKey } from "../../demo/seed.mjs";
import { gatewayToml } from "./support/files.mjs";
import { bearer, openGateway } from "./support/gateway.mjs";

const SECRET = "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2";
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

let gateway;
before(async () => {
  gateway = await openGateway({ toml: gatewayToml("rules") });
  await gateway.seed();
  await gateway.restart({ keepStore: true });
});
after(() => gateway.stop());

const ask = (target, headers = [], secret = SECRET, method = "GET") =>
  gateway.send({ method, target, headers: [["X-Pointsman-Explain", secret], ...headers] });

describe("an explanation", () => {
  test("tells what would happen, and nothing happens", async () => {
    const key = demoKey("acme");
    const answer = await ask("/customer/orders?x=1", [bearer(key), ["X-Forwarded-For", "10.0.0.1"]]);
    assert.equal(answer.status, 200);
    assert.equal(answer.get("content-type"), "application/json");
    assert.equal(answer.get("cache-control"), "no-store");
    const told = answer.json();
    assert.equal(told.explanation, 1);
    assert.equal(told.decision.customer, "acme-corp");
    assert.equal(told.forward.url, "https://acme.tenants.example.com/customer/orders?x=1");
    assert.ok(told.forward.removed.includes("x-forwarded-for"));
    assert.ok(told.forward.removed.includes("x-pointsman-explain"));
    assert.deepEqual(gateway.called(), []);
    for (const secret of [key, SECRET]) assert.ok(!answer.text().includes(secret));
  });

  test("is what the same request then does", async () => {
    const headers = [bearer(demoKey("acme"))];
    const told = (await ask("/customer/orders", headers)).json();
    await gateway.send({ method: "GET", target: "/customer/orders", headers });
    const [called] = gateway.called().slice(-1);
    assert.equal(`https://${called.host}${called.url}`, told.forward.url);
    const fields = new Map(called.headers.map(([name, value]) => [name.toLowerCase(), value]));
    assert.ok(told.forward.set.length > 3);
    for (const [name, value] of told.forward.set) {
      if (name !== "x-request-id") assert.equal(fields.get(name), value, name);
    }
  });

  test("takes a request for somebody's, from somewhere", async () => {
    const claims = encode({ sub: "someone", customerId: "wayne-ent" });
    const place = encode({ country: "DE", ip: "192.0.2.7" });
    const told = (
      await ask("/customer/x", [
        ["X-Pointsman-Claims", claims],
        ["X-Pointsman-Cf", place],
      ])
    ).json();
    assert.equal(told.decision.auth, "assumed");
    assert.equal(told.decision.customer, "wayne-ent");
    assert.ok(told.forward.set.some(([name, value]) => name === "x-forwarded-for" && value === "192.0.2.7"));
  });

  test("of an unsafe method is one as well", async () => {
    const before = gateway.called().length;
    const told = (await ask("/customer/x", [bearer(demoKey("acme"))], SECRET, "DELETE")).json();
    assert.equal(told.request.method, "DELETE");
    assert.equal(gateway.called().length, before);
  });

  test("of what is not one is an error", async () => {
    const answer = await ask("/customer/x", [["X-Pointsman-Claims", "no json"]]);
    assert.equal(answer.status, 400);
    assert.match(answer.json().error, /x-pointsman-claims/);
  });
});

describe("nobody else", () => {
  test("is told anything, and nothing is carried out that was meant as a question", async () => {
    const before = gateway.called().length;
    for (const wrong of ["", "x", `${SECRET}x`, SECRET.slice(1), `Bearer ${SECRET}`]) {
      const answer = await ask("/customer/x", [bearer(demoKey("acme"))], wrong);
      assert.equal(answer.status, 401, wrong);
      assert.equal(answer.get("content-type"), "application/problem+json");
      assert.ok(!answer.text().includes("tenants"));
    }
    assert.equal(gateway.called().length, before);
  });

  test("is believed who says whom to take them for", async () => {
    const claims = encode({ customerId: "acme-corp" });
    const answer = await gateway.send({
      method: "GET",
      target: "/customer/x",
      headers: [["X-Pointsman-Claims", claims]],
    });
    assert.equal(answer.status, 401);
    assert.match(answer.json().type, /credential-required$/);
  });
});

describe("without a secret in the configuration", () => {
  let without;
  before(async () => {
    without = await openGateway({ toml: gatewayToml("exact") });
  });
  after(() => without.stop());

  test("no question is carried out", async () => {
    for (const method of ["GET", "DELETE", "OPTIONS", "POST"]) {
      for (const fields of [
        [["X-Pointsman-Explain", SECRET]],
        [["x-pointsman-explain", ""]],
        [
          ["X-POINTSMAN-EXPLAIN", "1"],
          ["x-pointsman-explain", "2"],
        ],
      ]) {
        const answer = await without.send({ method, target: "/asked/x", headers: fields });
        assert.equal(answer.status, 401, `${method} ${JSON.stringify(fields)}`);
        assert.match(answer.json().type, /credential-invalid$/);
      }
    }
    assert.deepEqual(without.called(), []);
    const folded = await without.send({
      method: "GET",
      target: "/asked/x",
      headers: [["x_pointsman_explain", SECRET]],
    });
    assert.equal(folded.status, 200);
    const [called] = without.called();
    assert.ok(called.headers.every(([name]) => !/pointsman.explain/i.test(name)));
  });
});

test("a secret that somebody made up shuts what operators ask, is said in the log, and costs no caller an answer", async () => {
  const madeUp = "a passphrase of more than forty characters, made up";
  const toml = gatewayToml("rules").replace(SECRET, "${OPERATOR_SECRET}");
  assert.ok(toml.includes("${OPERATOR_SECRET}"));
  const shut = await openGateway({ toml, bindings: { OPERATOR_SECRET: madeUp } });
  try {
    await shut.seed();
    const answer = await shut.send({ target: "/gateway/status", headers: [["Authorization", `Bearer ${madeUp}`]] });
    assert.equal(answer.status, 401);
    assert.equal((await shut.send({ target: "/customer/x", headers: [bearer(demoKey("acme"))] })).status, 200);
    const said = JSON.stringify(await shut.log.event("misconfigured"));
    assert.match(said, /\/operator\/secret: is none that `pointsman secret create` made/);
    assert.ok(!shut.log.texts.some((line) => line.includes(madeUp)));
  } finally {
    await shut.stop();
  }
});
