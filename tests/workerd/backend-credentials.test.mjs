// What a backend is given with each request reaches that backend and nobody else; what a route hands on of a client's
// credentials is what its configuration says, and never an API key.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { demoKey } from "../../demo/seed.mjs";
import { gatewayToml } from "./support/files.mjs";
import { token } from "./support/fixed-world.mjs";
import { bearer, openGateway } from "./support/gateway.mjs";

const CANARY = "canary-93c1d7e0";
const OPERATOR = "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2";
const [SHARED, SANDBOX] = ["shared.backends.example.com", "sandbox.backends.example.com"];
const KEY = demoKey("acme");

const operated = (name) => `${gatewayToml(name)}\n[operator]\nstatus = "/status"\nsecret = "${OPERATOR}"\n`;

let gateway;
before(async () => {
  gateway = await openGateway({ toml: operated("backends"), bindings: { BACKEND_SECRET: CANARY } });
});
after(() => gateway?.stop());
beforeEach(() => {
  gateway.world.mend();
  gateway.world.clear();
  gateway.log.clear();
});

const values = (call, name) => call.headers.filter(([own]) => own.toLowerCase() === name).map(([, value]) => value);
/** Answers of the gateway's as they came, heads and bodies. */
const whole = (answer) => JSON.stringify([answer.status, answer.headers, answer.text()]);
const quietly = (status, fields) => (request, response) => response.writeHead(status, fields).end("done");

/** Where the canary may be: in requests to the backend whose secret it is. */
async function isKept(answers, mayHave) {
  for (const answer of answers) assert.ok(!whole(answer).includes(CANARY), whole(answer));
  for (const call of gateway.world.requests) {
    const has = JSON.stringify([call.url, call.headers]).includes(CANARY);
    assert.equal(has, mayHave(call), `${call.host}${call.url}`);
  }
  await gateway.log.request();
  assert.ok(!gateway.log.texts.join("\n").includes(CANARY), gateway.log.texts.join("\n"));
}

test("a backend's secret is in no other request, no answer and no log line, whatever becomes of the request", async () => {
  for (const host of [SHARED, SANDBOX, "acme.tenants.example.com"]) gateway.world.replace(host, quietly(200));
  const send = (target, headers = []) => gateway.send({ target, headers: [bearer(KEY), ...headers] });
  const answers = [
    await send("/secret/x", [["X-Backend-Secret", "guess"]]),
    await send("/several/x"),
    await send("/plain/x"),
    await send("/customer/x"),
    await send("/nowhere"),
    await gateway.send({ target: "/secret/x" }),
    await gateway.send({ target: "/secret/x", headers: [["X-Pointsman-Explain", OPERATOR], bearer(KEY)] }),
    await gateway.send({ target: "/basic/x", headers: [["X-Pointsman-Explain", OPERATOR], bearer(KEY)] }),
    await gateway.send({ target: "/secret/x", headers: [["X-Pointsman-Explain", "wrong"], bearer(KEY)] }),
    await gateway.send({ target: "/status", headers: [bearer(OPERATOR)] }),
  ];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200, 404, 401, 200, 200, 401, 200],
  );
  await isKept(answers, ({ url }) => /^\/(secret|several)\//.test(url));
  for (const call of gateway.called().filter(({ url }) => /^\/(secret|several)\//.test(url)))
    assert.deepEqual(values(call, "x-backend-secret"), [CANARY]);
  const told = answers[6].json().forward.set;
  assert.deepEqual(
    told.filter(([name]) => name === "x-backend-secret"),
    [["x-backend-secret", "(secret)"]],
  );
});

test("a redirect of a backend leads no secret elsewhere", async () => {
  gateway.world.replace(SHARED, quietly(307, { location: `https://${SANDBOX}/elsewhere` }));
  const answer = await gateway.send({ target: "/secret/x", headers: [bearer(KEY)] });
  assert.equal(answer.status, 307);
  assert.equal(gateway.called().length, 1);
  await isKept([answer], ({ host }) => host === SHARED);
});

test("each origin of a backend gets its secret, also the one that is asked in place of another", async () => {
  gateway.world.replace(SANDBOX, (request) => request.socket.destroy());
  gateway.world.replace(SHARED, quietly(200));
  const answer = await gateway.send({ target: "/several/x", headers: [bearer(KEY)] });
  assert.equal(answer.status, 200);
  await isKept([answer], () => true);
  for (const call of gateway.called()) assert.deepEqual(values(call, "x-backend-secret"), [CANARY], call.host);
});

test("a secret is in no problem where its backend cannot be reached", async () => {
  gateway.world.replace(SHARED, (request) => request.socket.destroy());
  const answer = await gateway.send({ target: "/basic/x", headers: [bearer(KEY)] });
  assert.equal(answer.status, 502);
  const basic = Buffer.from(`gateway:${CANARY}`).toString("base64");
  for (const call of gateway.called()) assert.deepEqual(values(call, "authorization"), [`Basic ${basic}`]);
  await isKept([answer], () => false);
  assert.ok(!`${whole(answer)}${gateway.log.texts.join("\n")}`.includes(basic));
});

test("a secret that cannot be a field's value stops the gateway without being told", async () => {
  await gateway.restart({ bindings: { BACKEND_SECRET: `${CANARY}\nx-other: 1` } });
  const answer = await gateway.send({ target: "/plain/x", headers: [bearer(KEY)] });
  assert.equal(answer.status, 500);
  await isKept([answer], () => false);
  assert.ok(gateway.log.texts.join("\n").includes("headers/0/value"), gateway.log.texts.join("\n"));
});

test("a token is handed on as it came, a key never, and neither is told", async () => {
  await gateway.restart({ toml: operated("handing-on"), bindings: {} });
  const jwt = token("customer-acme");
  const key = ["X-Api-Key", KEY];
  for (const [target, headers, authorization] of [
    ["/token/x", [bearer(jwt)], [`Bearer ${jwt}`]],
    ["/token/x", [key], []],
    ["/none/x", [bearer(jwt)], []],
    ["/both/x", [key, bearer("users-own-token")], ["Bearer users-own-token"]],
    ["/both/x", [key, bearer(KEY)], []],
    ["/open/x", [["Authorization", "Basic dXNlcjpwYXNzd29yZA=="]], ["Basic dXNlcjpwYXNzd29yZA=="]],
  ]) {
    gateway.world.clear();
    gateway.log.clear();
    const answer = await gateway.send({ target, headers });
    assert.equal(answer.status, 200, answer.text());
    const [call] = gateway.called();
    assert.deepEqual(values(call, "authorization"), authorization, `${target} ${headers}`);
    assert.deepEqual(values(call, "x-api-key"), []);
    const told = await gateway.send({ target, headers: [["X-Pointsman-Explain", OPERATOR], ...headers] });
    const set = told.json().forward.set.filter(([name]) => name === "authorization");
    assert.deepEqual(
      set,
      authorization.map(() => ["authorization", "(credential)"]),
    );
    await gateway.log.request();
    const secrets = headers.map(([, value]) => value.split(" ").at(-1));
    for (const secret of secrets)
      assert.ok(!`${told.text()}${gateway.log.texts.join("\n")}`.includes(secret), `${target}: ${secret}`);
  }
});

test("answers to a client's own Authorization are kept out of shared caches", async () => {
  gateway.world.replace(SHARED, quietly(200, { "cache-control": "public, max-age=60" }));
  const answer = await gateway.send({ target: "/open/x", headers: [bearer("users-own-token")] });
  assert.match(answer.get("cache-control"), /private/);
});
