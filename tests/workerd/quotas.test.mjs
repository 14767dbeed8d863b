// Quotas, counted by the Durable Object of the built Worker in workerd's own SQLite.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import { bearer, openGateway } from "./support/gateway.mjs";
import { until } from "./support/log.mjs";
import { signed } from "./support/tokens.mjs";

const EXACT = 30;
const MANY = 120;
const BATCH = 10;
const SMALL = 5;
const RATE = 3;

const quota = (name, more) => `
[limits.${name}]
binding = "QUOTAS"
timeout = "3s"
${more}`;
const route = (name, limits) => `
[[routes]]
path = "/${name}/{+path}"
auth = ["main"]
anonymous = true
rewrite = "/{+path}"
rules = [{ name = "all", to = "shared" }]
limits = ${limits}`;

const TOML = `
[[issuers]]
name = "main"
issuer = "https://id.example.com/"
audience = "https://api.example.com"
jwks_url = "https://id.example.com/.well-known/jwks.json"
algorithms = ["ES256"]

[customers]

[backends.shared]
url = "\${SHARED_BACKEND_URL}"

[limits.rate]
binding = "LIMIT"
limit = ${RATE}
period = "60s"
${quota("exact", `quota = ${EXACT}\nper = "month"\nbatch = 1`)}
${quota("many", `quota = ${MANY}\nper = "month"\nbatch = ${BATCH}`)}
${quota("customer", `quota = ${EXACT}\nper = "month"\nbatch = 1\nby = "$customer"`)}
${quota("own", `quota = ${EXACT}\nper = "month"\nbatch = 1\nby = "$customer"\nfrom_record = true`)}
${quota("small", `quota = ${SMALL}\nper = "hour"\nanchor = "first-use"\nbatch = 1`)}
[limits.open]
binding = "BROKEN"
quota = 10
per = "day"
timeout = "250ms"
[limits.closed]
binding = "BROKEN"
quota = 10
per = "day"
timeout = "250ms"
on_failure = "closed"
${route("exact", `["exact"]`)}
${route("many", `["many"]`)}
${route("customer", `["customer"]`)}
${route("own", `["own"]`)}
${route("small", `["small"]`)}
${route("both", `["many", "small"]`)}
${route("tier", `[[{ use = "exact", when = { plan = "gold" } }, "small"], "rate"]`)}
${route("open", `["open"]`)}
${route("closed", `["closed"]`)}
`;

const broken = {
  name: "broken",
  modules: true,
  compatibilityDate: "2026-07-30",
  script: `
    import { DurableObject } from "cloudflare:workers";
    export class Throws extends DurableObject { async take() { throw new Error("out of order"); } }
    export class Hangs extends DurableObject { async take() { return new Promise((resolve) => setTimeout(resolve, 30_000)); } }
    export class Odd extends DurableObject { async take() { return { granted: "yes" }; } }
    export default { fetch: () => new Response() };
  `,
};

const bindings = (more = {}) => ({
  ratelimits: { LIMIT: { namespace_id: "1001", simple: { limit: RATE, period: 60 } } },
  durableObjects: { QUOTAS: { className: "Quota", useSQLite: true }, ...more },
});

let gateway;
before(async () => {
  gateway = await openGateway({ toml: TOML, overrides: bindings(), workers: [broken] });
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
const ask = (target, credential) => gateway.send({ target, headers: credential ? [bearer(credential)] : [] });
const passes = (seen) => seen.filter((status) => status === 200).length;
async function statuses(count, target, credential) {
  const seen = [];
  for (let i = 0; i < count; i++) seen.push((await ask(target, credential)).status);
  return seen;
}
const atOnce = async (count, target, credential) =>
  (await Promise.all(Array.from({ length: count }, () => ask(target, credential)))).map(({ status }) => status);

/** The object that counts a subject, as another isolate sees it. */
async function objectOf(kind, value) {
  const objects = await gateway.miniflare.getDurableObjectNamespace("QUOTAS", "pointsman");
  return objects.get(objects.idFromName(createHash("sha256").update(`${kind}\0${value}`).digest("hex")));
}
/** Without what Miniflare adds to values on their way here. */
const plain = ({ granted, left, until }) => ({ granted, left, until });
const ofSubject = (subject) => objectOf("$subject\0main", subject);

const DAY = 86_400_000;
const monthOf = (now) => {
  const date = new Date(now);
  return [0, 1].map((more) => Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + more));
};
const MONTHLY = (name, most) => ({
  count: `${name}/month/calendar`,
  quota: most,
  batch: 1,
  window: monthOf(Date.now()),
  span: 30 * DAY,
});

describe("a batch of one", () => {
  test("lets exactly the quota pass, one after the other, and says how much is left", async () => {
    const credential = tokenFor(somebody());
    for (let i = 1; i <= EXACT; i++) {
      const answer = await ask("/exact/x", credential);
      assert.equal(answer.status, 200);
      const [, left, seconds] = /^"exact";r=(\d+);t=(\d+)$/.exec(answer.get("ratelimit"));
      assert.equal(Number(left), EXACT - i);
      assert.ok(Math.abs(Date.now() + seconds * 1000 - monthOf(Date.now())[1]) < 3000, "until the first of the month");
    }
    const refused = await ask("/exact/x", credential);
    assert.equal(refused.status, 429);
    assert.match(refused.get("ratelimit"), /^"exact";r=0;t=\d+$/);
    const [start, end] = monthOf(Date.now());
    assert.equal(refused.get("ratelimit-policy"), `"exact";q=${EXACT};w=${(end - start) / 1000}`);
    assert.ok(Math.abs(Date.now() + refused.get("retry-after") * 1000 - end) < 3000);
    assert.deepEqual(refused.json()["violated-policies"], ["exact"]);
    const line = await gateway.log.request(refused.json().instance);
    assert.deepEqual([line.reason, line.limit], ["rate_limited", "exact"]);
    assert.equal(gateway.called().length, EXACT);
  });

  test("lets exactly the quota pass of 200 at once", async () => {
    const credential = tokenFor(somebody());
    assert.equal(passes(await atOnce(200, "/exact/x", credential)), EXACT);
    assert.equal(gateway.called().length, EXACT);
  });

  test("loses no count when the isolate ends", async () => {
    const credential = tokenFor(somebody());
    assert.equal(passes(await statuses(EXACT - 4, "/exact/x", credential)), EXACT - 4);
    await gateway.restart();
    assert.equal(passes(await statuses(8, "/exact/x", credential)), 4);
  });
});

describe("batches", () => {
  test("an isolate takes a batch, and then asks nobody until it is used", async () => {
    const subject = somebody();
    const object = await ofSubject(subject);
    // Taking nothing shows what is left.
    const left = async () => (await object.take(MONTHLY("many", MANY), 0, Date.now())).left;
    for (let i = 1; i <= BATCH; i++) {
      const answer = await ask("/many/x", tokenFor(subject));
      assert.match(answer.get("ratelimit"), new RegExp(`^"many";r=${MANY - i};`));
      assert.equal(await left(), MANY - BATCH, `after ${i}`);
    }
    assert.equal((await ask("/many/x", tokenFor(subject))).status, 200);
    assert.equal(await left(), MANY - 2 * BATCH);
  });

  test("a crowd takes one batch, and else what it needs", async () => {
    const subject = somebody();
    const object = await ofSubject(subject);
    assert.equal(passes(await atOnce(40, "/many/x", tokenFor(subject))), 40);
    const { left } = await object.take(MONTHLY("many", MANY), 0, Date.now());
    const taken = MANY - left;
    assert.ok(taken >= 40 && taken < 40 + 2 * BATCH, `${taken} of ${MANY} were taken for 40`);
  });

  test("of 200 at once never more than the quota passes, and in one isolate all of it", async () => {
    const credential = tokenFor(somebody());
    const seen = passes(await atOnce(200, "/many/x", credential));
    assert.ok(seen <= MANY && seen >= MANY - BATCH, `${seen} passed`);
    assert.equal(seen + passes(await statuses(BATCH + 2, "/many/x", credential)), MANY);
  });

  test("what an isolate that ends had taken counts as used: a batch at the most, and never too few", async () => {
    const credential = tokenFor(somebody());
    const before = passes(await statuses(3, "/many/x", credential));
    await gateway.restart();
    const whole = before + passes(await statuses(MANY + 5, "/many/x", credential));
    assert.equal(whole, MANY - (BATCH - 3));
  });

  test("near the end nobody is handed more than a tenth of what is left", async () => {
    const object = await ofSubject(somebody());
    const grants = [];
    for (;;) {
      const { granted, left } = await object.take(MONTHLY("many", 40), 50, Date.now());
      if (granted === 0) break;
      assert.ok(granted <= Math.max((left + granted) / 10, 1));
      grants.push(granted);
    }
    assert.equal(
      grants.reduce((sum, granted) => sum + granted),
      40,
    );
    assert.equal(grants[0], 4);
  });
});

describe("whom a quota counts", () => {
  test("a customer's is one for all of its subjects, and no other's", async () => {
    const [customerId, other] = [somebody(), somebody()];
    assert.equal(passes(await statuses(EXACT + 1, "/customer/x", tokenFor(somebody(), { customerId }))), EXACT);
    assert.equal((await ask("/customer/x", tokenFor(somebody(), { customerId }))).status, 429);
    assert.equal((await ask("/customer/x", tokenFor(somebody(), { customerId: other }))).status, 200);
  });

  test("two quotas of one caller are counted apart", async () => {
    const credential = tokenFor(somebody());
    assert.equal(passes(await statuses(SMALL + 1, "/small/x", credential)), SMALL);
    assert.equal((await ask("/exact/x", credential)).status, 200);
  });
});

describe("the number of a customer's record", () => {
  const customerId = "acme-corp";
  const write = async (limits) => {
    const record = { customerId, backendUrl: "https://acme.tenants.example.com", limits };
    await (await gateway.store()).put(`customer:${customerId}`, JSON.stringify(record));
    await gateway.restart({ keepStore: true });
  };

  test("counts in place of the file's, and a change counts within the window", async () => {
    const credential = tokenFor(somebody(), { customerId });
    await write({ own: 3 });
    assert.equal(passes(await statuses(5, "/own/x", credential)), 3);
    const refused = await ask("/own/x", credential);
    assert.match(refused.get("ratelimit-policy"), /^"own";q=3;w=\d+$/);
    await write({ own: 5 });
    assert.equal(passes(await statuses(5, "/own/x", credential)), 2);
    await write({ own: 1 });
    assert.equal((await ask("/own/x", credential)).status, 429);
    await write(undefined);
    assert.equal((await ask("/own/x", credential)).get("ratelimit").split(";")[1], `r=${EXACT - 6}`);
    const other = tokenFor(somebody(), { customerId: somebody() });
    assert.equal((await ask("/own/x", other)).get("ratelimit").split(";")[1], `r=${EXACT - 1}`);
  });
});

describe("several limits", () => {
  test("what one quota refuses is taken out of no other", async () => {
    const subject = somebody();
    const credential = tokenFor(subject);
    assert.equal(passes(await statuses(SMALL + 20, "/both/x", credential)), SMALL);
    assert.match((await ask("/many/x", credential)).get("ratelimit"), new RegExp(`^"many";r=${MANY - SMALL - 1};`));
  });

  test("what a rate limit refuses is taken out of no quota, and tiers choose between quotas", async () => {
    const gold = tokenFor(somebody(), { plan: "gold" });
    const seen = await statuses(RATE + 5, "/tier/x", gold);
    // A minute of the platform's may end in between.
    assert.ok(passes(seen) >= RATE);
    const answer = await ask("/exact/x", gold);
    assert.match(answer.get("ratelimit"), new RegExp(`^"exact";r=${EXACT - passes(seen) - 1};`));
    const first = await ask("/tier/x", tokenFor(somebody()));
    assert.match(first.get("ratelimit-policy"), new RegExp(`^"small";q=${SMALL};w=3600, "rate";q=${RATE};w=60$`));
  });
});

describe("windows", () => {
  const NOW = Date.UTC(2031, 0, 31, 23, 59, 59, 999);

  test("a calendar's window ends when it ends, and the next begins with nothing used", async () => {
    const object = await ofSubject(somebody());
    const monthly = (now) => ({
      count: "m/month/calendar",
      quota: 20,
      batch: 20,
      window: monthOf(now),
      span: 30 * DAY,
    });
    const take = async (want, now) => plain(await object.take(monthly(now), want, now));
    for (let i = 0; i < 20; i++) assert.equal((await take(1, NOW)).granted, 1);
    assert.deepEqual(await take(1, NOW), { granted: 0, left: 0, until: NOW + 1 });
    assert.deepEqual(await take(1, NOW + 1), { granted: 1, left: 19, until: Date.UTC(2031, 2) });
    // An isolate whose clock is behind opens no window again.
    assert.deepEqual(await take(1, NOW), { granted: 1, left: 18, until: Date.UTC(2031, 2) });
  });

  test("one that begins with the first use lasts its time from then", async () => {
    const object = await ofSubject(somebody());
    const take = async (now) =>
      plain(await object.take({ count: "h/hour/first-use", quota: 2, batch: 1, span: 3_600_000 }, 1, now));
    assert.deepEqual(await take(NOW), { granted: 1, left: 1, until: NOW + 3_600_000 });
    assert.equal((await take(NOW + 1000)).granted, 1);
    assert.equal((await take(NOW + 3_599_999)).granted, 0);
    assert.deepEqual(await take(NOW + 3_600_000), { granted: 1, left: 1, until: NOW + 7_200_000 });
  });

  test("a quota that was used up in the last window lets pass in this one", async () => {
    const subject = somebody();
    const object = await ofSubject(subject);
    const last = monthOf(Date.now())[0] - 1000;
    const used = { ...MONTHLY("exact", EXACT), window: monthOf(last) };
    for (let i = 0; i < EXACT; i++) await object.take(used, 1, last);
    assert.match((await ask("/exact/x", tokenFor(subject))).get("ratelimit"), new RegExp(`^"exact";r=${EXACT - 1};`));
  });

  test("a quota that is made smaller counts what was used, one that is made larger gives the rest", async () => {
    const object = await ofSubject(somebody());
    const take = (most) => object.take(MONTHLY("exact", most), 1, Date.now());
    for (let i = 0; i < 5; i++) assert.equal((await take(10)).granted, 1);
    assert.deepEqual([(await take(3)).granted, (await take(3)).left], [0, 0]);
    assert.deepEqual([(await take(8)).granted, (await take(8)).left], [1, 1]);
  });
});

describe("an object that is out of order", () => {
  for (const [how, more] of [
    ["is not bound", {}],
    ["throws", { BROKEN: { className: "Throws", scriptName: "broken", useSQLite: true } }],
    ["hangs", { BROKEN: { className: "Hangs", scriptName: "broken", useSQLite: true } }],
    ["says nothing", { BROKEN: { className: "Odd", scriptName: "broken", useSQLite: true } }],
  ]) {
    test(`and ${how}: "open" lets pass, "closed" is 503, and nobody waits long`, async () => {
      await gateway.restart({ overrides: bindings(more) });
      assert.equal((await ask("/exact/x", tokenFor(somebody()))).status, 200);
      gateway.world.clear();
      const began = Date.now();
      const passed = await ask("/open/x", tokenFor(somebody()));
      assert.equal(passed.status, 200);
      assert.equal(passed.get("ratelimit"), undefined);
      const answer = await ask("/closed/x", tokenFor(somebody()));
      assert.ok(Date.now() - began < 2500, "the timeout is 250 ms");
      assert.equal(answer.status, 503);
      assert.equal((await gateway.log.request(answer.json().instance)).reason, "limit_unavailable");
      assert.equal(gateway.called().length, 1);
      await until(
        () => gateway.log.lines.some(({ event, limit }) => event === "limit_failed" && limit === "closed"),
        "the line of the failure",
      );
    });
  }
});
