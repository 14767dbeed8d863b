// What becomes of a backend's answer on its way to the caller: shared caches are kept out of what is one caller's own, and
// the backend of one customer does not speak for all who share the gateway's host.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, beforeEach, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { WebSocket, WebSocketServer } from "ws";
import { demoKey } from "../../demo/seed.mjs";
import { openGateway } from "./support/gateway.mjs";

const SHARED = "shared.backends.example.com";
const OWN = "acme.tenants.example.com";

const configuration = (keys, more = "") => `
[api_keys]
prefixes = ["sk_live", "sk_test"]
${keys}

[customers]
${more}

[backends.shared]
url = "https://${SHARED}"

[backends.planned]
origins = [{ url = "https://${SHARED}" }, { url = "https://sandbox.backends.example.com" }]
${[
  ["plain", '["api_key"]', "", 'to = "shared"'],
  ["edited", '["api_key"]', 'cors = "anything-goes"\nrequest_id = true', 'to = "shared"'],
  ["planned", '["api_key"]', "", 'to = "planned"'],
  ["open", "[]", "", 'to = "shared"'],
  ["hybrid", '["api_key"]', "anonymous = true", 'to = "shared"'],
  ["customer", '["api_key"]', "", 'to = "customer"'],
  ["split", '["api_key"]', "", 'split = [{ to = "customer", weight = 99 }, { to = "shared", weight = 1 }]'],
]
  .map(
    ([name, auth, fields, rule]) => `
[[routes]]
path = "/${name}/{+path}"
methods = ["GET", "HEAD", "POST"]
auth = ${auth}
rewrite = "/{+path}"
${fields}
rules = [{ name = "all", ${rule} }]
`,
  )
  .join("")}`;

const KEY = demoKey("acme");
const BEARER = ["Authorization", `Bearer ${KEY}`];
const IN_OWN_FIELD = ["X-Api-Key", KEY];

let gateway;
before(async () => {
  gateway = await openGateway({ toml: configuration("") });
});
after(() => gateway?.stop());
beforeEach(() => gateway.world.mend());

/** The answer where the backend sends these fields: [[name, value]]. */
async function answerWith(fields, target, credential, { method = "GET", host = SHARED, status = 200 } = {}) {
  gateway.world.replace(host, (request, response) => response.writeHead(status, fields.flat()).end("own"));
  const answer = await gateway.send({ target, method, headers: credential === undefined ? [] : [credential] });
  assert.equal(answer.status, status, answer.text());
  return answer;
}

const PRIVATE = ["plain", "edited", "planned"];
const cc = (...values) => values.map((value) => ["Cache-Control", value]);

for (const route of PRIVATE) {
  test(`what may be shared is handed on as private (${route})`, async () => {
    for (const [fields, sent] of [
      [cc("public, max-age=60"), "max-age=60, private"],
      [cc("max-age=60", "PUBLIC"), "max-age=60, private"],
      [cc('s-maxage="60"'), "private"],
      [cc("must-revalidate"), "must-revalidate, private"],
      [cc("max-age=60"), "max-age=60"],
      [cc("no-store, must-revalidate"), "no-store, must-revalidate"],
      [cc("private , max-age=1"), "private , max-age=1"],
      [[], undefined],
      [[["CDN-Cache-Control", "max-age=60"]], "private"],
      [[["Cloudflare-CDN-Cache-Control", "public"], ...cc("public, max-age=1")], "max-age=1, private"],
      [[["Surrogate-Control", "max-age=60"], ["CDN-Cache-Control", "max-age=1"], ...cc("private")], "private"],
    ]) {
      for (const method of ["GET", "HEAD", "POST"]) {
        const answer = await answerWith(fields, `/${route}/x`, BEARER, { method });
        assert.deepEqual(answer.all("cache-control"), sent === undefined ? [] : [sent], JSON.stringify(fields));
        for (const name of ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"])
          assert.equal(answer.get(name), undefined);
      }
    }
    const closed = await answerWith([["CDN-Cache-Control", "no-store"], ...cc("max-age=60")], `/${route}/x`, BEARER);
    assert.deepEqual([closed.get("cdn-cache-control"), closed.get("cache-control")], ["no-store", "max-age=60"]);
  });
}

test("answers that need no credential, and those of anonymous callers, stay as they are", async () => {
  const fields = [
    ["Cache-Control", "public, s-maxage=60"],
    ["CDN-Cache-Control", "max-age=60"],
    ["Clear-Site-Data", '"*"'],
  ];
  for (const [target, credential] of [
    ["/open/x", undefined],
    ["/open/x", BEARER],
    ["/hybrid/x", undefined],
  ]) {
    const answer = await answerWith(fields, target, credential);
    for (const [name, value] of fields) assert.equal(answer.get(name), value);
  }
  assert.equal((await answerWith(fields, "/hybrid/x", BEARER)).get("cache-control"), "private");
});

test("a status that no answer can be made with is handed on only where it is private", async () => {
  assert.equal(
    (await answerWith(cc("max-age=60"), "/plain/x", BEARER, { status: 700 })).get("cache-control"),
    "max-age=60",
  );
  gateway.world.replace(SHARED, (request, response) => response.writeHead(700, ["Cache-Control", "public"]).end());
  for (const route of PRIVATE) {
    gateway.log.clear();
    const answer = await gateway.send({ target: `/${route}/x`, headers: [BEARER] });
    assert.equal(answer.status, 502);
    assert.equal((await gateway.log.request(answer.json().instance)).reason, "backend_unreachable");
  }
});

test("a status that no answer can be made with opens nothing to pages that the route's policy does not know", async () => {
  const [name, value] = ["Access-Control-Allow-Origin", "https://evil.example"];
  gateway.world.replace(SHARED, (request, response) => response.writeHead(700, [name, value]).end());
  for (const method of ["GET", "HEAD", "POST"]) {
    const answer = await gateway.send({
      target: "/edited/x",
      method,
      headers: [BEARER, ["Origin", "https://app.example"]],
    });
    assert.equal(answer.status, 502);
    assert.equal(answer.get("access-control-allow-origin"), "https://app.example");
    // Without a policy of the route's the backend speaks for itself.
    assert.equal(
      (await gateway.send({ target: "/plain/x", method, headers: [BEARER] })).get("access-control-allow-origin"),
      value,
    );
  }
  gateway.world.replace(SHARED, (request, response) => response.writeHead(700).end());
  assert.equal((await gateway.send({ target: "/edited/x", headers: [BEARER] })).status, 700);
});

// ---- What speaks for the whole origin

const FOREIGN = [
  ["Clear-Site-Data", '"*"'],
  ["Strict-Transport-Security", "max-age=0"],
  ["NEL", '{"report_to":"x","max_age":1}'],
  ["Report-To", '{"group":"x","max_age":1,"endpoints":[]}'],
  ["Reporting-Endpoints", 'x="https://evil.example"'],
  ["Alt-Svc", 'h3="evil.example:443"'],
  ["Public-Key-Pins", "x"],
  ["Public-Key-Pins-Report-Only", "x"],
  ["Expect-CT", "max-age=1"],
  ["Origin-Agent-Cluster", "?1"],
  ["Service-Worker-Allowed", "/"],
  ["Accept-CH", "Sec-CH-UA-Model"],
];
const COOKIES = ["a=b; Domain=example.com; Path=/x; HttpOnly", "c=d;Path=/;SameSite=Lax", "e=f; domain=.example.com"];
const HOST_ONLY = ["a=b; Path=/x; HttpOnly", "c=d;Path=/;SameSite=Lax", "e=f"];

const speaking = [...FOREIGN, ...COOKIES.map((cookie) => ["Set-Cookie", cookie]), ["X-Other", "1"]];

test("the backend of a customer does not speak for all who share the host", async () => {
  for (const target of ["/customer/x", "/split/x"]) {
    const answer = await answerWith(speaking, target, BEARER, { host: OWN });
    for (const [name] of FOREIGN) assert.equal(answer.get(name), undefined, name);
    assert.deepEqual(answer.all("set-cookie"), HOST_ONLY);
    assert.deepEqual([answer.get("x-other"), answer.text()], ["1", "own"]);
    const cookie = await answerWith([["Set-Cookie", COOKIES[1]]], target, BEARER, { host: OWN });
    assert.deepEqual(cookie.all("set-cookie"), [COOKIES[1]]);
  }
});

test("nor where it answers a WebSocket's handshake", async () => {
  const backend = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  backend.on("headers", (headers) =>
    headers.push(
      'Clear-Site-Data: "*"',
      "Strict-Transport-Security: max-age=0",
      `Set-Cookie: ${COOKIES[0]}`,
      "X-Other: 1",
    ),
  );
  backend.on("connection", (connection) => connection.on("message", (data) => connection.send(String(data))));
  await once(backend, "listening");
  const own = await openGateway({ toml: `allow_http = "loopback"\n${configuration("")}`, network: true });
  try {
    const record = { customerId: "acme-corp", backendUrl: `http://127.0.0.1:${backend.address().port}` };
    await (await own.store()).put("customer:acme-corp", JSON.stringify(record));
    const socket = new WebSocket(`ws://127.0.0.1:${own.port}/customer/x`, { headers: Object.fromEntries([BEARER]) });
    const [{ headers }] = await once(socket, "upgrade");
    assert.deepEqual(
      [headers["clear-site-data"], headers["strict-transport-security"], headers["x-other"]],
      [undefined, undefined, "1"],
    );
    assert.deepEqual(headers["set-cookie"], [HOST_ONLY[0]]);
    if (socket.readyState !== WebSocket.OPEN) await once(socket, "open");
    socket.send("hello");
    assert.equal(String((await once(socket, "message"))[0]), "hello");
    socket.terminate();
  } finally {
    await own.stop();
    backend.close();
    for (const connection of backend.clients) connection.terminate();
  }
});

test("a backend of the provider speaks for its own host", async () => {
  const answer = await answerWith(speaking, "/plain/x", BEARER);
  for (const [name, value] of FOREIGN) assert.equal(answer.get(name), value);
  assert.deepEqual(answer.all("set-cookie"), COOKIES);
});

// ---- Reason phrases

test("a reason phrase that no answer can be made with is left out, and the body stays as it is", async () => {
  const zipped = gzipSync("whole");
  const raw = (phrase) => (request, response) => {
    const head = [
      `HTTP/1.1 200 ${phrase}`,
      "Content-Encoding: gzip",
      `Content-Length: ${zipped.length}`,
      "Connection: close",
      "",
      "",
    ];
    response.socket.end(Buffer.concat([Buffer.from(head.join("\r\n"), "latin1"), zipped]));
  };
  for (const phrase of ["all\tright", "\x01", "\x7f", "sch\xf6n", "", "OK"]) {
    gateway.world.replace(SHARED, raw(phrase));
    for (const route of PRIVATE) {
      const answer = await gateway.send({ target: `/${route}/x`, headers: [BEARER, ["Accept-Encoding", "gzip"]] });
      assert.equal(answer.status, 200, `${route} ${JSON.stringify(phrase)} ${answer.text()}`);
      assert.equal(answer.get("content-encoding"), "gzip");
      assert.equal(String(gunzipSync(answer.body)), "whole");
    }
  }
});

// ---- Other settings, each in an isolate of its own; last, since they restart the gateway

test("with isolate_answers = false a customer's backend may say it all", async () => {
  await gateway.restart({ toml: configuration("", "isolate_answers = false"), keepStore: true });
  const answer = await answerWith(speaking, "/customer/x", BEARER, { host: OWN });
  for (const [name, value] of FOREIGN) assert.equal(answer.get(name), value);
  assert.deepEqual(answer.all("set-cookie"), COOKIES);
});

test("with the credential in a field that no cache knows, silence is no protection", async () => {
  await gateway.restart({ toml: configuration('header = "x-api-key"'), keepStore: true });
  for (const route of PRIVATE) {
    for (const [fields, sent] of [
      [[], "private"],
      [cc("max-age=60"), "max-age=60, private"],
      [cc("no-cache"), "no-cache, private"],
      [cc('private="set-cookie"'), 'private="set-cookie", private'],
      [[["Expires", "Fri, 01 Jan 2100 00:00:00 GMT"]], "private"],
      [[["Connection", "cache-control"], ...cc("private")], "private"],
      [cc("no-store"), "no-store"],
      [cc("Private"), "Private"],
    ]) {
      for (const method of ["GET", "HEAD"]) {
        const answer = await answerWith(fields, `/${route}/x`, IN_OWN_FIELD, { method });
        assert.deepEqual(answer.all("cache-control"), [sent], `${route} ${method} ${JSON.stringify(fields)}`);
      }
    }
    assert.equal(
      (await answerWith([], `/${route}/x`, IN_OWN_FIELD, { method: "POST" })).get("cache-control"),
      undefined,
    );
    assert.equal(
      (await answerWith(cc("public"), `/${route}/x`, IN_OWN_FIELD, { method: "POST" })).get("cache-control"),
      "private",
    );
  }
  assert.equal((await answerWith([], "/hybrid/x", undefined)).get("cache-control"), undefined);
});
