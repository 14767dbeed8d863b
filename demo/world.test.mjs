import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { request as httpRequest } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { createLocalJWKSet, jwtVerify } from "jose";
import { WebSocket } from "ws";
import { backendName } from "./hosts.mjs";
import { AUDIENCE, ISSUER, mintToken } from "./issuer.mjs";
import { createWorld } from "./world.mjs";

const world = createWorld({ ownPorts: true });
before(() => world.start());
after(() => world.stop());
beforeEach(() => {
  world.clear();
  world.restore();
});

// By node:http: fetch lets nobody set Host.
const call = (host, path, { method = "GET", headers = {}, body, address = world.address } = {}) =>
  new Promise((resolve, reject) => {
    const [hostname, port] = address.split(":");
    const request = httpRequest({ hostname, port, path, method, headers: { host, ...headers } }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    request.on("error", reject);
    request.end(body);
  });

test("the host names the backend", () => {
  assert.equal(backendName("sandbox.backends.example.com"), "sandbox");
  assert.equal(backendName("Acme.Tenants.example.com:443"), "acme.tenants");
  assert.equal(backendName("acme.api.example.com"), "acme.api");
  for (const host of [
    "api.example.com",
    "a.b.tenants.example.com",
    "backends.example.com",
    "id.example.com",
    "",
    undefined,
  ]) {
    assert.equal(backendName(host), undefined, host);
  }
});

test("an echo backend says what reached it, and the world notes it", async () => {
  const body = Buffer.from("hello");
  const answer = await call("acme.tenants.example.com", "/a/%2F/b?x=1&x=2", {
    method: "POST",
    headers: { "X-Odd": "1" },
    body,
  });
  const echoed = JSON.parse(answer.body);
  assert.equal(answer.headers["x-backend"], "acme.tenants");
  assert.equal(echoed.url, "/a/%2F/b?x=1&x=2");
  assert.equal(echoed.bodyBytes, 5);
  assert.equal(echoed.bodySha256, createHash("sha256").update(body).digest("hex"));
  assert.ok(echoed.headers.some(([name, value]) => name === "X-Odd" && value === "1"));
  assert.equal(world.requests.length, 1);
  assert.equal(world.requests[0].bodyBytes, 5);
});

test("32 MiB up and down", async () => {
  const size = 32 * 1024 * 1024;
  const up = await call("shared.backends.example.com", "/up", { method: "PUT", body: Buffer.alloc(size) });
  assert.equal(JSON.parse(up.body).bodyBytes, size);
  const down = await call("shared.backends.example.com", `/bytes/${size}`);
  assert.equal(down.body.length, size);
});

test("statuses, redirects and the mirror on request", async () => {
  assert.equal((await call("shared.backends.example.com", "/deep/status/503")).status, 503);
  assert.equal((await call("shared.backends.example.com", "/status/204")).status, 204);
  const redirect = await call("shared.backends.example.com", "/redirect?to=https%3A%2F%2Fevil.example%2F");
  assert.deepEqual([redirect.status, redirect.headers.location], [302, "https://evil.example/"]);
  assert.equal(
    String((await call("shared.backends.example.com", "/mirror", { method: "POST", body: "back" })).body),
    "back",
  );
});

test("server-sent events", async () => {
  const answer = await call("shared.backends.example.com", "/sse?n=2&ms=1");
  assert.equal(answer.headers["content-type"], "text/event-stream");
  assert.equal(String(answer.body), "id: 1\ndata: event 1\n\nid: 2\ndata: event 2\n\n");
});

test("a WebSocket is echoed", async () => {
  const socket = new WebSocket(`ws://${world.address}/ws`, { headers: { host: "shared.backends.example.com" } });
  const heard = await new Promise((resolve, reject) => {
    socket.on("open", () => socket.send("ping"));
    socket.on("message", (data) => resolve(String(data)));
    socket.on("error", reject);
  });
  socket.close();
  assert.equal(heard, "ping");
});

test("the config API answers those who know the token", async () => {
  const headers = { authorization: "Bearer demo-config-token" };
  assert.equal((await call("config.example.com", "/customers")).status, 401);
  assert.equal(JSON.parse((await call("config.example.com", "/customers", { headers })).body).length, 4);
  assert.equal(
    JSON.parse((await call("config.example.com", "/customers/umbrella-corp", { headers })).body).environmentName,
    "umbrella",
  );
  assert.equal((await call("config.example.com", "/customers/nobody", { headers })).status, 404);
});

test("tokens verify with the published keys, which hold nothing private", async () => {
  const { body } = await call("id.example.com", "/.well-known/jwks.json");
  const jwks = JSON.parse(body);
  assert.ok(jwks.keys.every((key) => !("d" in key) && !("p" in key)));
  const discovery = JSON.parse((await call("id.example.com", "/.well-known/openid-configuration")).body);
  assert.equal(discovery.jwks_uri, "https://id.example.com/.well-known/jwks.json");
  for (const alg of ["ES256", "RS256", "EdDSA"]) {
    const { payload } = await jwtVerify(
      await mintToken({ customerId: "acme-corp" }, { alg }),
      createLocalJWKSet(jwks),
      { issuer: ISSUER, audience: AUDIENCE },
    );
    assert.equal(payload.customerId, "acme-corp", alg);
  }
});

test("an unknown host does not answer; a replaced one answers otherwise", async () => {
  await assert.rejects(call("nowhere.example.net", "/"));
  world.replace("id.example.com", (request, response) => response.writeHead(503).end());
  assert.equal((await call("id.example.com", "/.well-known/jwks.json")).status, 503);
});

test("each backend has a port of its own", async () => {
  const acme = world.backends.find(({ backend }) => backend === "acme.tenants");
  const answer = await call("127.0.0.1", "/direct", { address: new URL(acme.url).host });
  assert.equal(JSON.parse(answer.body).backend, "acme.tenants");
});
