// Rules, Explain and Health: what the configuration and the gateway say, shown whole.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OPERATOR_SECRET } from "../../demo/gateway.mjs";
import { openConsole } from "./support/console.mjs";

const configuration = {
  api_keys: { prefixes: ["sk_live"], header: "x-api-key" },
  operator: { status: "/gateway/status", secret: "${OPERATOR_SECRET}" },
  customers: { source: { url: "${URL}", token: "${CONFIG_API_TOKEN}" } },
  backends: {
    a: { url: "${A_URL}" },
    b: {
      origins: [
        { url: "https://b1.example", region: "eu" },
        { url: "https://b2.example", weight: 2 },
      ],
    },
  },
  conditions: { office: { $ip: ["192.0.2.0/24"] } },
  routes: [
    {
      path: "/one/{+path}",
      auth: ["api_key", "main"],
      rules: [
        { name: "first", when: { plan: "gold" }, to: "a" },
        { name: "own", to: "customer", unlisted: "next" },
      ],
    },
    {
      path: "/two",
      auth: [],
      rules: [
        { name: "away", when: { $not: { $is: "office" } }, deny: 451 },
        {
          name: "shared out",
          split: [
            { to: "a", weight: 1 },
            { to: "b", weight: 3 },
          ],
          by: ["$ip"],
          within: "eu",
        },
      ],
    },
    { path: "/<b>", name: "<i>", auth: [], rules: [{ name: "<u>", when: { "<s>": "<em>" }, to: "a" }] },
  ],
};

const EXPLANATION = {
  explanation: 1,
  request: { method: "PUT", url: "https://api.example.com/one/x", time: "2026-07-30T12:00:00Z" },
  outcome: "forward",
  steps: [
    { step: "route", route: "/one/{+path}", path: "/one/{+path}", methods: ["GET"] },
    { step: "credential", form: "api_key", detail: { prefix: "sk_live", digest: "115b" }, cache: "loaded" },
    { step: "principal", subject: "<b>me</b>", claims: { plan: "silver" } },
    { step: "rule", rule: "first", matched: false, why_not: 'plan is "silver", not "gold"' },
    { step: "customer", id: "acme-corp", cache: "fresh" },
    { step: "rule", rule: "own", matched: true, to: "customer" },
    { step: "of the future", with: { more: ["to", "say"] } },
  ],
  forward: {
    url: "https://acme.example/x",
    timeout_ms: 30000,
    plan: { attempts: [{ url: "https://acme.example/x", timeout_ms: 30000 }] },
    removed: ["x-api-key"],
    set: [["x-subject", "me"]],
  },
  bounds: [{ change: "a revoked API key stops", within: "2m" }],
  of_the_future: "also shown",
};

let own;
let client;
let asked;
let answer;
before(async () => {
  own = await openConsole({
    configuration,
    bindings: { GATEWAY_URL: "https://api.example.com" },
    gateway: async (request) => {
      asked.push({
        method: request.method,
        url: request.url,
        fields: Object.fromEntries(request.headers),
        body: await request.text(),
      });
      return answer();
    },
  });
  client = await own.signedIn();
});
after(() => own?.stop());
const fresh = (given) => {
  asked = [];
  answer = () => (given instanceof Function ? given() : Response.json(given));
};
const explain = (values) => client.submit("/explain", { method: "GET", url: "/one/x", kind: "none", ...values });
const decoded = (text) => JSON.parse(Buffer.from(text, "base64url").toString());

test("the rules are drawn, and said in words", async () => {
  const { text } = await client.get("/rules");
  assert.equal(text.match(/<svg /g).length, 3);
  for (const part of [
    "if the claim plan is “gold”",
    "callers whose customer is not listed go on to the next rule",
    "answer 451, no backend is called",
    "25 %: backend",
    "75 % of the callers",
    "shared out by $ip",
    "only within eu",
    "API key or token of main",
    "no credential needed",
    "${A_URL}",
    "https://b1.example (eu)",
    "https://b2.example (weight 2)",
    "is within “192.0.2.0/24”",
    "the condition office holds",
  ])
    assert.ok(text.includes(part), part);
  assert.doesNotMatch(text, /<b>|<i>|<u>|<s>|<em>|CONFIG_API_TOKEN/);
  for (const [, id] of text.matchAll(/aria-labelledby="([^"]+)"/g)) assert.ok(text.includes(`id="${id}"`), id);
});

test("a request is put to the gateway as it was meant, with the operator's secret", async () => {
  fresh(EXPLANATION);
  const key = "sk_live_never_shown_again";
  const page = await explain({
    method: "PUT",
    url: "/one/x?y=%2F",
    fields: "X-Beta: yes\r\nAccept: text/plain",
    kind: "key",
    secret: key,
    "cf-country": "DE",
    "cf-continent": "EU",
    "cf-region": "BY",
    "cf-colo": "FRA",
    "cf-asn": "13335",
    "cf-bot_score": "12",
    "cf-eu": "yes",
  });
  assert.equal(page.status, 200);
  const [{ method, url, fields, body }] = asked;
  assert.equal(asked.length, 1);
  assert.deepEqual([method, url, body], ["PUT", "https://api.example.com/one/x?y=%2F", ""]);
  assert.equal(fields["x-api-key"], key);
  assert.equal(fields["x-pointsman-explain"], OPERATOR_SECRET);
  assert.equal(fields["x-beta"], "yes");
  assert.deepEqual(decoded(fields["x-pointsman-cf"]), {
    country: "DE",
    continent: "EU",
    regionCode: "BY",
    colo: "FRA",
    asn: 13335,
    botManagement: { score: 12 },
    isEUCountry: "1",
  });
  assert.ok(!page.text.includes(key) && !page.text.includes(OPERATOR_SECRET));
  assert.match(page.text, /value="\/one\/x\?y=%2F"/);

  fresh(EXPLANATION);
  await explain({ kind: "claims", claims: '{"sub":"mé"}', url: "https://other.example/a" });
  assert.deepEqual(decoded(asked[0].fields["x-pointsman-claims"]), { sub: "mé" });
  assert.equal(asked[0].url, "https://other.example/a");
  assert.equal(asked[0].fields["x-pointsman-cf"], undefined);
  fresh(EXPLANATION);
  await explain({ kind: "token", secret: "a.b.c" });
  assert.equal(asked[0].fields.authorization, "Bearer a.b.c");
  assert.ok(!(await own.log()).includes(key));
});

test("the decision is drawn step by step, and nothing that is unknown is lost", async () => {
  fresh(EXPLANATION);
  const { text } = await explain({});
  const at = (part) => {
    const index = text.indexOf(part);
    assert.ok(index > 0, part);
    return index;
  };
  const order = [
    "The route",
    "an API key",
    "The caller is",
    "does not match",
    "The customer",
    "matches",
    "of the future",
    "https://acme.example/x</code></dd>",
    "x-subject",
    "of the future",
    "also shown",
  ].map(at);
  assert.ok(order.slice(0, 7).every((index, i) => i === 0 || index > order[i - 1]));
  assert.match(text, /It would be forwarded/);
  assert.match(text, /&lt;b&gt;me/);
  assert.match(text, /a revoked API key stops/);
  fresh({
    explanation: 1,
    outcome: "answer",
    steps: [],
    answer: {
      status: 403,
      problem: "no-rule-matched",
      reason: "no_rule",
      fields: [["content-type", "application/problem+json"]],
    },
  });
  const refused = (await explain({})).text;
  for (const part of ["would answer it itself", "403", "no-rule-matched", "no_rule", "application/problem+json"])
    assert.ok(refused.includes(part), part);
});

test("an address and a country are told to the gateway, with what the country implies", async () => {
  fresh(EXPLANATION);
  const refused = await explain({ address: "192.0.2.300" });
  assert.equal(refused.status, 422);
  assert.match(refused.text, /href="#address"/);
  assert.equal(asked.length, 0);
  await explain({ address: "2001:db8::7", "cf-country": "de", "cf-eu": "no" });
  await explain({ "cf-country": "DE" });
  assert.deepEqual(
    asked.map(({ fields }) => decoded(fields["x-pointsman-cf"])),
    [
      { country: "DE", continent: "EU", ip: "2001:db8::7" },
      { country: "DE", continent: "EU", isEUCountry: "1" },
    ],
  );
});

test("whatever else the gateway answers is shown plainly", async () => {
  for (const [given, part] of [
    [() => Response.json({ title: "Unauthorized", status: 401 }, { status: 401 }), "401"],
    [() => new Response("<h1>not json</h1>", { status: 502 }), "&lt;h1&gt;not json"],
    [() => Response.json({ explanation: 2, steps: "?" }), "explanation"],
    [
      () =>
        Response.json({
          explanation: 1,
          outcome: "new",
          steps: [null, 7, "x", { step: 3 }, {}],
          forward: { set: "?", removed: null },
          answer: { fields: 1 },
        }),
      "Outcome: new",
    ],
    [() => Response.json([]), "no explanation"],
    [
      () => {
        throw new Error("out of order");
      },
      "gateway",
    ],
  ]) {
    fresh(given);
    const page = await explain({});
    assert.equal(page.status, 200, part);
    assert.ok(page.text.includes(part), part);
  }
});

test("what can be no request is refused before anybody is asked", async () => {
  fresh(EXPLANATION);
  for (const [values, id] of [
    [{ url: "ftp://x" }, "url"],
    [{ url: "https://user:pw@x/" }, "url"],
    [{ method: "CONNECT" }, "method"],
    [{ fields: "no colon" }, "fields"],
    [{ fields: "x: ü" }, "fields"],
    [{ fields: "X-Pointsman-Explain: x" }, "fields"],
    [{ fields: "x-api-key: y", kind: "key", secret: "k" }, "fields"],
    [{ kind: "key" }, "secret"],
    [{ kind: "token", secret: "a b" }, "secret"],
    [{ kind: "claims", claims: "[]" }, "claims"],
    [{ kind: "other" }, "kind"],
    [{ "cf-asn": "AS13335" }, "cf-asn"],
    [{ "cf-bot_score": "low" }, "cf-bot_score"],
    [{ "cf-eu": "maybe" }, "cf-eu"],
  ]) {
    const page = await explain(values);
    assert.equal(page.status, 422, JSON.stringify(values));
    assert.match(page.text, new RegExp(`<li><a href="#${id}">`), JSON.stringify(values));
  }
  assert.deepEqual(asked, []);
});

test("health is asked with the secret; answers that are none are shown as such", async () => {
  fresh(() => Response.json({ title: "no" }, { status: 401 }));
  const { text } = await client.get("/health");
  assert.equal(asked[0].url, "https://api.example.com/gateway/status");
  assert.equal(asked[0].fields.authorization, `Bearer ${OPERATOR_SECRET}`);
  assert.match(text, /answered 401/);
  assert.ok(!text.includes(OPERATOR_SECRET));
});

test("health shows the real gateway's state and says whose view it is", async () => {
  const real = await openConsole();
  try {
    const person = await real.signedIn();
    const { text } = await person.get("/health");
    for (const part of [
      "one isolate’s view",
      "api keys",
      "Config API (list)",
      "customers",
      "a revoked API key stops",
      "main",
    ])
      assert.ok(text.includes(part), part);
  } finally {
    await real.stop();
  }
});

test("without the operator's secret, Explain and Health say what to set and ask nobody", async () => {
  const lacking = await openConsole({
    configuration: { ...configuration, operator: {} },
    bindings: { OPERATOR_SECRET: undefined },
    gateway: () => {
      throw new Error("nobody should be asked");
    },
  });
  try {
    const person = await lacking.signedIn();
    const { text: explainText } = await person.get("/explain");
    const { text: healthText } = await person.get("/health");
    for (const text of [explainText, healthText]) {
      assert.match(text, /OPERATOR_SECRET/);
      assert.match(text, /\[operator\]/);
    }
    assert.doesNotMatch(explainText, /<form method="post" action="\/explain"/);
    const csrf = /name="csrf" value="([^"]*)"/.exec(explainText)[1];
    assert.equal((await person.post("/explain", { csrf, method: "GET", url: "/", kind: "none" })).status, 200);
  } finally {
    await lacking.stop();
  }
});
