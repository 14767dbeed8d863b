// What operators see of the traffic: figures of points, incidents, and where each leads.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { incidentsIn, lastRun } from "../../console/usage/incidents.js";
import { CONFIGURATION, fakeKv, fakeLedger, signedIn } from "./support/fake-ledger.mjs";
import { EXPIRED, startAnalytics, writeTraffic } from "./support/traffic.mjs";

const now = Math.floor(Date.now() / 1000);
const configuration = {
  ...CONFIGURATION,
  routes: [
    {
      path: "/api/{+path}",
      auth: ["api_key", "corporate"],
      rules: [
        { name: "block-beta", when: { beta: true }, deny: 403 },
        { name: "own", to: "customer" },
      ],
    },
  ],
};

let analytics;
let client;
before(async () => {
  analytics = await startAnalytics();
  writeTraffic(analytics, now);
  const ledger = fakeLedger();
  ledger.put(`key:${EXPIRED}`, {
    subject: "batch",
    claims: { customerId: "wayne" },
    expiresAt: "2026-01-01T00:00:00Z",
  });
  for (const customerId of ["acme", "wayne"])
    ledger.put(`customer:${customerId}`, { customerId, backendUrl: `https://${customerId}.example.com` });
  client = await signedIn({ ledger, kv: fakeKv(), configuration, env: analytics.env });
});
after(() => analytics.stop());

/** The card of a reason on a page, as text without marks. */
function card(text, title) {
  const found = text.match(/<li class="incident[\s\S]*?<\/dl>\s*<\/li>/g)?.find((one) => one.includes(title));
  assert.ok(found, `no card of ${title}`);
  return found;
}
const plain = (markup) => markup.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
const isoIn = (markup) => Date.parse(/<time datetime="([^"]+)"/.exec(markup)[1]) / 1000;

test("one customer's origin dies: the first page says of whom, of which backend and since when, and leads to the customer", async () => {
  const { status, text } = await client.get("/");
  assert.equal(status, 200);
  const own = card(text, "backend_unreachable");
  assert.match(plain(own), /502 backend_unreachable/);
  assert.match(own, /href="\/customer\?id=acme">acme<\/a> <span class="dim">\d+ %/);
  assert.match(own, /<code>https:\/\/acme\.example\.com<\/code>/);
  assert.match(plain(own), /Backend customer/);
  assert.ok(Math.abs(isoIn(own) - (now - 900)) < 120, "a failure of long ago is not when it began");
  const page = await client.get("/customer?id=acme");
  assert.match(plain(card(page.text, "backend_unreachable")), /150 requests/);
  assert.match(page.text, /<strong>Last used<\/strong>/);
});

test("a key expires: whose it is, that nobody vouches for that, and its page", async () => {
  const { text } = await client.get("/");
  const own = card(text, "api_key_expired");
  assert.match(plain(own), /401 api_key_expired/);
  assert.match(plain(own), /Unverified customer wayne 100 % \(as the refused credential says; nobody vouches for it\)/);
  const link = /href="(\/key\/of\?begin=0123456789abcdef)"/.exec(own)[1];
  assert.equal((await client.get(link)).location, `/key?digest=${EXPIRED}`);
  const key = await client.get(`/key?digest=${EXPIRED}`);
  assert.match(plain(card(key.text, "api_key_expired")), /60 requests/);
  assert.match(
    plain((await client.get("/customer?id=wayne")).text),
    /Refused, as callers that say they are this customer/,
  );
});

test("an issuer withdraws a signing key: by which issuer, and since when", async () => {
  const own = card((await client.get("/")).text, "token_key_unknown");
  assert.match(plain(own), /401 token_key_unknown 80 requests, since .* Credential corporate 100 %/);
  assert.ok(Math.abs(isoIn(own) - (now - 600)) < 5);
});

test("a bad rule is deployed: by which rule and configuration, since when, with a link to the rule", async () => {
  const { text } = await client.get("/");
  const own = card(text, "denied_by_rule");
  assert.match(own, /<a href="\/rules#route-1">block-beta<\/a> <span class="dim">100 %/);
  assert.match(plain(own), /Configuration bbbb2222 100 %/);
  assert.ok(Math.abs(isoIn(own) - (now - 300)) < 5);
  const table = text.slice(text.indexOf("By configuration"));
  assert.match(plain(table), /bbbb2222 120 0 0 % 90 75 %/);
});

test("figures are charts with their table behind them, and all that is shown leads on", async () => {
  const { text } = await client.get("/");
  assert.match(text, /<svg [^>]*role="img" aria-labelledby="requests-title requests-text">/);
  for (const [, ids] of text.matchAll(/aria-labelledby="([^"]+)"/g))
    for (const id of ids.split(" ")) assert.ok(text.includes(`id="${id}"`), id);
  assert.doesNotMatch(text, / style="|<style|onclick/);
  assert.match(text, /<summary>Requests in the last hour as a table<\/summary>/);
  assert.match(plain(text), /Requests 2,213/);
  assert.match(text, /href="\/\?span=week"/);
  assert.match(text, /href="\/reasons#api_key_expired"/);
});

test("the rules page has the traffic of the last hour on its arrows", async () => {
  const { text } = await client.get("/rules");
  assert.match(text, /<text [^>]*class="flow"[^>]*>2K<\/text>/);
  assert.match(text, /<text [^>]*class="flow"[^>]*>90<\/text>/);
});

test("the token for the figures is on no page and in no line of the log", async (t) => {
  const log = t.mock.method(console, "log");
  const { METRICS_TOKEN, METRICS_API } = analytics.env;
  const wrong = await signedIn({
    ledger: fakeLedger(),
    configuration: { ...configuration, backends: { own: { url: "${METRICS_TOKEN}" } } },
    env: { METRICS_TOKEN, METRICS_API, CLOUDFLARE_ACCOUNT_ID: "f".repeat(32) },
  });
  for (const path of ["/", "/?span=day", "/rules", "/health", "/nowhere"])
    for (const one of [client, wrong]) assert.ok(!(await one.get(path)).text.includes(METRICS_TOKEN), path);
  for (const { arguments: line } of log.mock.calls) assert.ok(!line.join(" ").includes(METRICS_TOKEN));
});

test("a day and a week are in longer steps, and anything else is the hour", async () => {
  for (const [query, words, bars] of [
    ["?span=day", "in the last day", 49],
    ["?span=week", "in the last week", 57],
    ["?span=__proto__", "in the last hour", 61],
  ]) {
    const { status, text } = await client.get(`/${query}`);
    assert.equal(status, 200);
    assert.match(text, new RegExp(`Requests ${words} as a table`));
    const chart = text.slice(text.indexOf('id="requests-title"'), text.indexOf('id="latency-title"'));
    const steps = chart.match(/<tr><th scope="row">/g).length;
    assert.ok(steps === bars || steps === bars - 1, `${steps} steps ${words}`);
  }
});

test("what was sampled is said to be an estimate, and what was not seen was never said to be unused", async () => {
  const sampled = await startAnalytics({ sampling: 10 });
  sampled.write({ at: now - 100, count: 50, customer: "acme" });
  try {
    const ledger = fakeLedger();
    for (const customerId of ["acme", "idle"])
      ledger.put(`customer:${customerId}`, { customerId, backendUrl: "https://a.example.com" });
    const other = await signedIn({ ledger, configuration, env: sampled.env });
    const { text } = await other.get("/");
    assert.match(plain(text), /Requests 50 /);
    assert.match(text, /These figures are estimates/);
    assert.match(text, /Nothing was refused, and nothing failed in the last hour/);
    const idle = plain((await other.get("/customer?id=idle")).text);
    assert.match(idle, /No use seen since 3 months ago/);
    assert.doesNotMatch(idle, /never used/i);
  } finally {
    await sampled.stop();
  }
});

test("where figures cannot be had, the pages say why and show the rest", async () => {
  const ledger = fakeLedger();
  ledger.put("customer:acme", { customerId: "acme", backendUrl: "https://a.example.com" });
  const bare = await signedIn({ ledger, configuration });
  for (const path of ["/", "/customer?id=acme"]) {
    const { status, text } = await bare.get(path);
    assert.equal(status, 200);
    assert.match(text, /To be set yet: <code>CLOUDFLARE_ACCOUNT_ID<\/code>, <code>METRICS_TOKEN<\/code>/);
  }
  assert.match((await bare.get("/customer?id=acme")).text, /https:\/\/a\.example\.com/);
  const wrong = await signedIn({ ledger, configuration, env: { ...analytics.env, METRICS_TOKEN: "another" } });
  assert.match((await wrong.get("/")).text, /does not take METRICS_TOKEN/);
  let answer;
  const api = createServer((_, response) => response.writeHead(answer.status).end(answer.text));
  await new Promise((resolve) => api.listen(0, "127.0.0.1", resolve));
  const METRICS_API = `http://127.0.0.1:${api.address().port}`;
  const odd = await signedIn({ ledger, configuration, env: { ...analytics.env, METRICS_API } });
  for (const [given, what] of [
    [{ status: 422, text: "unable to find type of column: blob1" }, /holds no point yet/],
    [{ status: 422, text: "Input: unknown table: pointsman" }, /holds no point yet/],
    [{ status: 500, text: "<secret>" }, /answered 500\./],
    [{ status: 200, text: "<secret>" }, /something else than figures/],
    [{ status: 200, text: "[]" }, /something else than figures/],
  ]) {
    answer = given;
    const { status, text } = await odd.get("/");
    assert.equal(status, 200);
    assert.match(text, what);
    assert.doesNotMatch(text, /secret&gt;|another/);
    assert.match(text, /href="\/health"/);
  }
  await new Promise((resolve) => api.close(resolve).closeAllConnections());
  assert.match((await odd.get("/")).text, /The SQL API does not answer/);
});

test("since when is the last run above the noise, with short breaks", () => {
  for (const [series, run] of [
    [
      [1, 0, 0, 0, 0, 40, 50, 0, 60],
      [5, 8],
    ],
    [
      [9, 9, 9],
      [0, 2],
    ],
    [
      [0, 30, 0, 0, 0, 1],
      [1, 1],
    ],
    [
      [0, 30, 0, 0, 0, 30],
      [5, 5],
    ],
  ])
    assert.deepEqual(Object.values(lastRun(series)), run, String(series));
  const fault = { code: 502, reason: "x", requests: 5, first: 60, last: 90, at: 60, customer: "a" };
  const [over] = incidentsIn([fault], { since: 0, until: 600, step: 60 });
  assert.deepEqual([over.isOver, over.isFromBefore, over.since, over.series.length], [true, false, 60, 10]);
  assert.deepEqual(over.about, [{ name: "customer", values: [{ value: "a", requests: 5, share: 1 }], more: 0 }]);
});

test("no text of others can end a text of a question", async () => {
  const evil = "a' OR '1'='1";
  const { status, text } = await client.get(`/customer?${new URLSearchParams({ id: evil })}`);
  assert.equal(status, 404);
  assert.doesNotMatch(text, /Usage/);
  const ledger = fakeLedger();
  ledger.put("customer:o'neill", { customerId: "o'neill", backendUrl: "https://a.example.com" });
  analytics.write({ at: now - 50, count: 7, customer: "o'neill" });
  const other = await signedIn({ ledger, configuration, env: analytics.env });
  assert.match(plain((await other.get("/customer?id=o'neill")).text), /Requests 7 /);
});
