// What operators see of the traffic: figures of points, incidents, and where each leads.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { incidentsIn, lastRun } from "../../console/usage/incidents.js";
import { CONFIGURATION, fakeKv, fakeLedger, signedIn } from "./support/fake-ledger.mjs";
import { EXPIRED, OLD_KEYS, startAnalytics, writeNoise, writeTraffic } from "./support/traffic.mjs";

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
  const found = text.match(/<li class="incident[\s\S]*?<\/dl>[\s\S]*?<\/li>/g)?.find((one) => one.includes(title));
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
  sampled.write({ at: now - 5000, count: 50, customer: "acme", status: 502, reason: "backend_unreachable" });
  try {
    const ledger = fakeLedger();
    for (const customerId of ["acme", "idle"])
      ledger.put(`customer:${customerId}`, { customerId, backendUrl: "https://a.example.com" });
    const other = await signedIn({ ledger, configuration, env: sampled.env });
    const { text } = await other.get("/");
    assert.match(plain(text), /Requests 50 /);
    assert.match(text, /These figures are estimates/);
    assert.match(text, /Nothing was refused, and nothing failed in the last hour/);
    const incident = "/incident?status=502&reason=backend_unreachable&span=day";
    assert.match((await other.get(incident)).text, /50<\/strong> requests[\s\S]*These figures are estimates/);
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

/** A console whose traffic has the four incidents, and more of the same kinds that was always there. */
async function amidNoise(t) {
  const noisy = await startAnalytics();
  t.after(() => noisy.stop());
  writeTraffic(noisy, now);
  writeNoise(noisy, now);
  const ledger = fakeLedger();
  return signedIn({ ledger, kv: fakeKv(), configuration, env: noisy.env });
}

test("a key that expires among many that did long ago is named on the first page, with its own since when", async (t) => {
  const own = card((await (await amidNoise(t)).get("/")).text, "api_key_expired");
  assert.match(plain(own), /requests, since before this span/);
  const news = own.slice(own.indexOf('class="news"'), own.indexOf("</ul>"));
  assert.match(plain(news), /New among them Unverified customer wayne 60 requests, since 30 minutes ago/);
  assert.match(news, /href="\/key\/of\?begin=0123456789abcdef"/);
  assert.ok(Math.abs(isoIn(news) - (now - 1800)) < 5);
  assert.doesNotMatch(news, /old-/);
});

test("an origin that dies while another is gone for long is named on the first page, with its own since when", async (t) => {
  const own = card((await (await amidNoise(t)).get("/")).text, "backend_unreachable");
  const news = own.slice(own.indexOf('class="news"'), own.indexOf("</ul>"));
  assert.match(plain(news), /Customer acme 150 requests, since 15 minutes ago/);
  assert.match(plain(news), /Origin https:\/\/acme\.example\.com 150 requests/);
  assert.doesNotMatch(news, /ghost|globex/);
});

test("what a card has no room for stands on the incident's page: each of them, since when each", async (t) => {
  const noisy = await amidNoise(t);
  const own = card((await noisy.get("/")).text, "api_key_expired");
  const more = /href="([^"]+)#by-claimedCustomer">(\d+) more/.exec(own);
  assert.equal(Number(more[2]), OLD_KEYS + 1 - 3);
  const path = more[1].replaceAll("&amp;", "&");
  const { status, text } = await noisy.get(path);
  assert.equal(status, 200);
  assert.match(text, /<h1>401 api_key_expired<\/h1>/);
  const rows = (page, id) => {
    const table = page.slice(page.indexOf(`id="by-${id}"`));
    return [...table.slice(0, table.indexOf("</table>")).matchAll(/<tr><th scope="row">[\s\S]*?<\/tr>/g)].map(
      ([row]) => row,
    );
  };
  for (const by of ["claimedCustomer", "key"]) assert.equal(rows(text, by).length, OLD_KEYS + 1, by);
  assert.match(plain(rows(text, "claimedCustomer")[0]), /old-11 81 8\.\d % before this span goes on/);
  const [first] = rows((await noisy.get(`${path}&order=since`)).text, "claimedCustomer");
  assert.match(plain(first), /wayne 60 .* 30 minutes ago/);
  assert.doesNotMatch(text, /estimates/);
  const dead = rows((await noisy.get("/incident?status=502&reason=backend_unreachable")).text, "customer");
  assert.deepEqual(
    dead.map((row) => /id=(\w+)"/.exec(row)[1]),
    ["ghost", "acme", "globex"],
  );
  assert.match(plain(dead[2]), /globex 3 .* over/);
});

test("an incident's page of one customer has that customer's requests only, and leads to those of all", async (t) => {
  const noisy = await amidNoise(t);
  const page = (await noisy.get("/customer?id=acme")).text;
  const link = /href="(\/incident\?[^"#]+customer=acme)"/.exec(card(page, "backend_unreachable"))[1];
  const { text } = await noisy.get(link.replaceAll("&amp;", "&"));
  assert.match(plain(text), /Only of Customer acme ?\. Of all/);
  assert.match(plain(card(text, "backend_unreachable")), /150 requests, since 15 minutes ago/);
  assert.doesNotMatch(text, /ghost/);
});

test("a customer of whom there is no record any more has its usage all the same", async (t) => {
  const { status, text } = await (await amidNoise(t)).get("/customer?id=ghost");
  assert.equal(status, 404);
  assert.match(plain(text), /There is no customer ghost .* Requests 400 Errors \(5xx\) 400 /);
  assert.match(plain(card(text, "backend_unreachable")), /400 requests/);
});

test("what a backend answers itself has a page of its own too, apart from other statuses", async (t) => {
  const noisy = await startAnalytics();
  t.after(() => noisy.stop());
  for (const [status, count] of [
    [500, 30],
    [503, 20],
  ])
    noisy.write({ at: now - 200, over: 100, count, customer: `c${status}`, backend: "customer", status });
  const other = await signedIn({ ledger: fakeLedger(), configuration, env: noisy.env });
  const link = /href="(\/incident\?status=503[^"#]*)"/.exec((await other.get("/")).text)[1];
  const { text } = await other.get(link.replaceAll("&amp;", "&"));
  assert.match(text, /<h1>503 the backend’s own answer<\/h1>/);
  assert.match(plain(text), /20 requests, since/);
  assert.doesNotMatch(text, /c500/);
});

test("an address that names no incident is not found, and one that nobody saw says so", async () => {
  for (const query of [
    "",
    "?status=200",
    "?status=502&reason=a'b",
    "?status=4000",
    `?status=401&reason=${"a".repeat(65)}`,
  ])
    assert.equal((await client.get(`/incident${query}`)).status, 404, query);
  const { status, text } = await client.get("/incident?status=418&reason=none_such&span=day");
  assert.equal(status, 200);
  assert.match(text, /No such request was seen in the last day/);
  const bare = await signedIn({ ledger: fakeLedger(), configuration });
  assert.match((await bare.get("/incident?status=401")).text, /To be set yet: <code>CLOUDFLARE_ACCOUNT_ID<\/code>/);
});

test("who is new to an incident began clearly behind it, goes on, and is more than a few requests", () => {
  const span = { since: 0, until: 1200, step: 60 };
  const each = (customer, from, to, requests = 10) =>
    Array.from({ length: (to - from) / 60 }, (_, i) => {
      const at = from + 60 * i;
      return { code: 502, reason: "x", customer, at, first: at, last: at + 50, requests };
    });
  const newcomers = (...faults) => {
    const [{ newcomers }] = incidentsIn([...each("old", 0, 1200), ...faults.flat()], span);
    return newcomers.flatMap(({ values }) => values.map(({ value }) => value));
  };
  assert.deepEqual(newcomers(), []);
  assert.deepEqual(newcomers(each("new", 900, 1200)), ["new"]);
  assert.deepEqual(newcomers(each("soon", 120, 1200)), [], "with the incident itself");
  assert.deepEqual(newcomers(each("over", 300, 600)), [], "over");
  assert.deepEqual(newcomers(each("few", 1080, 1200, 2)), [], "a few requests");
  assert.deepEqual(newcomers(each("often", 0, 600, 30), each("often", 1140, 1200, 40)), [], "as before");
  const begun = incidentsIn(
    [...each("old", 0, 1200), ...each("new", 900, 1140, 40), ...each("new", 1140, 1200, 1)],
    span,
  );
  assert.equal(begun[0].newcomers[0].values[0].requests, 161, "with a step that has only just begun");
});

test("what is new stands before what is more but always there, and what is over comes last", () => {
  const fault = (reason, at, requests) => ({ code: 401, reason, at, first: at, last: at + 50, requests });
  const all = Array.from({ length: 20 }, (_, i) => fault("always", i * 60, 100));
  const found = incidentsIn([...all, fault("past", 300, 900), fault("new", 1080, 20), fault("single", 1080, 1)], {
    since: 0,
    until: 1200,
    step: 60,
  });
  assert.deepEqual(
    found.map(({ reason }) => reason),
    ["new", "always", "single", "past"],
  );
});

test("no text of others can end a text of a question", async () => {
  const evil = "a' OR '1'='1";
  for (const [at, query] of [
    ["/customer", { id: evil }],
    ["/incident", { status: "502", reason: "backend_unreachable", customer: evil }],
    ["/incident", { status: "502", reason: "backend_unreachable", key: "f" }],
  ]) {
    const { text } = await client.get(`${at}?${new URLSearchParams(query)}`);
    assert.match(text, /No (such )?request was seen/, JSON.stringify(query));
  }
  const ledger = fakeLedger();
  ledger.put("customer:o'neill", { customerId: "o'neill", backendUrl: "https://a.example.com" });
  analytics.write({ at: now - 50, count: 7, customer: "o'neill" });
  const other = await signedIn({ ledger, configuration, env: analytics.env });
  assert.match(plain((await other.get("/customer?id=o'neill")).text), /Requests 7 /);
});
