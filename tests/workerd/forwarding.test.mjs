// What goes through the gateway arrives as it was sent, both ways, and what must not go through does not.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { gzipSync } from "node:zlib";
import { WebSocket } from "ws";
import { CREDENTIALS, KEY, openForwardingGateway, SHARED, TOKEN, WAYS } from "./support/forwarding-gateway.mjs";
import { bearer } from "./support/gateway.mjs";
import { until } from "./support/log.mjs";
import { answerTo, requestHead, Wire } from "./support/wire.mjs";

const BIG = 32 * 1024 * 1024;
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

let gateway;
before(async () => {
  gateway = await openForwardingGateway();
});
after(() => gateway?.stop());
beforeEach(() => {
  gateway.world.mend();
  gateway.world.clear();
  gateway.log.clear();
});

/** One test for each kind of route and credential: `run(route, authorizationField)`. */
const eachWay = (title, run) => {
  for (const [way, route, auth] of WAYS) test(`${title} (${way})`, () => run(route, auth));
};

const backend = (handler) => gateway.world.replace(SHARED, handler);
/** The only call of a backend. */
const call = () => {
  const calls = gateway.called();
  assert.equal(calls.length, 1, `${calls.length} calls of backends`);
  return calls[0];
};
const values = (name, { headers } = call()) =>
  headers.filter(([own]) => own.toLowerCase() === name).map(([, value]) => value);
const chunk = (text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const LAST_CHUNK = "0\r\n\r\n";

// ---- Bodies

eachWay("the first byte of a body reaches the backend before the last is sent", async (route, auth) => {
  const first = Promise.withResolvers();
  backend(async (request, response) => {
    let body = "";
    for await (const piece of request) {
      body += piece;
      first.resolve(body);
    }
    response.end(`got ${body}`);
  });
  const wire = new Wire(gateway.port);
  try {
    await wire.write(
      requestHead({ method: "POST", target: `${route}/up`, headers: [auth, ["Transfer-Encoding", "chunked"]] }),
    );
    await wire.write(chunk("first "));
    assert.equal(await until(() => Promise.race([first.promise, false]), "the first bytes at the backend"), "first ");
    await wire.write(chunk("last") + LAST_CHUNK);
    assert.equal((await answerTo(wire, "POST")).text(), "got first last");
  } finally {
    wire.close();
  }
});

eachWay("the first byte of an answer reaches the client before the last is sent", async (route, auth) => {
  const rest = Promise.withResolvers();
  backend(async (request, response) => {
    response.write("first ");
    await rest.promise;
    response.end("last");
  });
  const wire = new Wire(gateway.port);
  try {
    await wire.write(requestHead({ target: `${route}/down`, headers: [auth] }));
    const head = await wire.head();
    const pieces = wire.body("GET", head);
    assert.equal(String((await pieces.next()).value), "first ");
    rest.resolve();
    let last = "";
    for await (const piece of pieces) last += piece;
    assert.equal(last, "last");
  } finally {
    rest.resolve();
    wire.close();
  }
});

eachWay("32 MiB up, unchanged", async (route, auth) => {
  const body = randomBytes(BIG);
  const answer = await gateway.send({ method: "PUT", target: `${route}/up`, headers: [auth], body });
  assert.equal(answer.status, 200);
  assert.equal(answer.json().bodyBytes, BIG);
  assert.equal(answer.json().bodySha256, sha256(body));
  assert.deepEqual(values("content-length"), [String(BIG)]);
});

eachWay("32 MiB down, unchanged", async (route, auth) => {
  const body = randomBytes(BIG);
  backend((request, response) => response.writeHead(200, { "content-length": BIG }).end(body));
  const answer = await gateway.send({ target: `${route}/down`, headers: [auth] });
  assert.equal(answer.status, 200);
  assert.equal(answer.get("content-length"), String(BIG));
  assert.equal(sha256(answer.body), sha256(body));
});

eachWay("server-sent events are not held back", async (route, auth) => {
  const open = Promise.withResolvers();
  backend(async (request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: 1\n\n");
    await open.promise;
    response.end("data: 2\n\n");
  });
  const wire = new Wire(gateway.port);
  try {
    await wire.write(requestHead({ target: `${route}/sse`, headers: [auth, ["Accept", "text/event-stream"]] }));
    const head = await wire.head();
    assert.equal(head.get("content-type"), "text/event-stream");
    const pieces = wire.body("GET", head);
    assert.equal(String((await pieces.next()).value), "data: 1\n\n");
    open.resolve();
    assert.equal(String((await pieces.next()).value), "data: 2\n\n");
  } finally {
    open.resolve();
    wire.close();
  }
});

eachWay("a WebSocket is echoed, text and bytes", async (route, [name, value]) => {
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}${route}/ws?a=%2F`, ["chat"], {
    headers: { [name]: value },
  });
  const heard = [];
  socket.on("message", (data, isBinary) => heard.push(isBinary ? data : String(data)));
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  socket.send("ping");
  socket.send(Buffer.from([0, 255, 128]));
  await until(() => heard.length === 2, "both messages back");
  assert.deepEqual(heard, ["ping", Buffer.from([0, 255, 128])]);
  assert.equal(socket.protocol, "chat");
  socket.close();
  assert.equal(call().url, "/ws?a=%2F");
  assert.deepEqual(values("authorization"), []);
  assert.deepEqual(values("x-subject").length, 1);
});

test("a WebSocket without a credential is refused and reaches no backend", async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/plain/ws`);
  const status = await new Promise((resolve) => {
    socket.on("unexpected-response", (request, response) => resolve(response.statusCode));
    socket.on("error", () => {});
    socket.on("open", () => resolve("open"));
  });
  assert.equal(status, 401);
  socket.terminate();
  assert.deepEqual(gateway.called(), []);
});

for (const [encoding, body] of [
  ["gzip", gzipSync("pointsman ".repeat(1000))],
  ["gzip", Buffer.from("this is not gzip at all")],
  ["br", Buffer.from([0x0b, 0x02, 0x80, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x03])],
]) {
  eachWay(`a ${encoding} body of ${body.length} bytes stays as it is`, async (route, auth) => {
    backend((request, response) =>
      response.writeHead(200, { "content-encoding": encoding, "content-length": body.length }).end(body),
    );
    const answer = await gateway.send({ target: `${route}/x`, headers: [auth, ["Accept-Encoding", "gzip, br"]] });
    assert.equal(answer.get("content-encoding"), encoding);
    assert.deepEqual(answer.body, body);
    assert.equal(values("accept-encoding")[0], "gzip, br");
  });
}

eachWay("a gzip body up stays gzip", async (route, auth) => {
  const body = gzipSync("pointsman ".repeat(1000));
  const answer = await gateway.send({
    method: "POST",
    target: `${route}/x`,
    headers: [auth, ["Content-Encoding", "gzip"]],
    body,
  });
  assert.equal(answer.json().bodySha256, sha256(body));
  assert.deepEqual(values("content-encoding"), ["gzip"]);
});

// ---- Statuses, methods

eachWay("several Set-Cookie fields stay separate", async (route, auth) => {
  const cookies = ["a=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT", "b=2; Path=/", "c=3"];
  backend((request, response) => response.writeHead(200, { "set-cookie": cookies }).end("ok"));
  assert.deepEqual((await gateway.send({ target: `${route}/x`, headers: [auth] })).all("set-cookie"), cookies);
});

eachWay("a 204 that announces a body passes without one", async (route, auth) => {
  backend((request, response) =>
    response.socket.end("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"),
  );
  const answer = await gateway.send({ target: `${route}/x`, headers: [auth] });
  assert.equal(answer.status, 204);
  assert.equal(answer.body.length, 0);
});

eachWay("204, 205 and 304 stay bodiless, errors keep their bodies", async (route, auth) => {
  for (const status of [204, 205, 304, 404, 418, 500, 503]) {
    const answer = await gateway.send({ target: `${route}/status/${status}`, headers: [auth] });
    assert.equal(answer.status, status);
    assert.equal(answer.body.length > 0, ![204, 205, 304].includes(status), String(status));
    assert.equal(answer.get("x-backend"), "shared");
  }
});

eachWay("HEAD gets the fields and no body", async (route, auth) => {
  const answer = await gateway.send({ method: "HEAD", target: `${route}/bytes/5000`, headers: [auth] });
  assert.equal(answer.status, 200);
  assert.equal(answer.get("content-length"), "5000");
  assert.equal(answer.body.length, 0);
  assert.equal(call().method, "HEAD");
});

eachWay("unusual methods arrive as they are, with their bodies", async (route, auth) => {
  for (const method of ["PROPFIND", "PURGE", "QUERY", "REPORT", "PATCH", "DELETE", "OPTIONS"]) {
    gateway.world.clear();
    const answer = await gateway.send({ method, target: `${route}/x`, headers: [auth], body: "hello" });
    assert.equal(answer.status, 200, method);
    assert.equal(call().method, method);
    assert.equal(call().bodySha256, sha256("hello"), method);
  }
});

test("a method that the runtime does not know ends in the runtime", async () => {
  for (const method of ["M-SEARCH", "BREW", "get"]) {
    const answer = await gateway.send({ method, target: "/plain/x", headers: [bearer(KEY)] });
    assert.equal(answer.status, 501, method);
  }
  assert.deepEqual(gateway.called(), []);
});

eachWay("a GET or HEAD with a body arrives with it", async (route, auth) => {
  for (const method of ["GET", "HEAD"]) {
    for (const body of ["", "hello"]) {
      gateway.world.clear();
      const answer = await gateway.send({ method, target: `${route}/x`, headers: [auth], body });
      assert.equal(answer.status, 200, `${method} with ${JSON.stringify(body)}`);
      assert.equal(call().method, method);
      assert.equal(call().bodySha256, sha256(body));
      assert.deepEqual(values("authorization"), []);
      assert.equal(values("x-subject").length, 1);
    }
  }
});

eachWay("a GET with a chunked body arrives with it", async (route, auth) => {
  const wire = new Wire(gateway.port);
  try {
    await wire.write(requestHead({ target: `${route}/x`, headers: [auth, ["Transfer-Encoding", "chunked"]] }));
    await wire.write(chunk("hello") + LAST_CHUNK);
    assert.equal((await answerTo(wire, "GET")).status, 200);
    assert.equal(call().bodySha256, sha256("hello"));
  } finally {
    wire.close();
  }
});

// workerd would take a backend's 100 for its answer.
eachWay("a client that expects 100 Continue is served, and its backend is not asked for one", async (route, auth) => {
  const answer = await gateway.send({
    method: "POST",
    target: `${route}/x`,
    headers: [auth, ["Expect", "100-continue"]],
    body: "hello",
  });
  assert.equal(answer.status, 200, answer.text());
  assert.equal(call().bodySha256, sha256("hello"));
  assert.deepEqual(values("expect"), []);
});

eachWay("redirects are handed to the client", async (route, auth) => {
  const location = "https://acme.tenants.example.com/stolen";
  for (const status of [301, 302, 303, 307, 308]) {
    for (const [method, body] of [
      ["GET", undefined],
      ["GET", "b"],
      ["HEAD", undefined],
      ["POST", "b"],
    ]) {
      gateway.world.clear();
      backend((request, response) => response.writeHead(status, { location }).end());
      const answer = await gateway.send({ method, target: `${route}/x`, headers: [auth], body });
      assert.equal(answer.status, status, `${method} with ${body}`);
      assert.equal(answer.get("location"), location);
      assert.equal(call().host, SHARED);
    }
  }
});

// ---- Paths

const AS_SENT = [
  "/a%2Fb",
  "/%2f",
  "/%20",
  "/%5B%5d",
  "//",
  "//x//",
  "/a;b=c/d",
  "/+",
  "/a+b?c+d=%2B&e=+",
  "/x?",
  "/x??",
  "/x?a=1&a=2&b",
  "/x?%zz",
  "/x?a=b/../c",
  "/%C3%A9/%E2%82%AC?%C3%A9=1",
  "/x?q=%00",
  "/x?q=a\\b",
  "/[x]",
  "/a|b",
  "/~a!$&'()*,:=@",
  "/x?a[]=1&b={c}",
  "/%25",
  "/...",
  "/.well-known/x",
];
eachWay("paths and queries arrive byte for byte", async (route, auth) => {
  for (const target of AS_SENT) {
    gateway.world.clear();
    const answer = await gateway.send({ target: `${route}${target}`, headers: [auth] });
    assert.equal(answer.status, 200, `${target}: ${answer.body}`);
    assert.equal(call().url, target);
  }
});

test("without a rewrite the whole path arrives", async () => {
  for (const target of ["/as-sent/a%2Fb//c?d=%2F", "/as-sent/?"]) {
    gateway.world.clear();
    await gateway.send({ target, headers: [bearer(KEY)] });
    assert.equal(call().url, target);
  }
});

// The runtime resolves dot segments and writes a URL's forbidden characters as percent-encoding before the gateway runs.
test("dot segments are resolved before the route is found, so they lead into no other route's backend", async () => {
  for (const [target, status, arrives] of [
    ["/plain/a/../b", 200, "/b"],
    ["/plain/../elsewhere/b", 404],
    ["/plain/../../../plain/b", 200, "/b"],
    ["/plain/a/%2e%2e/b", 400],
    ["/plain/a/.%2E/b", 400],
    ["/plain/..%2fb", 400],
    ["/plain/a%2f..%2f..%2fb", 400],
    ["/plain/a\\..\\b", 400],
    ["/plain/a%5c..%5cb", 400],
    ["/plain/a%00b", 400],
    ["/plain/..;/b", 400],
    ["/plain/%zz", 400],
    ["/plain/%", 400],
  ]) {
    gateway.world.clear();
    const answer = await gateway.send({ target, headers: [bearer(KEY)] });
    assert.equal(answer.status, status, `${target}: ${answer.body}`);
    assert.deepEqual(
      gateway.called().map(({ url }) => url),
      arrives ? [arrives] : [],
      target,
    );
  }
});

// ---- Fields of the request

eachWay("hop-by-hop fields and what Connection names do not pass", async (route, auth) => {
  const hops = [
    ["Connection", "X-Hop, keep-alive, x-hop-two"],
    ["X-Hop", "1"],
    ["X-Hop-Two", "1"],
    ["Keep-Alive", "timeout=5"],
    ["TE", "trailers"],
    ["Trailer", "X-T"],
    ["Upgrade", "h2c"],
    ["HTTP2-Settings", "AAMAAABkAAQAAP__"],
    ["Proxy-Authorization", "Basic eDp5"],
    ["Proxy-Connection", "close"],
    ["Proxy-Authenticate", "Basic"],
  ];
  const answer = await gateway.send({ target: `${route}/x`, headers: [auth, ...hops, ["X-Stays", "1"]] });
  assert.equal(answer.status, 200);
  for (const [name] of hops.filter(([own]) => own !== "Connection"))
    assert.deepEqual(values(name.toLowerCase()), [], name);
  assert.doesNotMatch(values("connection").join(), /x-hop/i);
  assert.deepEqual(values("x-stays"), ["1"]);
});

eachWay("Connection cannot take off what the gateway sets", async (route, auth) => {
  const named = "x-subject, x-customer-id, via, x-request-id, x-forwarded-host, authorization, host";
  await gateway.send({ target: `${route}/x`, headers: [auth, ["Connection", named]] });
  assert.equal(values("x-subject").length, 1);
  assert.deepEqual(values("x-customer-id"), ["acme-corp"]);
  assert.deepEqual(values("via"), ["1.1 pointsman"]);
  assert.equal(values("x-request-id").length, 1);
  assert.deepEqual(values("x-forwarded-host"), ["gateway.example.com"]);
  assert.deepEqual(values("host"), [SHARED]);
});

// Every way in which a lax backend could read one of the identity fields.
const SPELLINGS = [
  "x-subject",
  "X-Subject",
  "x_subject",
  "X.Subject",
  "X-SUBJECT",
  "x-customer-id",
  "X.Customer.Id",
  "x_customer_id",
  "X-Customer_Id",
  "x-customer.id",
  "X_Customer-ID",
  "x-plan",
  "X_Plan",
  "x!plan",
  "x~customer~id",
  "x-authenticated-by",
  "X_Authenticated_By",
  "Remote-User",
  "REMOTE_USER",
  "X-Auth-Request-User",
  "X-MS-CLIENT-PRINCIPAL-ID",
  "X-SSL-Client-Cert",
];
eachWay("no spelling of an identity field passes", async (route, auth) => {
  const forged = SPELLINGS.flatMap((name) => [
    [name, "forged"],
    [name, "forged again"],
  ]);
  const answer = await gateway.send({ target: `${route}/x`, headers: [...forged, auth, ...forged] });
  assert.equal(answer.status, 200);
  assert.doesNotMatch(JSON.stringify(call().headers), /forged/);
  const folded = call().headers.map(([name]) => name.toLowerCase().replace(/[^a-z0-9]/g, "-"));
  assert.equal(folded.filter((name) => name === "x-subject").length, 1);
  assert.equal(folded.filter((name) => name === "x-customer-id").length, 1);
  assert.equal(folded.filter((name) => name === "x-plan").length, 0);
  assert.equal(folded.filter((name) => name === "x-authenticated-by").length, 1);
});

eachWay("a credential under other names reaches no backend", async (route, [name, value]) => {
  const credential = value.split(" ").at(-1);
  const encoded = credential.replaceAll("_", "%5F").replaceAll(".", "%2e");
  const target = `${route}/x?a=%20+b&apikey=${credential}&&access_token=Bearer+${encoded}&c`;
  const others = [
    ["apikey", credential],
    ["X-Twice", credential],
    ["X-Twice", "b"],
    ["x_token", `Token token="${credential}"`],
    ["Cookie", `a=1; token=${credential}; b=2`],
    ["X-Note", "kept"],
  ];
  const answer = await gateway.send({ target, headers: [[name, value], ...others] });
  assert.equal(answer.status, 200);
  assert.equal(call().url, "/x?a=%20+b&&c");
  assert.deepEqual([values("cookie"), values("x-note"), values("x-twice")], [["a=1; b=2"], ["kept"], []]);
  assert.ok(!JSON.stringify(call().headers).includes(credential));
});

eachWay("a credential in place of a subprotocol reaches no backend", async (route, [name, value]) => {
  const credential = value.split(" ").at(-1);
  const socket = new WebSocket(
    `ws://127.0.0.1:${gateway.port}${route}/ws?apikey=${credential}`,
    ["chat", `key.${credential}`],
    { headers: { [name]: value } },
  );
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  assert.equal(socket.protocol, "chat");
  socket.close();
  assert.equal(call().url, "/ws");
  assert.deepEqual(values("sec-websocket-protocol"), ["chat"]);
});

test("a Connection field that names thousands of fields is refused", async () => {
  const named = Array.from({ length: 5000 }, (_, index) => `x-${index}`).join(",");
  const answer = await gateway.send({ target: "/plain/x", headers: [bearer(KEY), ["Connection", named]] });
  assert.equal(answer.status, 400);
  assert.match(answer.json().type, /:request-malformed$/);
  assert.deepEqual(gateway.called(), []);
});

eachWay("where a request came from is said by the gateway alone", async (route, auth) => {
  const forged = [
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X_Forwarded_Host",
    "X-Forwarded",
    "Forwarded",
    "X-Real-IP",
    "True-Client-IP",
    "X-Client-IP",
    "Client-IP",
    "X-Cluster-Client-IP",
    "X-Original-URL",
    "X-Original-Host",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "X-HTTP-Method",
    "X-Host",
    "X-Envoy-Original-Path",
    "X-Request-Id",
    "X_Request_Id",
    "CF_Connecting_IP",
  ].map((name) => [name, "forged"]);
  const answer = await gateway.send({ target: `${route}/x`, headers: [auth, ...forged] });
  assert.equal(answer.status, 200);
  assert.doesNotMatch(JSON.stringify(call().headers), /forged/);
  assert.equal(call().method, "GET");
  assert.equal(call().url, "/x");
  assert.deepEqual(values("x-forwarded-host"), ["gateway.example.com"]);
  assert.deepEqual(values("x-forwarded-proto"), ["http"]);
});

eachWay("the client's address is the platform's word", async (route, auth) => {
  await gateway.send({
    target: `${route}/x`,
    headers: [auth, ["CF-Connecting-IP", "2001:db8::1"], ["X-Forwarded-For", "192.0.2.1"]],
  });
  assert.deepEqual(values("x-forwarded-for"), ["2001:db8::1"]);
});

eachWay("Via is appended to, and a request that was here before ends with 508", async (route, auth) => {
  await gateway.send({ target: `${route}/x`, headers: [auth, ["Via", "1.0 fred"], ["Via", "1.1 p.example.net"]] });
  assert.deepEqual(values("via").join(", "), "1.0 fred, 1.1 p.example.net, 1.1 pointsman");
  gateway.world.clear();
  const looped = await gateway.send({
    target: `${route}/x`,
    headers: [auth, ["Via", "1.0 fred, 1.1 pointsman, 1.1 other"]],
  });
  assert.equal(looped.status, 508);
  assert.match(looped.json().type, /:loop-detected$/);
  assert.deepEqual(gateway.called(), []);
});

eachWay("a request's id is the same for backend, log and caller", async (route, auth) => {
  const answer = await gateway.send({ target: `${route}/x`, headers: [auth, ["X-Request-Id", "mine"]] });
  const [id] = values("x-request-id");
  assert.notEqual(id, "mine");
  const line = await gateway.log.request(id);
  assert.equal(line.status, 200);
  assert.equal(line.backend, "shared");
  assert.equal(line.origin, `https://${SHARED}`);
  assert.equal(answer.get("x-request-id"), route === "/edited" ? id : undefined);

  backend((request) => request.socket.destroy());
  gateway.world.clear();
  const failed = await gateway.send({ target: `${route}/x`, headers: [auth] });
  assert.equal(failed.status, 502);
  const [failedId] = values("x-request-id");
  assert.equal(failed.get("x-request-id"), failedId);
  assert.equal(failed.json().instance, failedId);
  assert.equal((await gateway.log.request(failedId)).reason, "backend_unreachable");
});

eachWay("the platform's id is used where there is one", async (route, auth) => {
  await gateway.send({ target: `${route}/x`, headers: [auth, ["CF-Ray", "230b030023ae2822-SJC"]] });
  assert.deepEqual(values("x-request-id"), ["230b030023ae2822-SJC"]);
});

eachWay("trace context, cookies and fields of the application pass", async (route, auth) => {
  const passing = [
    ["traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
    ["tracestate", "a=1,b=2"],
    ["Cookie", "a=1; b=2"],
    ["Accept", "text/html;q=0.5, */*"],
    ["Idempotency-Key", "k"],
    ["If-None-Match", 'W/"x"'],
    ["Range", "bytes=0-1"],
    ["X-Custom", "1"],
    ["User-Agent", "test/1"],
    ["Origin", "https://a.example"],
  ];
  await gateway.send({ target: `${route}/x`, headers: [auth, ...passing] });
  for (const [name, value] of passing) assert.deepEqual(values(name.toLowerCase()), [value], name);
});

eachWay("bytes over 127 in a field pass unchanged", async (route, auth) => {
  const value = Buffer.from([0x61, 0xe9, 0x80, 0xff, 0x62]);
  await gateway.send({ target: `${route}/x`, headers: [auth, ["X-Bytes", value]] });
  assert.deepEqual(Buffer.from(values("x-bytes")[0], "latin1"), value);
  backend((request, response) => response.writeHead(200, { "x-bytes": value.toString("latin1") }).end());
  const answer = await gateway.send({ target: `${route}/x`, headers: [auth] });
  assert.deepEqual(Buffer.from(answer.get("x-bytes"), "latin1"), value);
});

test("API key and token reach no backend, issuer or config API, and no log", async () => {
  for (const [kind, credential] of Object.entries(CREDENTIALS)) {
    for (const target of ["/plain/x", "/edited/x", "/as-sent/x", "/customer/x"]) {
      const answer = await gateway.send({ method: "POST", target, headers: [bearer(credential)], body: "b" });
      assert.equal(answer.status, 200, `${kind} ${target}`);
      assert.doesNotMatch(answer.text(), new RegExp(credential));
    }
  }
  assert.ok(gateway.called().length === 8, "every request reached its backend");
  const recorded = JSON.stringify(gateway.world.requests);
  for (const secret of [KEY, TOKEN, TOKEN.split(".")[2], sha256(KEY)]) {
    assert.ok(!recorded.includes(secret), "a credential left the gateway");
    assert.ok(!gateway.log.texts.join("\n").includes(secret), "a credential is in the log");
  }
});

// ---- Fields of the answer

eachWay("what an answer's Connection names does not reach the client", async (route, auth) => {
  backend((request, response) => {
    request.resume();
    response.socket.end(
      "HTTP/1.1 200 OK\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-Stays: 1\r\nContent-Length: 2\r\n\r\nok",
    );
  });
  const answer = await gateway.send({ target: `${route}/x`, headers: [auth] });
  assert.equal(answer.text(), "ok");
  assert.equal(answer.get("x-hop"), undefined);
  assert.equal(answer.get("x-stays"), "1");
  assert.doesNotMatch(answer.get("connection") ?? "", /x-hop/i);
});

test("a backend's own CORS fields give way where the gateway has a policy, and only there", async () => {
  backend((request, response) =>
    response
      .writeHead(200, { "access-control-allow-origin": "*", "access-control-allow-headers": "x", vary: "Accept" })
      .end(),
  );
  const headers = [bearer(KEY), ["Origin", "https://app.example.com"]];
  const plain = await gateway.send({ target: "/plain/x", headers });
  assert.equal(plain.get("access-control-allow-origin"), "*");
  const edited = await gateway.send({ target: "/edited/x", headers });
  assert.deepEqual(edited.all("access-control-allow-origin"), ["https://app.example.com"]);
  assert.equal(edited.get("access-control-allow-headers"), undefined);
  assert.match(edited.get("vary"), /Accept.*Origin/);
  assert.match(edited.get("server-timing"), /^gateway;dur=\d+, backend;dur=\d+$/);
});
