// What the built Worker tells of requests: points of metrics, whose credential was refused, details, and traces.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import { datasetBinding, datasetWorker } from "../../demo/dataset.mjs";
import { demoKey } from "../../demo/seed.mjs";
import { token } from "./support/fixed-world.mjs";
import { bearer, openGateway } from "./support/gateway.mjs";

const TOML = `
[api_keys]
prefixes = ["sk_live", "sk_test"]

[[issuers]]
name = "main"
issuer = "https://id.example.com/"
audience = "https://api.example.com"
jwks_url = "https://id.example.com/.well-known/jwks.json"
algorithms = ["ES256"]

[customers]

[backends]
shared = { url = "https://shared.backends.example.com" }
dead = { url = "https://dead.example.com" }

[[routes]]
name = "orders"
path = "/orders/{+path}"
auth = ["api_key", "main"]
rules = [{ name = "customer", to = "customer" }]

[[routes]]
path = "/dead/{+path}"
auth = ["api_key"]
rules = [{ name = "dead", to = "dead" }]

[[routes]]
path = "/open"
auth = []
rules = [{ name = "open", to = "shared" }]
`;

const keyDigits = (name) => createHash("sha256").update(demoKey(name)).digest("hex").slice(0, 16);

/** A point by the names of docs/metrics.md. */
const named = ({ indexes, blobs, doubles }) => ({
  index: indexes[0],
  customer: blobs[1],
  route: blobs[2],
  rule: blobs[3],
  backend: blobs[5],
  origin: blobs[6],
  key: blobs[7],
  auth: blobs[8],
  reason: blobs[9],
  class: blobs[10],
  colo: blobs[11],
  configuration: blobs[12],
  unverified: blobs[14],
  status: doubles[1],
  attempts: doubles[5],
  received: doubles[7],
});

const points = [];
let gateway;
before(async () => {
  gateway = await openGateway({
    toml: TOML,
    overrides: datasetBinding,
    workers: [datasetWorker((point) => points.push(point))],
  });
  await gateway.seed();
});
after(() => gateway?.stop());
beforeEach(() => {
  points.length = 0;
  gateway.world.clear();
  gateway.log.clear();
});

/** Sends a request, and gives its only point and its line. */
async function told(target, ...headers) {
  const answer = await gateway.send({ target, headers });
  const line = await gateway.log.request();
  for (let time = 0; points.length === 0 && time < 100; time++) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(points.length, 1, "one point a request");
  return { answer, line, point: named(points[0]) };
}

describe("a point", () => {
  test("of a request that went to a backend says whose it was, by which key, and where it went", async () => {
    const { answer, line, point } = await told("/orders/4711?token=x", bearer(demoKey("acme")));
    assert.equal(answer.status, 200);
    assert.deepEqual(
      { ...point, configuration: undefined, colo: undefined },
      {
        index: "acme-corp",
        customer: "acme-corp",
        route: "orders",
        rule: "customer",
        backend: "customer",
        origin: "https://acme.tenants.example.com",
        key: keyDigits("acme"),
        auth: "api_key",
        reason: "",
        class: "2xx",
        colo: undefined,
        configuration: undefined,
        unverified: "",
        status: 200,
        attempts: 1,
        received: 0,
      },
    );
    assert.match(point.configuration, /^[0-9a-f]{16}$/);
    assert.equal(line.key, keyDigits("acme"), "the key is known by the same digits in the log");
    assert.doesNotMatch(JSON.stringify(points), /4711|sk_live_|token=/);
  });

  test("of a backend that is not there says what failed, and of whom", async () => {
    const { point } = await told("/dead/x", bearer(demoKey("acme")));
    assert.deepEqual(
      [point.status, point.class, point.reason, point.backend, point.customer, point.attempts],
      [502, "5xx", "backend_unreachable", "dead", "acme-corp", 1],
    );
  });

  test("of an unknown key, of no route and of nobody's request is there, too", async () => {
    const unknown = await told("/orders/x", bearer(demoKey("unlisted").replace(/.{6}$/, "0000zz")));
    assert.equal(unknown.point.status, 401);
    points.length = 0;
    gateway.log.clear();
    const lost = await told("/nowhere");
    assert.deepEqual([lost.point.status, lost.point.reason, lost.point.route], [404, "route_unknown", ""]);
    points.length = 0;
    gateway.log.clear();
    const open = await told("/open");
    assert.deepEqual([open.point.index, open.point.auth, open.point.status], ["", "anonymous", 200]);
  });

  test("of a refused token says which issuer and customer it names, and the log says the same", async () => {
    const { line, point } = await told("/orders/x", bearer(token("bad-expired")));
    assert.equal(point.reason, "token_expired");
    assert.equal(point.auth, "main");
    assert.equal(point.index, "", "nobody was authenticated");
    assert.equal(line.auth, "main");
    assert.equal(point.unverified, line.unverified_customer ?? "");
    assert.equal(line.path_template, "/orders/{+path}");
    assert.equal(line.configuration, point.configuration);
    assert.ok(line.host, JSON.stringify(line));
  });
});

describe("a trace", () => {
  const CAME = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const backendGot = (name) =>
    gateway
      .called()[0]
      .headers.filter(([own]) => own.toLowerCase() === name)
      .map(([, value]) => value);

  test("is joined by client, log and backend, with a span of the gateway's own", async () => {
    await gateway.restart({ toml: `${TOML}\n[tracing]\ncontext = "trust"\n` });
    gateway.log.clear();
    const { line } = await told("/open", ["traceparent", CAME], ["tracestate", "v=1"]);
    assert.equal(line.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert.deepEqual(backendGot("traceparent"), [`00-${line.trace_id}-${line.span_id}-01`]);
    assert.deepEqual(backendGot("tracestate"), ["v=1"]);
  });

  test("of a stranger ends at the gateway where each begins anew", async () => {
    await gateway.restart({ toml: `${TOML}\n[tracing]\ncontext = "new"\nspans = true\n` });
    gateway.log.clear();
    const { line } = await told("/open", ["traceparent", CAME], ["tracestate", "v=1"], ["baggage", "user=1"]);
    assert.match(line.trace_id, /^[0-9a-f]{32}$/);
    assert.notEqual(line.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert.deepEqual(backendGot("tracestate"), []);
    assert.deepEqual(backendGot("baggage"), []);
  });

  test("never has the same id twice", async () => {
    const ids = new Set();
    for (let time = 0; time < 20; time++) {
      gateway.log.clear();
      await gateway.send({ target: "/open" });
      ids.add((await gateway.log.request()).trace_id);
    }
    assert.equal(ids.size, 20);
  });
});

test("with details each line says where the request came in, and how large it was", async () => {
  await gateway.restart({ toml: `${TOML}\n[log]\ndetails = "all"\n` });
  await gateway.seed();
  gateway.world.replace("acme.tenants.example.com", (_, response) =>
    response.writeHead(200, { "content-length": "5" }).end("hello"),
  );
  gateway.log.clear();
  points.length = 0;
  const answer = await gateway.sendFrom(
    { country: "DE", colo: "FRA" },
    { target: "/orders/4711", headers: [bearer(demoKey("acme"))] },
  );
  gateway.world.mend();
  assert.equal(answer.status, 200);
  const line = await gateway.log.request();
  assert.equal(line.path_template, "/orders/{+path}");
  assert.equal(line.country, "DE");
  assert.equal(line.host, "gateway.example.com");
  assert.equal(line.response_bytes, 5);
  assert.equal(named(points[0]).received, line.response_bytes);
  assert.equal(named(points[0]).colo, "FRA");
});
