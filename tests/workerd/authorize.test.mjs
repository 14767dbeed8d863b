// A route that asks a service of the operator's, in workerd: what the service is shown to the byte, what its answers do, and
// that no credential is ever shown.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { demoKey } from "../../demo/seed.mjs";
import { token } from "./support/fixed-world.mjs";
import { bearer, openGateway } from "./support/gateway.mjs";

const route = (path, authorize, more = "") => `
[[routes]]
path = "${path}/{+path}"
auth = ["api_key", "main"]
authorize = { binding = "POLICY", ${authorize} }
${more}
rules = [
  { name = "gold", when = { tier = "gold" }, to = "gold" },
  { name = "rest", to = "shared" },
]
`;

const toml = `
[api_keys]
header = ["authorization", "x-api-key"]
prefixes = ["sk_live", "sk_test"]
[[issuers]]
name = "main"
issuer = "https://id.example.com/"
audience = "https://api.example.com"
jwks_url = "https://id.example.com/.well-known/jwks.json"
algorithms = ["ES256", "RS256"]
[backends.gold]
url = "https://gold.backends.example.com"
[backends.shared]
url = "https://shared.backends.example.com"
[cors.own]
origins = "https://app.example.com"
${route("/plain", 'timeout = "2s"')}
${route("/kept", 'timeout = "2s", cache = "5m", show = "$header:x-tier"')}
${route("/slow", 'timeout = "50ms"')}
${route("/slow-open", 'timeout = "50ms", on_failure = "open"')}
${route("/unbound", 'timeout = "2s"').replace("POLICY", "NOT_BOUND")}
${route("/open-to-all", 'timeout = "2s", cache = "5m"', "anonymous = true")}
${route(
  "/places",
  'timeout = "2s", show = ["$header:x-copy", "$query:copy", "$ip", "$country"]',
  'cors = "own"\ncredential_in = { query = "token", cookie = "session", subprotocol = "bearer" }',
)}
`;

/** What the service was asked: each request with its text. */
let asked = [];
/** What it answers next. */
let answer = () => Response.json({ allow: true });

async function policy(request) {
  asked.push({
    method: request.method,
    url: request.url,
    headers: [...request.headers],
    text: await request.text(),
  });
  return answer(request);
}

let gateway;
before(async () => {
  gateway = await openGateway({ toml, overrides: { serviceBindings: { POLICY: policy } } });
});
after(() => gateway?.stop());
beforeEach(() => {
  asked = [];
  answer = () => Response.json({ allow: true });
  gateway.world.clear();
  gateway.log.clear();
});

const key = demoKey("sandbox");
const says = (document, init) => {
  answer = () => Response.json(document, init);
};
const get = (target, headers = [bearer(key)], more = {}) => gateway.send({ target, headers, ...more });
const goesTo = () => gateway.called().map(({ host }) => host);
const lineOf = (sent) => gateway.log.request(sent.get("x-request-id"));

test("the service gets one POST of JSON with the head and the caller, and the request's id in a field", async () => {
  const sent = await get("/plain/a%2Fb?secret=1", [bearer(key), ["Cookie", "a=1"], ["X-Tier", "7"]], {
    method: "POST",
    body: "never shown",
  });
  assert.equal(sent.status, 200, sent.text());
  assert.equal(asked.length, 1);
  const [{ method, url, headers, text }] = asked;
  assert.deepEqual([method, url], ["POST", "https://authorize.binding/"]);
  const value = (name) => headers.filter(([own]) => own === name).map(([, own]) => own);
  assert.deepEqual(value("content-type"), ["application/json"]);
  const [call] = gateway.called();
  const id = call.headers.find(([name]) => name.toLowerCase() === "x-request-id")[1];
  assert.deepEqual(value("x-request-id"), [id]);
  for (const name of ["authorization", "cookie", "x-tier", "x-api-key"]) assert.deepEqual(value(name), [], name);
  const shown = JSON.parse(text);
  const { principal } = shown;
  assert.deepEqual(shown, {
    authorize: 1,
    service: "POLICY",
    route: "/plain/{+path}",
    method: "POST",
    host: shown.host,
    path: "/plain/a%2Fb",
    principal: {
      subject: principal.subject,
      auth: "api_key",
      claims: { environment: "sandbox" },
    },
    shown: {},
  });
  assert.equal(typeof principal.subject, "string");
  assert.equal((await gateway.log.request(id)).authorize, "allowed");
});

test("claims that it adds are read by rules", async () => {
  says({ allow: true, claims: { tier: "gold" } });
  assert.equal((await get("/plain/x")).status, 200);
  says({ allow: true });
  assert.equal((await get("/plain/x")).status, 200);
  assert.deepEqual(goesTo(), ["gold.backends.example.com", "shared.backends.example.com"]);
});

for (const status of [undefined, 401, 402, 403, 404, 429, 451]) {
  test(`a denial with status ${status ?? "left out"}`, async () => {
    says({ allow: false, status });
    const sent = await get("/plain/x");
    assert.equal(sent.status, status ?? 403);
    assert.match(sent.json().type, /:denied$/);
    assert.equal(sent.json().detail, "This request is not allowed.");
    assert.equal(sent.get("www-authenticate") !== undefined, status === 401);
    assert.deepEqual(goesTo(), []);
    const line = await lineOf(sent);
    assert.deepEqual([line.authorize, line.reason], ["denied", "denied_by_service"]);
  });
}

describe("what is no answer", () => {
  const large = JSON.stringify({ allow: true, claims: { text: "x".repeat(17 << 10) } });
  for (const [title, how] of [
    ["an exception", () => Promise.reject(new Error("canary of the service"))],
    ["another status", () => Response.json({ allow: true }, { status: 201 })],
    ["a redirect", () => Response.redirect("https://elsewhere.example.com/", 302)],
    ["no JSON", () => new Response("allow")],
    ["a member twice", () => new Response('{"allow":false,"allow":true}')],
    ["an unknown member", () => Response.json({ allow: true, until: "tomorrow" })],
    ["a claim that says who calls", () => Response.json({ allow: true, claims: { sub: "admin" } })],
    ["a status that is none of a denial", () => Response.json({ allow: false, status: 200 })],
    ["too much", () => new Response(large)],
  ]) {
    test(`${title} refuses the request, with a word in the log`, async () => {
      answer = how;
      const sent = await get("/kept/x");
      assert.equal(sent.status, 503, sent.text());
      assert.match(sent.get("retry-after"), /^\d+$/);
      assert.match(sent.json().type, /:gateway-unavailable$/);
      assert.deepEqual(goesTo(), []);
      const line = await lineOf(sent);
      assert.deepEqual([line.authorize, line.reason], ["failed", "authorization_unavailable"]);
      const event = await gateway.log.event("authorization_failed");
      assert.match(event.message, /^POLICY: /);
      assert.ok(!gateway.log.texts.join("\n").includes(key));
      // It is not remembered.
      says({ allow: true });
      assert.equal((await get("/kept/x", [bearer(key), ["X-Tier", title]])).status, 200);
    });
  }

  test("a service that hangs is waited for no longer than its timeout", async () => {
    answer = async () => {
      await sleep(1500);
      return Response.json({ allow: true });
    };
    const began = Date.now();
    const sent = await get("/slow/x");
    assert.equal(sent.status, 503);
    assert.ok(Date.now() - began < 1200, `${Date.now() - began} ms`);
    assert.match((await gateway.log.event("authorization_failed")).message, /no answer within 50 ms/);
    assert.equal((await get("/slow-open/x")).status, 200);
    assert.deepEqual(goesTo(), ["shared.backends.example.com"]);
  });

  test("a binding that is not there", async () => {
    assert.equal((await get("/unbound/x")).status, 503);
    assert.match(
      (await gateway.log.event("authorization_failed")).message,
      /NOT_BOUND: .*there is no binding NOT_BOUND/,
    );
  });
});

describe("an answer that is remembered", () => {
  const times = async (...targets) => {
    const before = asked.length;
    for (const [target, headers] of targets) assert.equal((await get(target, headers)).status, 200);
    return asked.length - before;
  };

  test("counts for whoever is shown alike", async () => {
    const same = ["/kept/same", [bearer(key)]];
    assert.equal(await times(same, same, ["/kept/same?q=1", [bearer(key), ["X-Other", "1"]]]), 1);
    assert.equal(await times(["/kept/other", [bearer(key)]]), 1);
    assert.equal(await times(["/kept/same", [bearer(demoKey("production"))]]), 1);
    assert.equal(await times(["/kept/same", [bearer(token("good-es256"))]]), 1);
    const withTier = ["/kept/same", [bearer(key), ["X-Tier", "1"]]];
    assert.equal(await times(withTier, withTier), 1);
    assert.equal(await times(same), 0);
    const sent = await get("/kept/same");
    const [call] = gateway.called().slice(-1);
    const id = call.headers.find(([name]) => name.toLowerCase() === "x-request-id")[1];
    assert.equal(sent.status, 200);
    assert.equal((await gateway.log.request(id)).authorize, "cached");
  });

  test("a denial too, and one caller's is not another's", async () => {
    answer = async (request) => {
      const { principal } = JSON.parse(asked.at(-1).text);
      assert.ok(request.url);
      return Response.json(
        principal?.claims.environment === "sandbox" ? { allow: false, status: 402 } : { allow: true },
      );
    };
    const statuses = async () => {
      const sent = [[bearer(key)], [bearer(demoKey("production"))], []].map((headers) =>
        get("/open-to-all/d", headers),
      );
      return (await Promise.all(sent)).map(({ status }) => status);
    };
    assert.deepEqual(await statuses(), [402, 200, 200]);
    assert.deepEqual(await statuses(), [402, 200, 200]);
    assert.equal(asked.length, 3);
  });

  test("requests at once that are shown alike ask once", async () => {
    answer = async () => {
      await sleep(150);
      return Response.json({ allow: true, claims: { tier: "gold" } });
    };
    const all = await Promise.all(Array.from({ length: 8 }, () => get("/kept/at-once")));
    assert.deepEqual([...new Set(all.map(({ status }) => status))], [200]);
    assert.equal(asked.length, 1);
    assert.deepEqual([...new Set(goesTo())], ["gold.backends.example.com"]);
  });
});

test("nobody is asked about a preflight, or about who has no credential", async () => {
  const preflight = await get(
    "/places/x",
    [
      ["Origin", "https://app.example.com"],
      ["Access-Control-Request-Method", "GET"],
    ],
    { method: "OPTIONS" },
  );
  assert.equal(preflight.status, 204);
  assert.equal((await get("/plain/x", [])).status, 401);
  assert.equal((await get("/plain/x", [bearer(`${key.slice(0, -1)}0`)])).status, 401);
  assert.deepEqual(asked, []);
});

describe("no credential is shown", () => {
  const encoded = (secret) => `%${secret.charCodeAt(0).toString(16)}${secret.slice(1)}`;
  for (const [kind, secret] of [
    ["an API key", key],
    ["a token", token("good-es256")],
  ]) {
    for (const [title, target, headers] of [
      ["in Authorization, and in a field that is shown", "/places/x", [bearer(secret), ["X-Copy", secret]]],
      ["in Authorization, and in the query", `/places/x?copy=${encoded(secret)}`, [bearer(secret)]],
      ["in the query", `/places/x?token=${secret}&copy=${secret}`, [["X-Copy", `Bearer ${secret}`]]],
      [
        "in a cookie",
        "/places/x",
        [
          ["Cookie", `session=${secret}`],
          ["X-Copy", secret],
        ],
      ],
      ...(kind === "an API key"
        ? [
            [
              "in a field of its own",
              "/places/x",
              [
                ["X-Api-Key", secret],
                ["X-Copy", secret],
              ],
            ],
          ]
        : []),
    ]) {
      test(`${kind} ${title}`, async () => {
        const sent = await get(target, headers);
        assert.equal(sent.status, 200, sent.text());
        assert.equal(asked.length, 1);
        const all = JSON.stringify(asked);
        for (const part of [secret, secret.slice(-12), encodeURIComponent(secret)]) assert.ok(!all.includes(part), all);
      });
    }

    test(`${kind} in the path is refused: masked, the service would see another path than the backend`, async () => {
      for (const target of [`/places/${secret}`, `/places/${encoded(secret)}`, `/places/export-${encoded(secret)}`]) {
        const sent = await get(target, [bearer(secret)]);
        assert.deepEqual([sent.status, sent.json().type.split(":").at(-1)], [400, "credential-ambiguous"]);
        assert.deepEqual(asked, []);
      }
    });

    test(`${kind} among the subprotocols of a handshake`, async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/places/x`, ["bearer", secret]);
      await new Promise((resolve) => {
        for (const event of ["open", "error", "unexpected-response"]) socket.on(event, resolve);
      });
      socket.terminate();
      assert.equal(asked.length, 1);
      assert.ok(!JSON.stringify(asked).includes(secret.slice(-12)));
    });
  }
});
