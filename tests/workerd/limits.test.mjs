// Limits, counted by what Miniflare has of the platform's counters: the Rate Limiting binding is its real one.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { demoKey } from "../../demo/seed.mjs";
import { bearer, openGateway } from "./support/gateway.mjs";
import { until } from "./support/log.mjs";
import { signed, tokenOf } from "./support/tokens.mjs";

const PERIOD = 10;
const LIMIT = 5;
const GOLD = 8;

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

[backends.shared]
url = "\${SHARED_BACKEND_URL}"

[backends.several]
origins = [{ url = "https://acme.tenants.example.com" }, { url = "\${SHARED_BACKEND_URL}" }]

[limits.standard]
binding = "LIMIT"
limit = ${LIMIT}
period = "${PERIOD}s"

[limits.gold]
binding = "LIMIT_GOLD"
limit = ${GOLD}
period = "${PERIOD}s"

[limits.customer]
binding = "LIMIT"
limit = ${LIMIT}
period = "${PERIOD}s"
by = "$customer"

[limits.organisation]
binding = "LIMIT"
limit = ${LIMIT}
period = "${PERIOD}s"
by = "/org/id"

[limits.open]
binding = "BROKEN"
limit = ${LIMIT}
period = "${PERIOD}s"

[limits.closed]
binding = "BROKEN"
limit = ${LIMIT}
period = "${PERIOD}s"
on_failure = "closed"

[cors.app]
origins = ["https://app.example.com"]
headers = ["authorization"]
expose = ["ratelimit", "retry-after"]
${[
  ["standard", `limits = ["standard"]`],
  [
    "tiers",
    `limits = [[{ use = "none", when = { plan = "internal" } }, { use = "gold", when = { plan = "gold" } }, "standard"]]`,
  ],
  ["customer", `limits = ["customer"]`],
  ["organisation", `limits = ["organisation"]`],
  ["both", `limits = ["standard", "gold"]`],
  ["open", `limits = ["open"]`],
  ["closed", `limits = ["closed"]`],
  ["mixed", `limits = ["open", "standard"]`],
  ["cors", `limits = ["standard"]\ncors = "app"\nrequest_id = true`],
  ["plain", ""],
]
  .map(([name, more]) => route(name, more, "shared"))
  .join("\n")}
${route("several", `limits = ["standard"]`, "several")}
`;

function route(name, more, to) {
  return `
[[routes]]
path = "/${name}/{+path}"
methods = ["GET", "POST", "OPTIONS"]
auth = ["api_key", "main"]
anonymous = true
rewrite = "/{+path}"
rules = [{ name = "blocked", when = { "$subject" = "blocked" }, deny = 403 }, { name = "all", to = "${to}" }]
${more}`;
}

const ratelimits = {
  LIMIT: { namespace_id: "1001", simple: { limit: LIMIT, period: PERIOD } },
  LIMIT_GOLD: { namespace_id: "1002", simple: { limit: GOLD, period: PERIOD } },
};

/** Bindings that are out of order: a Worker beside the gateway whose methods fail or never end. */
const broken = {
  name: "broken",
  modules: true,
  compatibilityDate: "2026-07-30",
  script: `
    import { WorkerEntrypoint } from "cloudflare:workers";
    export class Throws extends WorkerEntrypoint { async limit() { throw new Error("out of order"); } }
    export class Hangs extends WorkerEntrypoint { async limit() { return new Promise((resolve) => setTimeout(resolve, 30_000, { success: true })); } }
    export class Odd extends WorkerEntrypoint { async limit() { return { success: "maybe" }; } }
    export default { fetch: () => new Response() };
  `,
};
const brokenBy = (entrypoint) => ({ ratelimits, serviceBindings: { BROKEN: { name: "broken", entrypoint } } });

let gateway;
before(async () => {
  gateway = await openGateway({ toml: TOML, overrides: { ratelimits }, workers: [broken] });
});
after(() => gateway?.stop());
beforeEach(() => {
  gateway.world.clear();
  gateway.log.clear();
});

let drawn = 0;
/** A caller that no counter has seen. */
const somebody = () => `somebody-${++drawn}`;
const tokenFor = (sub, claims) => signed("es256-1", { sub, ...claims });
const from = (ip) => ["CF-Connecting-IP", ip];
const ask = (target, credential, headers = []) =>
  gateway.send({ target, headers: [...(credential ? [bearer(credential)] : []), ...headers] });

/**
 * Waits for the beginning of a period if the one that is has less than this left: Miniflare's periods begin at whole
 * multiples, and what is counted in two of them is no count.
 */
async function inOnePeriod(seconds = 4) {
  const left = PERIOD - ((Date.now() / 1000) % PERIOD);
  if (left < seconds) await sleep(left * 1000 + 20);
}

/** The statuses of so many requests, one after the other. */
async function statuses(count, target, credential, headers) {
  const seen = [];
  for (let i = 0; i < count; i++) seen.push((await ask(target, credential, headers)).status);
  return seen;
}
const passes = (seen) => seen.filter((status) => status === 200).length;

test("of requests one after the other exactly the limit passes, and the rest is 429 and reaches no backend", async () => {
  await inOnePeriod();
  const seen = await statuses(LIMIT + 3, "/standard/x", tokenFor(somebody()));
  assert.deepEqual(seen, [...Array(LIMIT).fill(200), 429, 429, 429]);
  assert.equal(gateway.called().length, LIMIT);
});

test("of many at once no more than the limit passes", async () => {
  await inOnePeriod();
  const credential = tokenFor(somebody());
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask("/standard/x", credential)));
  assert.equal(passes(answers.map(({ status }) => status)), LIMIT);
  assert.equal(gateway.called().length, LIMIT);
});

test("a refusal says why, to callers and in the log", async () => {
  await inOnePeriod();
  const credential = tokenFor(somebody());
  await statuses(LIMIT, "/standard/x", credential);
  const answer = await ask("/standard/x", credential);
  assert.equal(answer.status, 429);
  assert.equal(answer.get("content-type"), "application/problem+json");
  assert.equal(answer.get("cache-control"), "no-store");
  assert.equal(answer.get("retry-after"), `${PERIOD}`);
  assert.equal(answer.get("ratelimit-policy"), `"standard";q=${LIMIT};w=${PERIOD}`);
  assert.equal(answer.get("ratelimit"), `"standard";r=0;t=${PERIOD}`);
  const problem = answer.json();
  assert.equal(problem.type, "urn:pointsman:problem:rate-limited");
  assert.equal(problem.status, 429);
  assert.deepEqual(problem["violated-policies"], ["standard"]);
  assert.equal(problem.instance, answer.get("x-request-id"));
  assert.equal(problem.reason, undefined);
  const line = await gateway.log.request(problem.instance);
  assert.equal(line.status, 429);
  assert.equal(line.reason, "rate_limited");
  assert.equal(line.limit, "standard");
  assert.equal(line.route, "/standard/{+path}");
  assert.equal(line.origin, undefined);
  assert.equal(line.attempt, undefined);
});

test("an answer that passes has the policy, beside the backend's own, and its log line is as ever", async () => {
  gateway.world.replace("shared.backends.example.com", (request, response) => {
    response.writeHead(200, { "ratelimit-policy": '"backend";q=7', "x-own": "kept" });
    response.end("ok");
  });
  const answer = await ask("/standard/x", tokenFor(somebody()));
  gateway.world.mend();
  assert.equal(answer.status, 200);
  assert.equal(answer.text(), "ok");
  assert.equal(answer.get("x-own"), "kept");
  assert.equal(answer.get("ratelimit-policy"), `"backend";q=7, "standard";q=${LIMIT};w=${PERIOD}`);
  assert.equal(answer.get("ratelimit"), undefined);
  const line = await gateway.log.request();
  assert.equal(line.origin, "https://shared.backends.example.com");
  assert.equal(line.attempt, 1);
  assert.equal(line.backend, "shared");
  assert.equal(line.limit, undefined);
});

test("a body goes through a limit, and a backend with several origins works behind one", async () => {
  const body = "x".repeat(100_000);
  const answer = await gateway.send({
    method: "POST",
    target: "/standard/x",
    headers: [bearer(tokenFor(somebody()))],
    body,
  });
  assert.equal(answer.status, 200);
  assert.equal(gateway.called()[0].bodyBytes, body.length);
  await inOnePeriod();
  gateway.world.replace("acme.tenants.example.com", (request) => request.socket.destroy());
  const seen = await statuses(LIMIT + 1, "/several/x", tokenFor(somebody()));
  gateway.world.mend();
  assert.deepEqual(seen, [...Array(LIMIT).fill(200), 429]);
});

test("after the period the caller passes again", async () => {
  await inOnePeriod();
  const credential = tokenFor(somebody());
  await statuses(LIMIT, "/standard/x", credential);
  const refused = await ask("/standard/x", credential);
  assert.equal(refused.status, 429);
  await sleep(Number(refused.get("retry-after")) * 1000);
  assert.equal((await ask("/standard/x", credential)).status, 200);
});

describe("whom a limit counts", () => {
  const exhaust = async (target, credential, headers) => {
    await inOnePeriod();
    assert.equal(passes(await statuses(LIMIT + 1, target, credential, headers)), LIMIT);
  };
  const passesStill = async (target, credential, headers) =>
    assert.equal((await ask(target, credential, headers)).status, 200);
  const isRefused = async (target, credential, headers) =>
    assert.equal((await ask(target, credential, headers)).status, 429);

  test("one subject's limit is no other's, whatever its address", async () => {
    const [busy, other] = [somebody(), somebody()];
    await exhaust("/standard/x", tokenFor(busy), [from("192.0.2.1")]);
    await isRefused("/standard/x", tokenFor(busy), [from("192.0.2.2")]);
    await passesStill("/standard/x", tokenFor(other), [from("192.0.2.1")]);
  });

  test("a key's subject is not a token's of the same name", async () => {
    await exhaust("/standard/x", tokenFor("demo-acme"));
    await passesStill("/standard/x", demoKey("acme"));
  });

  test("a subject called like an address is not that address", async () => {
    await exhaust("/standard/x", tokenFor("192.0.2.77"));
    await passesStill("/standard/x", undefined, [from("192.0.2.77")]);
  });

  test("callers without a credential are told by address, by IPv6 network, and never by what they say", async () => {
    await exhaust("/standard/x", undefined, [from("192.0.2.10")]);
    await isRefused("/standard/x", undefined, [from("192.0.2.10"), ["X-Forwarded-For", "198.51.100.1"]]);
    await passesStill("/standard/x", undefined, [from("192.0.2.11")]);
    await exhaust("/standard/x", undefined, [from("2001:db8:0:1::1")]);
    await isRefused("/standard/x", undefined, [from("2001:db8:0:1:ffff::9")]);
    await passesStill("/standard/x", undefined, [from("2001:db8:0:2::1")]);
  });

  test("a customer's limit is one for all of its subjects, and those without one have one together", async () => {
    const customer = somebody();
    await exhaust("/customer/x", tokenFor(somebody(), { customerId: customer }));
    await isRefused("/customer/x", tokenFor(somebody(), { customerId: customer }));
    await passesStill("/customer/x", tokenOf(somebody()));
    await exhaust("/customer/x", tokenFor(somebody()));
    await isRefused("/customer/x", tokenFor(somebody()));
  });

  test("a claim tells callers apart", async () => {
    const id = somebody();
    await exhaust("/organisation/x", tokenFor(somebody(), { org: { id } }));
    await isRefused("/organisation/x", tokenFor(somebody(), { org: { id } }));
    await passesStill("/organisation/x", tokenFor(somebody(), { org: { id: somebody() } }));
  });

  test("two limits of one binding count apart", async () => {
    const [subject, customerId] = [somebody(), somebody()];
    await exhaust("/standard/x", tokenFor(subject, { customerId }));
    await passesStill("/customer/x", tokenFor(subject, { customerId }));
  });
});

describe("tiers", () => {
  test("claims choose the limit, and some have none", async () => {
    await inOnePeriod(6);
    assert.equal(passes(await statuses(GOLD + 2, "/tiers/x", tokenFor(somebody(), { plan: "gold" }))), GOLD);
    assert.equal(passes(await statuses(LIMIT + 2, "/tiers/x", tokenFor(somebody(), { plan: "silver" }))), LIMIT);
    assert.equal(passes(await statuses(LIMIT + 2, "/tiers/x", tokenFor(somebody()))), LIMIT);
    assert.equal(passes(await statuses(GOLD + 5, "/tiers/x", tokenFor(somebody(), { plan: "internal" }))), GOLD + 5);
    const free = await ask("/tiers/x", tokenFor(somebody(), { plan: "internal" }));
    assert.equal(free.get("ratelimit-policy"), undefined);
  });

  test("of two limits the smaller one counts, and both are told", async () => {
    await inOnePeriod();
    const credential = tokenFor(somebody());
    assert.equal(passes(await statuses(GOLD + 2, "/both/x", credential)), LIMIT);
    const answer = await ask("/both/x", tokenFor(somebody()));
    assert.equal(answer.get("ratelimit-policy"), `"standard";q=${LIMIT};w=${PERIOD}, "gold";q=${GOLD};w=${PERIOD}`);
  });
});

test("what is refused before is not counted: deny rules, bad credentials, preflights", async () => {
  await inOnePeriod();
  const origin = ["Origin", "https://app.example.com"];
  const address = from("192.0.2.200");
  for (let i = 0; i < LIMIT * 2; i++) {
    assert.equal((await ask("/cors/x", tokenFor("blocked"), [address])).status, 403);
    assert.equal((await ask("/cors/x", "sk_live_junk", [address])).status, 401);
    const preflight = await gateway.send({
      method: "OPTIONS",
      target: "/cors/x",
      headers: [origin, address, ["Access-Control-Request-Method", "GET"]],
    });
    assert.equal(preflight.status, 204);
  }
  assert.equal(passes(await statuses(LIMIT + 1, "/cors/x", undefined, [address])), LIMIT);
});

test("a script can read a 429 on a route with a CORS policy", async () => {
  await inOnePeriod();
  const credential = tokenFor(somebody());
  const origin = ["Origin", "https://app.example.com"];
  await statuses(LIMIT, "/cors/x", credential, [origin]);
  const answer = await ask("/cors/x", credential, [origin]);
  assert.equal(answer.status, 429);
  assert.equal(answer.get("access-control-allow-origin"), "https://app.example.com");
  assert.equal(answer.get("access-control-expose-headers"), "ratelimit, retry-after");
  assert.equal(answer.get("vary"), "Origin");
  assert.equal(answer.get("retry-after"), `${PERIOD}`);
  const elsewhere = await ask("/cors/x", credential, [["Origin", "https://evil.example.com"]]);
  assert.equal(elsewhere.status, 429);
  assert.equal(elsewhere.get("access-control-allow-origin"), undefined);
});

test("a route without limits says nothing of any", async () => {
  const answer = await ask("/plain/x", tokenFor(somebody()));
  assert.equal(answer.status, 200);
  assert.equal(answer.get("ratelimit-policy"), undefined);
});

describe("a counter that is out of order", () => {
  for (const [how, overrides] of [
    ["is not bound", { ratelimits }],
    ["throws", brokenBy("Throws")],
    ["hangs", brokenBy("Hangs")],
    ["says neither yes nor no", brokenBy("Odd")],
  ]) {
    test(`and ${how}: "open" lets pass, "closed" is 503, and nobody waits long`, async () => {
      await gateway.restart({ overrides, workers: [broken] });
      assert.equal((await ask("/plain/x", tokenFor(somebody()))).status, 200);
      gateway.log.clear();
      gateway.world.clear();
      const began = Date.now();
      assert.equal((await ask("/open/x", tokenFor(somebody()))).status, 200);
      assert.equal((await gateway.log.event("limit_failed")).limit, "open");
      const answer = await ask("/closed/x", tokenFor(somebody()));
      assert.ok(Date.now() - began < 2500, "the timeout is 250 ms");
      assert.equal(answer.status, 503, answer.text());
      assert.match(answer.json().type, /:gateway-unavailable$/);
      assert.match(answer.get("retry-after"), /^\d+$/);
      const line = await gateway.log.request(answer.json().instance);
      assert.equal(line.reason, "limit_unavailable");
      assert.equal(line.limit, "closed");
      assert.equal(gateway.called().length, 1);
      // The other limits go on counting.
      await inOnePeriod(6);
      assert.equal(passes(await statuses(LIMIT + 1, "/mixed/x", tokenFor(somebody()))), LIMIT);
      await until(() => gateway.log.lines.some(({ reason }) => reason === "rate_limited"), "the refusal's line");
      assert.equal(
        gateway.log.lines.filter(({ event, limit }) => event === "limit_failed" && limit === "open").length,
        1,
        "one line in ten seconds",
      );
    });
  }
});
