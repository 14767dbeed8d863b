// What operators see of the traffic: figures of points, incidents, and where each leads.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { rowsIn } from "../../console/usage/api.js";
import { incidentsIn, lastRun } from "../../console/usage/incidents.js";
import { byDimension, isAskable, overTime } from "../../console/usage/questions.js";
import { CONFIGURATION, fakeKv, fakeLedger, signedIn } from "./support/fake-ledger.mjs";
import { EXPIRED, sqlApi, writeTraffic } from "./support/sql-api.mjs";

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

let api;
let server;
let client;
before(async () => {
  api = sqlApi();
  writeTraffic(api, now);
  server = await api.listen();
  const ledger = fakeLedger();
  ledger.put(`key:${EXPIRED}`, {
    subject: "batch",
    claims: { customerId: "wayne" },
    expiresAt: "2026-01-01T00:00:00Z",
  });
  for (const customerId of ["acme", "wayne"])
    ledger.put(`customer:${customerId}`, { customerId, backendUrl: `https://${customerId}.example.com` });
  client = await signedIn({ ledger, kv: fakeKv(), configuration, env: server.env });
});
after(() => server.stop());

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
  assert.match(plain(own), /401 token_key_unknown 80 requests, since .* Signed in by corporate 100 %/);
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

test("a day and a week are asked in longer steps, and anything else is the hour", async () => {
  for (const [query, step] of [
    ["?span=day", 1800],
    ["?span=week", 10_800],
    ["?span=__proto__", 60],
  ]) {
    api.asked.length = 0;
    assert.equal((await client.get(`/${query}`)).status, 200);
    assert.ok(
      api.asked.some((sql) => sql.includes(`toUInt32(timestamp), ${step}) * ${step}`)),
      query,
    );
  }
});

test("what was sampled is said to be an estimate, and what was not seen was never said to be unused", async () => {
  const own = sqlApi();
  own.write({ at: now - 100, count: 5, sample: 10, customer: "acme" });
  const listening = await own.listen();
  try {
    const ledger = fakeLedger();
    for (const customerId of ["acme", "idle"])
      ledger.put(`customer:${customerId}`, { customerId, backendUrl: "https://a.example.com" });
    const other = await signedIn({ ledger, configuration, env: listening.env });
    const { text } = await other.get("/");
    assert.match(plain(text), /Requests 50 /);
    assert.match(text, /These figures are estimates: the platform kept as few as one of 10 requests/);
    assert.match(text, /Nothing was refused, and nothing failed in the last hour/);
    const idle = plain((await other.get("/customer?id=idle")).text);
    assert.match(idle, /No use seen since 3 months ago/);
    assert.doesNotMatch(idle, /never used/i);
  } finally {
    await listening.stop();
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
  const wrong = await signedIn({ ledger, configuration, env: { ...server.env, METRICS_TOKEN: "another" } });
  for (const [answer, what] of [
    [undefined, /does not take METRICS_TOKEN/],
    [() => ({ status: 422, text: "unable to find type of column: blob1" }), /holds no point yet/],
    [() => ({ status: 500, text: "<secret>" }), /answered 500\./],
    [() => ({ status: 200, text: "<secret>" }), /no JSON/],
    [() => ({ status: 200, text: "[]" }), /something else than rows/],
  ]) {
    api.instead = answer;
    const { status, text } = await wrong.get("/");
    assert.equal(status, 200);
    assert.match(text, what);
    assert.doesNotMatch(text, /secret&gt;|another/);
    assert.match(text, /href="\/health"/);
  }
  api.instead = undefined;
  const nobody = await signedIn({ ledger, configuration, env: { ...server.env, METRICS_API: "http://127.0.0.1:1" } });
  assert.match((await nobody.get("/")).text, /The SQL API does not answer/);
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
  const fault = { status: 502, reason: "x", requests: 5, first: 60, last: 90, at: 60, customer: "a" };
  const [over] = incidentsIn([fault], { since: 0, until: 600, step: 60 });
  assert.deepEqual([over.isOver, over.isFromBefore, over.since, over.series.length], [true, false, 60, 10]);
  assert.deepEqual(over.about, [{ name: "customer", values: [{ value: "a", requests: 5, share: 1 }], more: 0 }]);
});

test("no text of others can end a text of a question", () => {
  const scope = { dataset: "pointsman", since: 0, until: 60 };
  assert.match(overTime({ ...scope, where: { customer: "acme" } }, 60), /AND blob2 = 'acme' AND index1 = 'acme' GROUP/);
  assert.doesNotMatch(byDimension({ ...scope, where: { customer: "a".repeat(97) } }, ["rule"]), /index1/);
  for (const text of ["a' OR '1'='1", "a\\", "a\nb", "a\0"]) {
    assert.ok(!isAskable(text));
    assert.throws(() => overTime({ ...scope, where: { customer: text } }, 60), RangeError);
  }
  assert.throws(() => overTime({ ...scope, dataset: "a; DROP" }, 60), RangeError);
});

test("numbers of 64 bits come as text, and are numbers here", () => {
  const meta = [
    { name: "n", type: "UInt64" },
    { name: "t", type: "String" },
  ];
  assert.deepEqual(rowsIn({ meta, data: [{ n: "12", t: "12" }] }), [{ n: 12, t: "12" }]);
});
