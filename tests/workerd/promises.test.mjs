// The promises of SECURITY.md that only the running Worker can be held to.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { kvName, mint } from "../../demo/keys.mjs";
import { demoKey } from "../../demo/seed.mjs";
import { checkedForm } from "../../scripts/lib/pointsman.mjs";
import { gatewayToml, json } from "./support/files.mjs";
import { DISCOVERY_HOST, token } from "./support/fixed-world.mjs";
import { bearer, openGateway } from "./support/gateway.mjs";
import { until } from "./support/log.mjs";
import { requestHead, Wire } from "./support/wire.mjs";

const ISSUER = "id.example.com";
const CONFIG_API = "config.example.com";
const SHARED = "shared.backends.example.com";

const toml = ({ fresh = "10m", cooldown = "30s", customersFresh = "5m" } = {}) => `
[api_keys]
prefixes = ["sk_live", "sk_test"]
fresh = "1s"

[[issuers]]
name = "main"
issuer = "https://id.example.com/"
audience = "https://api.example.com"
jwks_url = "https://id.example.com/.well-known/jwks.json"
algorithms = ["ES256"]
fresh = "${fresh}"
cooldown = "${cooldown}"
timeout = "500ms"

[customers]
fresh = "${customersFresh}"
source = { url = "\${CUSTOMER_CONFIG_API_URL}", token = "\${CONFIG_API_TOKEN}", timeout = "500ms" }

[backends.shared]
url = "\${SHARED_BACKEND_URL}"

[[routes]]
path = "/open/{+path}"
auth = []
rules = [{ name = "all", to = "shared" }]

[[routes]]
path = "/x/{+path}"
auth = ["api_key", "main"]
rules = [{ name = "all", to = "shared" }]

[[routes]]
path = "/customer/{+path}"
auth = ["api_key", "main"]
rules = [{ name = "customer", to = "customer" }]

[[routes]]
path = "/cors/{+path}"
methods = ["GET", "PUT", "OPTIONS"]
auth = ["api_key", "main"]
cors = "anything-goes"
rules = [{ name = "all", to = "shared" }]
`;

let gateway;
before(async () => {
  gateway = await openGateway({ toml: toml() });
});
after(() => gateway?.stop());
beforeEach(() => {
  gateway.world.mend();
  gateway.world.clear();
  gateway.log.clear();
});

const calls = (host) => gateway.world.requests.filter((request) => request.host === host);
const ask = (credential, target = "/x/y") => gateway.send({ target, headers: [bearer(credential)] });
const statusOf = async (credential, target) => (await ask(credential, target)).status;

async function unavailable(credential, target, reason) {
  const answer = await ask(credential, target);
  assert.equal(answer.status, 503, answer.text());
  assert.match(answer.json().type, /:gateway-unavailable$/);
  assert.match(answer.get("retry-after"), /^\d+$/);
  assert.equal((await gateway.log.request(answer.json().instance)).reason, reason);
  return answer;
}

// ---- Sources

describe("documents are had from where configuration says and nowhere else", () => {
  const elsewhere = `https://${SHARED}/elsewhere`;
  for (const [what, host, credential, target, reason] of [
    ["a key set", ISSUER, token("good-es256"), "/x/y", "key_set_unavailable"],
    ["the customers", CONFIG_API, token("customer-umbrella"), "/customer/y", "customer_source_unavailable"],
  ]) {
    for (const status of [301, 302, 307, 308]) {
      test(`${what}: a ${status} is not followed`, async () => {
        await gateway.restart();
        gateway.world.replace(host, (request, response) => response.writeHead(status, { location: elsewhere }).end());
        await unavailable(credential, target, reason);
        assert.equal(calls(host).length, 1);
        assert.deepEqual(calls(SHARED), []);
      });
    }
    for (const [how, handler] of [
      ["that is not JSON", (request, response) => response.end("<html>")],
      ["that hangs", () => {}],
      ["that hangs in its body", (request, response) => response.write("[")],
      [
        "that ends in its body",
        (request, response) => response.writeHead(200, { "content-length": 100 }).write("[", () => response.destroy()),
      ],
      ["of another status", (request, response) => response.writeHead(500).end("{}")],
      ["of status 999", (request, response) => response.socket.end("HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\n[]")],
    ]) {
      test(`${what}: an answer ${how} is a 503 within the timeout`, async () => {
        await gateway.restart();
        gateway.world.replace(host, handler);
        const began = Date.now();
        await unavailable(credential, target, reason);
        assert.ok(Date.now() - began < 3000, "the source's timeout is 500 ms");
        assert.deepEqual(gateway.called(), []);
      });
    }
  }

  test("discovery: a redirect is not followed, and neither is another issuer's word", async () => {
    for (const handler of [
      (request, response) => response.writeHead(302, { location: elsewhere }).end(),
      (request, response) => response.end(JSON.stringify({ issuer: "https://evil.example", jwks_uri: elsewhere })),
      (request, response) =>
        response.end(JSON.stringify({ issuer: `https://${DISCOVERY_HOST}`, jwks_uri: "http://id.example.com/keys" })),
    ]) {
      await gateway.restart({ toml: gatewayToml("discovery") });
      gateway.world.clear();
      gateway.world.replace(DISCOVERY_HOST, handler);
      // Any token of that issuer: its keys are asked for before its signature can be.
      const claims = Buffer.from(
        JSON.stringify({
          iss: `https://${DISCOVERY_HOST}`,
          aud: "https://api.example.com",
          exp: 4e9,
          user: { id: "u" },
        }),
      ).toString("base64url");
      const header = Buffer.from(JSON.stringify({ alg: "ES256", kid: "k" })).toString("base64url");
      await unavailable(`${header}.${claims}.${"A".repeat(86)}`, "/y", "key_set_unavailable");
      assert.deepEqual(
        gateway.world.requests.map(({ host }) => host),
        [DISCOVERY_HOST],
      );
    }
    await gateway.restart({ toml: toml() });
  });

  test("a key set that does not end is not read to its end", async () => {
    await gateway.restart();
    let gone = false;
    gateway.world.replace(ISSUER, (request, response) => {
      response.on("close", () => (gone = true));
      response.write('{"keys":[');
      const more = () => {
        while (!gone && response.write(`{"kty":"EC","x":"${"x".repeat(4000)}"},`));
      };
      response.on("drain", more);
      more();
    });
    await unavailable(token("good-es256"), "/x/y", "key_set_unavailable");
    await until(() => gone, "the end of the connection to the issuer");
  });

  test("a key set that is too large, even by a byte of white space, never replaces a good one", async () => {
    await gateway.restart({ toml: toml({ fresh: "1s", cooldown: "1s" }) });
    assert.equal(await statusOf(token("good-es256")), 200);
    const large = JSON.stringify(json("fixtures/keys/issuer.jwks.json")) + " ".repeat(256 * 1024);
    gateway.world.replace(ISSUER, (request, response) => response.end(large));
    await until(async () => {
      await ask(token("good-es256"));
      return calls(ISSUER).length >= 2;
    }, "another fetch");
    assert.equal(await statusOf(token("good-es256")), 200);
    assert.ok((await gateway.log.event("key_set_failed")).message.includes("262144"));
    await gateway.restart({ toml: toml() });
  });
});

describe("the config API's token", () => {
  test("reaches the config API and nobody else", async () => {
    await gateway.restart();
    for (const [credential, target] of [
      [token("customer-umbrella"), "/customer/y"],
      [token("customer-unlisted"), "/customer/y"],
      [token("good-es256"), "/x/y"],
      [demoKey("acme"), "/customer/y"],
      [undefined, "/open/y"],
    ]) {
      const answer = await gateway.send({ target, headers: credential ? [bearer(credential)] : [] });
      assert.doesNotMatch(answer.text(), /demo-config-token/);
    }
    assert.ok(
      calls(CONFIG_API).every(({ headers }) => headers.some(([, value]) => value === "Bearer demo-config-token")),
    );
    assert.ok(
      calls(CONFIG_API).length > 0 && calls(ISSUER).length > 0 && gateway.called().length >= 4,
      "everybody was called",
    );
    assert.doesNotMatch(
      JSON.stringify(gateway.world.requests.filter(({ host }) => host !== CONFIG_API)),
      /demo-config-token/,
    );
    assert.doesNotMatch(gateway.log.texts.join("\n"), /demo-config-token/);
  });

  test("and no caller's credential reaches the config API or the issuer", async () => {
    await gateway.restart();
    for (const credential of [demoKey("umbrella"), token("customer-umbrella")]) {
      assert.equal(await statusOf(credential, "/customer/y"), 200);
      for (const host of [CONFIG_API, ISSUER]) assert.ok(!JSON.stringify(calls(host)).includes(credential), host);
    }
    assert.ok(calls(CONFIG_API).length > 0 && calls(ISSUER).length > 0);
  });
});

// ---- Keys of issuers

/** A token that names this kid; its signature is nobody's. */
const withKid = (kid) => {
  const [, claims, signature] = token("good-es256").split(".");
  return [Buffer.from(JSON.stringify({ alg: "ES256", kid, typ: "JWT" })).toString("base64url"), claims, signature].join(
    ".",
  );
};

test("unknown kids cause at most one fetch per cooldown, and good tokens do not notice", async () => {
  await gateway.restart({ toml: toml({ cooldown: "1s" }) });
  assert.equal(await statusOf(token("good-es256")), 200);
  const began = Date.now();
  let sent = 0;
  // Longer than one cooldown, so that the bound is tried from both sides.
  while (Date.now() - began < 1500) {
    const answers = await Promise.all(Array.from({ length: 10 }, () => statusOf(withKid(`unknown-${sent++}`))));
    assert.ok(
      answers.every((status) => status === 401),
      answers.join(),
    );
    assert.equal(await statusOf(token("good-es256")), 200);
  }
  const fetched = calls(ISSUER).length;
  assert.ok(fetched >= 2, "after the cooldown the issuer is asked again");
  assert.ok(fetched <= 3, `${fetched} fetches for ${sent} kids in 1.5 s with a cooldown of 1 s`);
});

test("what a client that left had begun to load comes to its end, and counts", async () => {
  await gateway.restart();
  const release = Promise.withResolvers();
  const answered = Promise.withResolvers();
  const { handle } = gateway.world.issuer;
  gateway.world.replace(ISSUER, async (request, response) => {
    response.on("finish", answered.resolve);
    await release.promise;
    handle(request, response);
  });
  const first = new Wire(gateway.port);
  await first.write(requestHead({ target: "/x/y", headers: [bearer(token("good-es256"))] }));
  await until(() => calls(ISSUER).length > 0, "the fetch");
  first.reset();
  // Gone for the gateway too, which sees it before it answers the next request.
  await gateway.send({ target: "/open/x" });
  release.resolve();
  await answered.promise;
  await gateway.send({ target: "/open/x" });
  assert.equal(await statusOf(token("good-es256")), 200);
  assert.equal(calls(ISSUER).length, 1);
  gateway.world.mend();
});

test("a rotated-in key works after the cooldown at the latest, and a withdrawn one stops after fresh", async () => {
  await gateway.restart({ toml: toml({ cooldown: "1s", fresh: "2s" }) });
  assert.equal(await statusOf(token("good-es256")), 200);
  assert.equal(await statusOf(token("good-rotated")), 401);
  gateway.world.issuer.jwks = json("fixtures/keys/issuer-rotated.jwks.json");
  try {
    await until(async () => (await statusOf(token("good-rotated"))) === 200, "the new key to work", 2500);
    await until(async () => (await statusOf(token("good-es256"))) === 401, "the old key to stop", 3500);
  } finally {
    gateway.world.issuer.jwks = json("fixtures/keys/issuer.jwks.json");
  }
});

test("an issuer that is down does not matter to those whose keys are known", async () => {
  await gateway.restart({ toml: toml({ cooldown: "1s", fresh: "1s" }) });
  assert.equal(await statusOf(token("good-es256")), 200);
  gateway.world.fault("issuer");
  const end = Date.now() + 1500;
  while (Date.now() < end) assert.equal(await statusOf(token("good-es256")), 200);
  assert.ok(calls(ISSUER).length >= 2, "the issuer was asked meanwhile");
  await gateway.restart({ toml: toml() });
});

test("keys that a token offers or points to are never fetched", async () => {
  await gateway.restart();
  assert.equal(await statusOf(token("good-keys-offered-in-header")), 200);
  assert.equal(await statusOf(token("bad-key-in-header")), 401);
  assert.deepEqual([...new Set(gateway.world.requests.map(({ host }) => host))].sort(), [ISSUER, SHARED]);
});

// ---- Keys and customers

test("a revoked key stops within fresh", async () => {
  const key = mint("sk_live");
  const store = await gateway.store();
  await store.put(kvName(key), JSON.stringify({ subject: "s", claims: {}, createdAt: "2026-01-01T00:00:00Z" }));
  assert.equal(await statusOf(key), 200);
  for (const revoke of [
    () =>
      store.put(
        kvName(key),
        JSON.stringify({ subject: "s", claims: {}, createdAt: "2026-01-01T00:00:00Z", disabled: true }),
      ),
    () => store.delete(kvName(key)),
  ]) {
    await revoke();
    const revoked = Date.now();
    await until(async () => (await statusOf(key)) === 401, "the key to stop", 3000);
    assert.ok(Date.now() - revoked < 1500, `it took ${Date.now() - revoked} ms with fresh = 1s`);
  }
});

test("a key that is idle when it is revoked stops as well", async () => {
  const key = mint("sk_live");
  const store = await gateway.store();
  await store.put(kvName(key), JSON.stringify({ subject: "s", claims: {}, createdAt: "2026-01-01T00:00:00Z" }));
  assert.equal(await statusOf(key), 200);
  const used = Date.now();
  await store.delete(kvName(key));
  await until(() => Date.now() - used > 1050, "fresh to pass");
  assert.equal(await statusOf(key), 401, "the first request after fresh is refused already");
});

test("neither the digest of a key nor its name in KV is a key", async () => {
  const key = demoKey("acme");
  for (const no of [
    kvName(key),
    kvName(key).slice(4),
    `sk_live_${kvName(key).slice(4)}`,
    key.toLowerCase(),
    `${key}x`,
    key.slice(0, -1),
    ` ${key}`.repeat(2),
  ]) {
    const status = await statusOf(no);
    assert.ok(status === 401 || status === 400, `${no}: ${status}`);
  }
  assert.deepEqual(gateway.called(), []);
});

test("callers at the same moment are never taken for one another", async () => {
  await gateway.restart();
  const callers = [
    [demoKey("acme"), "demo-acme", "acme.tenants"],
    [demoKey("wayne"), "demo-wayne", "wayne.tenants"],
    [demoKey("stark"), "demo-stark", "stark.tenants"],
    [demoKey("umbrella"), "demo-umbrella", "umbrella.tenants"],
    [token("customer-acme"), undefined, "acme.tenants"],
    [token("customer-wayne"), undefined, "wayne.tenants"],
  ];
  await Promise.all(
    Array.from({ length: 240 }, async (_, i) => {
      const [credential, subject, backend] = callers[i % callers.length];
      const answer = await gateway.send({
        target: `/customer/${i}`,
        headers: [bearer(credential), ["X-Number", String(i)]],
      });
      const echoed = answer.json();
      const value = (name) => echoed.headers.find(([own]) => own.toLowerCase() === name)?.[1];
      assert.deepEqual([echoed.backend, echoed.url, value("x-number")], [backend, `/customer/${i}`, String(i)]);
      if (subject) assert.equal(value("x-subject"), subject);
    }),
  );
});

describe("a cold start with many at once", () => {
  for (const [what, host, credential, target] of [
    ["the customers", CONFIG_API, demoKey("umbrella"), "/customer/y"],
    ["the issuer's keys", ISSUER, token("good-es256"), "/x/y"],
  ]) {
    const crowd = async () => {
      await gateway.restart();
      const statuses = await Promise.all(Array.from({ length: 100 }, () => statusOf(credential, target)));
      assert.deepEqual([...new Set(statuses)], [200]);
      return calls(host).length;
    };
    test(`loads ${what} once`, async () => {
      assert.equal(await crowd(), 1);
      assert.equal(await statusOf(credential, target), 200);
      assert.equal(calls(host).length, 1, "and then no more");
    });
  }

  test("goes well for all others when the first one leaves", async () => {
    for (const [host, credential, target] of [
      [CONFIG_API, demoKey("umbrella"), "/customer/y"],
      [ISSUER, token("good-es256"), "/x/y"],
    ]) {
      await gateway.restart();
      const release = Promise.withResolvers();
      const { handle } = host === ISSUER ? gateway.world.issuer : gateway.world.configApi;
      gateway.world.replace(host, async (request, response) => {
        await release.promise;
        handle(request, response);
      });
      const first = new Wire(gateway.port);
      await first.write(requestHead({ target, headers: [bearer(credential)] }));
      await until(() => calls(host).length > 0, "the first load");
      const others = Array.from({ length: 5 }, () => statusOf(credential, target));
      first.reset();
      release.resolve();
      assert.deepEqual(await Promise.all(others), [200, 200, 200, 200, 200]);
      assert.equal(await statusOf(credential, target), 200);
      gateway.world.mend();
    }
  });
});

test("a stale customer answers at once, and the request after the refresh sees the new one", async () => {
  await gateway.restart({ toml: toml({ customersFresh: "1s" }) });
  const store = await gateway.store();
  const old = await store.get("customer:wayne-ent");
  assert.equal(await statusOf(demoKey("wayne"), "/customer/y"), 200);
  const loaded = Date.now();
  await store.put(
    "customer:wayne-ent",
    JSON.stringify({ customerId: "wayne-ent", backendUrl: "https://stark.tenants.example.com" }),
  );
  try {
    await until(() => Date.now() - loaded > 1100, "fresh to pass");
    gateway.world.clear();
    await ask(demoKey("wayne"), "/customer/y");
    assert.deepEqual(
      gateway.called().map(({ backend }) => backend),
      ["wayne.tenants"],
      "the old one at once",
    );
    await until(
      async () => {
        await ask(demoKey("wayne"), "/customer/y");
        return gateway.called().at(-1).backend === "stark.tenants";
      },
      "the new one",
      1000,
    );
    await store.put(
      "customer:wayne-ent",
      JSON.stringify({ customerId: "wayne-ent", backendUrl: "https://stark.tenants.example.com", disabled: true }),
    );
    await until(
      async () => (await statusOf(demoKey("wayne"), "/customer/y")) === 403,
      "a switched-off customer to be refused",
      3000,
    );
  } finally {
    await store.put("customer:wayne-ent", old);
    await gateway.restart({ toml: toml() });
  }
});

test("a config API that hangs holds up nobody whose customer is known", async () => {
  assert.equal(await statusOf(demoKey("acme"), "/customer/y"), 200);
  gateway.world.replace(CONFIG_API, () => {});
  const slow = unavailable(token("customer-unlisted"), "/customer/y", "customer_source_unavailable");
  await until(() => calls(CONFIG_API).length > 0, "the config API to be asked");
  const began = Date.now();
  assert.equal(await statusOf(demoKey("acme"), "/customer/y"), 200);
  assert.ok(Date.now() - began < 400, "the other one's timeout is 500 ms");
  await slow;
});

// ---- Configuration

describe("the configuration", () => {
  test("comes from the module beside the wasm", async () => {
    await gateway.restart();
    assert.equal(await statusOf(demoKey("sandbox"), "/environment/x"), 404);
    await gateway.restart({ gateway: undefined });
    assert.equal(await statusOf(demoKey("sandbox"), "/environment/x"), 200);
    await gateway.restart({ toml: toml() });
  });

  const only = () => {
    const routes = [{ path: "/only/{+p}", auth: [], rules: [{ name: "r", to: "b" }] }];
    return checkedForm(JSON.stringify({ backends: { b: { url: "https://shared.backends.example.com" } }, routes }));
  };

  for (const [how, variable] of [
    ["as text", only],
    ["as JSON", () => JSON.parse(only())],
  ]) {
    test(`is the variable GATEWAY where that is set ${how}`, async () => {
      await gateway.restart({ gateway: undefined, bindings: { GATEWAY: variable() } });
      assert.equal((await gateway.send({ target: "/only/x" })).status, 200);
      assert.equal((await gateway.send({ target: "/environment/x" })).status, 404);
      await gateway.restart({ bindings: {}, toml: toml() });
    });
  }

  for (const [what, change, finding] of [
    ["no JSON", { form: '{"routes": [' }, /checked form/],
    ["gateway.toml as JSON", { form: JSON.stringify({ routes: [], sekret: "hush" }) }, /checked form of this version/],
    ["a form of another version", { form: JSON.stringify({ ...JSON.parse(only()), format: 0 }) }, /pointsman compile/],
    ["a rule to nowhere", { form: only().replace('"to":0', '"to":7') }, /no place in the list/],
    ["a variable that is not set", { toml: toml(), bindings: { SHARED_BACKEND_URL: undefined } }, /SHARED_BACKEND_URL/],
    [
      "a variable that is no URL",
      { toml: toml(), bindings: { SHARED_BACKEND_URL: "hush" } },
      /\/backends\/\d+\/origins\/0\/url: /,
    ],
    [
      "http where it is not allowed",
      { toml: toml(), bindings: { SHARED_BACKEND_URL: "http://hush.example.com" } },
      undefined,
    ],
  ]) {
    test(`with ${what}: 500, the log says why, the answer does not`, async () => {
      await gateway.restart({ bindings: {}, ...change });
      for (const request of [
        { target: "/open/x" },
        { target: "/", method: "POST", body: "b" },
        { target: "/x/y", headers: [bearer(demoKey("acme"))] },
      ]) {
        const answer = await gateway.send(request);
        assert.equal(answer.status, 500);
        assert.equal(answer.get("content-type"), "application/problem+json");
        const problem = answer.json();
        assert.deepEqual(Object.keys(problem).sort(), ["detail", "error", "instance", "status", "title", "type"]);
        assert.match(problem.type, /:gateway-misconfigured$/);
        assert.doesNotMatch(JSON.stringify({ ...problem, instance: "" }), /hush|sekret|nowhere|SHARED|routes/);
        assert.equal((await gateway.log.request(problem.instance)).reason, "misconfigured");
      }
      const event = await gateway.log.event("misconfigured");
      assert.ok(event.message.length > 0);
      if (finding)
        assert.ok(
          gateway.log.lines.some(({ message: text }) => finding.test(text ?? "")),
          `no finding says ${finding}`,
        );
      assert.deepEqual(gateway.world.requests, []);
      await gateway.restart({ bindings: {}, toml: toml() });
    });
  }
});

// ---- Credentials that are noise

/** A small generator with a seed (mulberry32), so that a failure can be had again. */
function random(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

test("no credential, whatever its bytes, is anything but 400 or 401", async () => {
  const below = random(20260730);
  const pick = (list) => list[below(list.length)];
  // Bytes that a field may hold: all but controls; 0x80 to 0xff too.
  const noise = (length) =>
    Buffer.from(Array.from({ length }, () => pick([0x09, 0x20 + below(0x5f), 0x80 + below(0x80)])));
  const base62 = (length) =>
    Array.from({ length }, () => pick("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")).join("");
  const json64 = (value) =>
    Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
  const header = () =>
    pick([
      '{"alg":"ES256"}',
      `{"alg":"ES256","kid":"${base62(below(40))}"}`,
      "{}",
      "[]",
      "null",
      '{"alg":null}',
      '{"alg":"none"}',
      '{"alg":"HS256","kid":1e999}',
      '{"alg"',
      '{"alg":"ES256","crit":[]}',
      "\u0000",
      '{"a":'.repeat(200),
    ]);
  const claims = () =>
    pick([
      '{"iss":"https://id.example.com/","aud":"https://api.example.com","exp":4e9}',
      '{"iss":"https://id.example.com/","aud":"https://api.example.com","exp":1e308,"nbf":-1e308}',
      '{"exp":{}}',
      "[]",
      "0",
      "[".repeat(500),
      '{"iss":"https://id.example.com/","aud":[[]],"exp":9007199254740993}',
    ]);
  const values = [
    () => noise(1 + below(200)),
    () => Buffer.concat([Buffer.from("Bearer "), noise(1 + below(400))]),
    () => `Bearer sk_live_${base62(below(80))}_${base62(6)}`,
    () => `Bearer ${mint(pick(["sk_live", "sk_test"]), base62(22 + below(43)))}`,
    () => `Bearer ${mint(pick(["pk_live", "x"]), base62(24))}`,
    () => Buffer.concat([Buffer.from("Bearer sk_live_"), noise(24), Buffer.from(`_${base62(6)}`)]),
    () => `Bearer ${json64(header())}.${json64(claims())}.${base62(pick([0, 1, 85, 86, 87, 342]))}`,
    () => `Bearer ${base62(below(30))}.${base62(below(30))}.${base62(below(30))}`,
    () => `${pick(["Basic", "bearer", "BEARER", "Digest", "Bearer", ""])} ${base62(below(60))}`,
    () => `Bearer ${demoKey("acme")}${pick([",", ", ", " ", ";", "\t", "x", "%00", "="])}${base62(below(9))}x`,
    () => `Bearer ${".".repeat(below(20))}`,
    () => `Bearer ${"a".repeat(8000 + below(4000))}`,
  ];
  const seen = new Map();
  for (let round = 0; round < 480; round += 12) {
    await Promise.all(
      values.map(async (make) => {
        const value = make();
        const answer = await gateway.send({ target: "/x/y", headers: [["Authorization", value]] });
        assert.ok(
          answer.status === 400 || answer.status === 401,
          `${answer.status} for ${JSON.stringify(value.toString("latin1"))}`,
        );
        if (answer.status === 401) assert.ok(answer.get("www-authenticate"));
        seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
      }),
    );
  }
  assert.ok(seen.get(401) > 100, JSON.stringify([...seen]));
  assert.deepEqual(gateway.called(), []);
  assert.equal(await statusOf(demoKey("acme")), 200);
});

test("a credential in a query, a cookie or a second field is none", async () => {
  const key = demoKey("acme");
  for (const request of [
    { target: `/x/y?api_key=${key}&access_token=${key}` },
    { target: "/x/y", headers: [["Cookie", `authorization=${key}; api_key=${key}`]] },
    {
      target: "/x/y",
      headers: [
        ["X-Api-Key", key],
        ["Proxy-Authorization", `Bearer ${key}`],
      ],
    },
    { target: "/x/y", headers: [bearer(key), bearer(key)] },
    { target: "/x/y", headers: [bearer(key), bearer(token("good-es256"))] },
    { target: "/x/y", headers: [["Authorization", `Bearer ${key}, Bearer ${key}`]] },
    { target: "/x/y", headers: [["Authorization", `Basic ${Buffer.from(`x:${key}`).toString("base64")}`]] },
    { target: "/x/y", headers: [["Authorization", key]] },
  ]) {
    const { status } = await gateway.send(request);
    assert.ok(status === 400 || status === 401, `${status} for ${JSON.stringify(request)}`);
  }
  assert.deepEqual(gateway.called(), []);
});

test("a preflight reaches no backend and needs no credential", async () => {
  for (const headers of [
    [],
    [bearer(demoKey("acme"))],
    [bearer("junk")],
    [["Access-Control-Request-Headers", "authorization, x-a"]],
    [["Access-Control-Request-Headers", "\u00e9, a b, x-ok"]],
  ]) {
    for (const [origin, allowed] of [
      ["https://a.example", true],
      ["null", true],
      ["not an origin", false],
      ["https://a.example/path", false],
    ]) {
      const answer = await gateway.send({
        method: "OPTIONS",
        target: "/cors/x",
        headers: [["Origin", origin], ["Access-Control-Request-Method", "PUT"], ...headers],
      });
      assert.equal(answer.status, 204);
      assert.equal(answer.body.length, 0);
      assert.equal(answer.get("access-control-allow-origin"), allowed ? origin : undefined);
      assert.match(answer.get("vary"), /Origin/);
    }
  }
  assert.deepEqual(gateway.world.requests, []);
});
