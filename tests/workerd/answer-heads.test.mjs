// Whatever a backend writes as its answer's head: each request ends in exactly one log line, and in the backend's own
// answer or a problem document. Random heads, on each kind of route.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { demoKey } from "../../demo/seed.mjs";
import { bearer, openGateway } from "./support/gateway.mjs";
import { until } from "./support/log.mjs";

const SHARED = "shared.backends.example.com";
const OWN = "acme.tenants.example.com";
const SECRET = "operator-secret-of-the-test";

const KINDS = {
  plain: ["", 'to = "shared"'],
  edited: ['cors = "anything-goes"\nserver_timing = true\nrequest_id = true', 'to = "shared"'],
  planned: ["", 'to = "planned"'],
  limited: ['limits = ["many"]', 'to = "shared"'],
  "limited-planned": ['limits = ["many"]\ncors = "anything-goes"', 'to = "planned"'],
  customer: ["", 'to = "customer"'],
};

const TOML = `
[api_keys]
prefixes = ["sk_live", "sk_test"]

[operator]
secret = "${SECRET}"

[customers]

[limits.many]
binding = "LIMIT"
limit = 1000000
period = "60s"

[backends.shared]
url = "https://${SHARED}"

[backends.planned]
origins = [{ url = "https://${SHARED}" }, { url = "https://${OWN}" }]
${Object.entries(KINDS)
  .map(
    ([name, [fields, rule]]) => `
[[routes]]
path = "/${name}/{+path}"
methods = ["GET", "HEAD", "POST", "OPTIONS"]
auth = ["api_key"]
${fields}
rules = [{ name = "all", ${rule} }]
`,
  )
  .join("")}`;

/** Numbers below `below` from a seed, the same on every run. */
function createRandom(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const STATUSES = [
  "200",
  "200",
  "200",
  "204",
  "205",
  "206",
  "301",
  "304",
  "404",
  "500",
  "599",
  "600",
  "999",
  "101",
  "100",
  "103",
  "099",
  "000",
  "1000",
  "20",
  "2x0",
  "-20",
  "",
];
const PHRASES = [
  "OK",
  "",
  "all\tright",
  "\x01",
  "\x7f",
  "\x00",
  "sch\xf6n",
  "\xff\xfe",
  "a  b ",
  "x".repeat(3000),
  "a\rb",
  "<b>",
  " ",
];
const NAMES = [
  "X-A",
  "x-a",
  "Content-Type",
  "Set-Cookie",
  "Cache-Control",
  "CDN-Cache-Control",
  "Connection",
  "Clear-Site-Data",
  "Vary",
  "Access-Control-Allow-Origin",
  "Server-Timing",
  "RateLimit",
  "Location",
  "ETag",
  "X-Request-Id",
  "",
  "X B",
  "X\tC",
  "X\x01",
  "X\xe9",
  "x".repeat(300),
  ":",
  "X(",
  "Trailer",
  "Upgrade",
  "Keep-Alive",
];
const VALUES = [
  "1",
  "",
  " ",
  "a\tb",
  "\x01",
  "\x7f",
  "\x00",
  "\xe9",
  "\xff\x80",
  "a\rb",
  "close",
  "x-a, cache-control",
  "public, max-age=60",
  "private",
  '"',
  "a=b; Domain=x; Path=/",
  "x".repeat(2000),
  "*",
  "h2c",
  "a\nb: c",
];
const LENGTHS = [
  ["Content-Length: 2"],
  ["Content-Length: 2"],
  ["Content-Length: 2"],
  [],
  ["Content-Length: 2", "Content-Length: 2"],
  ["Content-Length: 2", "Content-Length: 3"],
  ["Content-Length: -2"],
  ["Content-Length: +2"],
  ["Content-Length: 0x2"],
  ["Content-Length: 2, 2"],
  ["Content-Length: 99999999999999999999"],
  ["Content-Length: "],
  ["Content-Length: 0"],
  ["Transfer-Encoding: chunked"],
  ["Transfer-Encoding: gzip"],
  ["Content-Length: 2", "Transfer-Encoding: chunked"],
];
const ENDS = ["\r\n\r\n", "\r\n\r\n", "\r\n\r\n", "\n\n", "\r\n", "", "\r\r"];

/** Bytes of an answer, mostly one with a single fault. */
function randomHead(random) {
  const pick = (from) => from[random(from.length)];
  const odd = (from, usual) => (random(3) === 0 ? pick(from) : usual);
  const fields = Array.from(
    { length: random(4) },
    () => `${odd(NAMES, pick(NAMES.slice(0, 15)))}: ${odd(VALUES, "1")}`,
  );
  const head = [
    `${odd(["HTTP/1.0", "HTTP/1.1 ", "HTTP/2", "http/1.1", "ICY"], "HTTP/1.1")} ${odd(STATUSES, "200")} ${pick(PHRASES)}`,
    ...fields,
    ...odd(LENGTHS, LENGTHS[0]),
  ];
  return Buffer.from(`${head.join("\r\n")}${odd(ENDS, ENDS[0])}ok`, "latin1");
}

let gateway;
before(async () => {
  gateway = await openGateway({
    toml: TOML,
    overrides: { ratelimits: { LIMIT: { namespace_id: "1001", simple: { limit: 1_000_000, period: 60 } } } },
  });
});
after(() => gateway?.stop());

const CREDENTIAL = bearer(demoKey("acme"));
const lines = () => gateway.log.lines.filter(({ event }) => event === "request");

const ROUNDS = 300;

for (const kind of Object.keys(KINDS)) {
  test(`one line each, and a problem or the backend's own answer (${kind})`, async () => {
    const random = createRandom(kind.length * 7919);
    gateway.log.clear();
    let own = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = randomHead(random);
      const told = JSON.stringify(bytes.toString("latin1")).slice(0, 400);
      for (const host of [SHARED, OWN]) {
        gateway.world.replace(host, (request, response) => {
          request.resume();
          response.socket.end(bytes);
        });
      }
      const method = ["GET", "GET", "HEAD", "POST", "OPTIONS"][random(5)];
      let answer;
      try {
        answer = await gateway.send({
          target: `/${kind}/x`,
          method,
          headers: [CREDENTIAL],
          body: method === "POST" ? "body" : undefined,
          deadline: 8000,
        });
      } catch (error) {
        // A body that ends before the length that its head told is the backend's own answer, ended where it ended.
        assert.match(error.message, /ended in (the body|a chunk)/, told);
        own += 1;
        continue;
      }
      const type = answer.get("content-type");
      const isOurs = type === "application/problem+json" && answer.get("x-request-id") !== undefined;
      if (isOurs) {
        assert.equal(answer.status, 502, `${told}: ${answer.text()}`);
        if (method !== "HEAD") assert.equal(answer.json().status, 502);
      } else {
        own += 1;
        assert.ok(
          answer.status === Number(/^\S+\s+(\d+)/.exec(bytes.toString("latin1"))?.[1]),
          `${answer.status} for ${told}`,
        );
      }
    }
    await until(() => lines().length >= ROUNDS, `${ROUNDS} lines`);
    // A line too many would come with the last answers.
    await gateway.send({ target: `/${kind}/x`, method: "PURGE", headers: [CREDENTIAL] });
    await until(() => lines().length >= ROUNDS + 1, "the line after the last");
    assert.equal(lines().length, ROUNDS + 1);
    assert.equal(new Set(lines().map((line) => line.request_id)).size, ROUNDS + 1);
    assert.ok(own > ROUNDS / 4 && own < ROUNDS, `${own} of ${ROUNDS} answers were the backend's own`);
    for (const line of lines())
      assert.ok(Number.isInteger(line.status) && Number.isInteger(line.duration_ms), JSON.stringify(line));
  });
}

test("an explained request and answers of the gateway's own have one line each", async () => {
  gateway.log.clear();
  const requests = [
    { target: "/plain/x", headers: [CREDENTIAL, ["X-Pointsman-Explain", SECRET]] },
    { target: "/plain/x", headers: [CREDENTIAL, ["X-Pointsman-Explain", "wrong"]] },
    { target: "/plain/x" },
    { target: "/nowhere" },
    { target: "/plain/%zz", headers: [CREDENTIAL] },
    {
      target: "/edited/x",
      method: "OPTIONS",
      headers: [
        ["Origin", "https://a.example"],
        ["Access-Control-Request-Method", "GET"],
      ],
    },
  ];
  const answers = [];
  for (const request of requests) answers.push((await gateway.send(request)).status);
  await until(() => lines().length >= requests.length, "the lines");
  assert.deepEqual(
    lines().map(({ status }) => status),
    answers,
  );
});
