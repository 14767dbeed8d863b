// Who gets into the console, and what guards its answers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CONSOLE_SECRET } from "../../demo/console.mjs";
import { createClient, hiddenOf, openConsole } from "./support/console.mjs";

let own;
before(async () => {
  own = await openConsole();
});
after(() => own?.stop());

const PAGES = [
  "/",
  "/customers",
  "/customers/new",
  "/customer?id=acme-corp",
  "/keys",
  "/keys/new",
  "/audit",
  "/rules",
  "/explain",
  "/health",
  "/nowhere",
];

test("nothing is shown and nothing is done without a session", async () => {
  const client = own.client();
  for (const path of PAGES) {
    const answer = await client.get(path);
    assert.equal(answer.status, 303, path);
    assert.equal(answer.location, "/sign-in");
    assert.doesNotMatch(answer.text, /acme/);
  }
  const { csrf } = hiddenOf((await client.get("/sign-in")).text, "/sign-in");
  for (const path of ["/customers/new", "/customer?id=acme-corp", "/customer/remove?id=acme-corp", "/keys/new"]) {
    assert.equal((await client.post(path, { csrf })).status, 403, path);
  }
  assert.ok(await (await own.kv()).get("customer:acme-corp"));
});

test("the secret opens a session; signing out ends it", async () => {
  const client = own.client();
  const answer = await client.signIn();
  assert.equal(answer.location, "/");
  const cookie = answer.headers.getSetCookie().join();
  for (const part of ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=28800"])
    assert.ok(cookie.includes(part), `${part} in ${cookie}`);
  assert.ok(!cookie.includes(CONSOLE_SECRET));
  const page = await client.get("/customers");
  assert.equal(page.status, 200);
  const out = await client.post("/sign-out", hiddenOf(page.text, "/sign-out"));
  assert.equal(out.location, "/sign-in");
  assert.equal((await client.get("/customers")).status, 303);
  assert.match([...client.cookies.values()].join(), /^out\.[\w-]{24}$/, "a stranger's cookie is not signed");
  assert.match(await own.logged(/console_sign_in/), /session [\w-]{8}"/);
});

test("a changed or made-up cookie is no session", async () => {
  const client = await own.signedIn();
  const [[name, value]] = client.cookies;
  const [kind, until, id, mac] = value.split(".");
  const bad = [
    [kind, Number(until) + 1000, id, mac],
    [kind, until, id.replace(/./, (c) => (c === "A" ? "B" : "A")), mac],
    [kind, until, id, ""],
    ["in", until, id],
    ["", "", "", ""],
  ];
  for (const parts of bad) {
    client.cookies.set(name, parts.join("."));
    assert.equal((await client.get("/customers")).status, 303, parts.join("."));
  }
  // One that is not signed in does not become one by its first letters.
  const stranger = own.client();
  await stranger.get("/sign-in");
  stranger.cookies.set(name, stranger.cookies.get(name).replace(/^out/, "in"));
  assert.equal((await stranger.get("/customers")).status, 303);
});

test("a POST needs the session's token and an origin of ours", async () => {
  const client = await own.signedIn();
  const other = await own.signedIn();
  const values = { customerId: "csrf-corp", backendUrl: "https://csrf.example.com" };
  const { csrf } = hiddenOf((await client.get("/customers/new")).text, "/customers/new");
  const foreign = hiddenOf((await other.get("/customers/new")).text, "/customers/new").csrf;
  assert.notEqual(csrf, foreign);
  for (const [what, given, headers] of [
    ["no token", {}, {}],
    ["a wrong token", { csrf: `${csrf}x` }, {}],
    ["another session's token", { csrf: foreign }, {}],
    ["another origin", { csrf }, { origin: "https://evil.example" }],
    ["the null origin from elsewhere", { csrf }, { origin: "null", "sec-fetch-site": "cross-site" }],
    ["the null origin of who knows where", { csrf }, { origin: "null" }],
    ["the same site, which is not the same origin", { csrf }, { origin: "null", "sec-fetch-site": "same-site" }],
  ]) {
    assert.equal((await client.post("/customers/new", { ...values, ...given }, headers)).status, 403, what);
  }
  const bare = await client.send("/customers/new", {
    method: "POST",
    body: new URLSearchParams({ ...values, csrf }).toString(),
  });
  assert.equal(bare.status, 403, "no origin");
  assert.equal(await (await own.kv()).get("customer:csrf-corp"), null);
  assert.equal(
    (await client.post("/customers/new", { ...values, csrf }, { origin: "null", "sec-fetch-site": "same-origin" }))
      .status,
    303,
  );
  await (await own.kv()).delete("customer:csrf-corp");
});

test("a form beyond all measure is not read", async () => {
  const client = await own.signedIn();
  const { csrf } = hiddenOf((await client.get("/keys/new")).text, "/keys/new");
  assert.equal((await client.post("/keys/new", { csrf, claims: "x".repeat(70_000) })).status, 413);
});

test("other methods are none", async () => {
  const client = await own.signedIn();
  for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS"])
    assert.equal((await client.send("/customers", { method })).status, 405, method);
});

test("every answer carries the guards, whatever it is", async () => {
  const client = await own.signedIn();
  const answers = await Promise.all(
    [
      ...PAGES,
      "/sign-in",
      "/assets/console.css",
      "/assets/comfort.js",
      "/assets/icon.svg",
      "/favicon.ico",
      "/robots.txt",
      "/key?digest=x",
      "/customer?id=none",
    ].map((path) => client.get(path)),
  );
  answers.push(
    await own.client().get("/customers"),
    await client.post("/customers/new", {}),
    await client.send("/", { method: "PUT" }),
  );
  for (const { headers, text } of answers) {
    const policy = headers.get("content-security-policy");
    for (const part of [
      "default-src 'none'",
      "style-src 'self'",
      "script-src 'self'",
      "img-src 'self'",
      "form-action 'self'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ])
      assert.ok(policy.includes(part), part);
    assert.doesNotMatch(policy, /unsafe/);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.equal(headers.get("cache-control"), "no-store");
    assert.match(headers.get("x-robots-tag"), /noindex/);
    assert.doesNotMatch(text, /<script(?! src=)|<style|\sstyle=|\son[a-z]+=|javascript:/i);
    assert.ok(!text.includes(CONSOLE_SECRET));
  }
});

test("a wrong secret is refused and soon slowed down; another caller is not", async () => {
  const wrong = async (address, secret = "not the secret of this console") =>
    createClient(own.origin, { fields: { "cf-connecting-ip": address } }).submit("/sign-in", { secret });
  for (let i = 0; i < 5; i++) {
    const answer = await wrong("192.0.2.1");
    assert.equal(answer.status, 403);
    assert.doesNotMatch(answer.text, /not the secret of this console/, "what was typed is not shown again");
  }
  const slowed = await wrong("192.0.2.1");
  assert.equal(slowed.status, 429);
  assert.match(slowed.headers.get("retry-after"), /^\d+$/);
  assert.equal(
    (await wrong("192.0.2.1", CONSOLE_SECRET)).status,
    429,
    "the right one must wait too, or guessing costs nothing",
  );
  assert.equal((await wrong("192.0.2.2", CONSOLE_SECRET)).status, 303);
  await own.logged(/console_wrong_secret/);
  assert.ok(!(await own.log()).includes("not the secret"));
});

test("over plain http only this machine is served; over https the cookie is bound to the host", async () => {
  const worker = await own.worker();
  const plain = await worker.fetch("http://console.example.com/sign-in");
  assert.equal(plain.status, 403);
  assert.equal(plain.headers.get("set-cookie"), null);
  const safe = await worker.fetch("https://console.example.com/sign-in");
  assert.equal(safe.status, 200);
  assert.match(safe.headers.get("set-cookie"), /^__Host-pointsman-console=.*; Secure/);
  assert.match(safe.headers.get("strict-transport-security"), /^max-age=/);
});

for (const [what, bindings, named] of [
  ["without a secret", { CONSOLE_SECRET: undefined }, /CONSOLE_SECRET/],
  [
    "with a made-up secret",
    { CONSOLE_SECRET: "a passphrase of more than forty characters, made up" },
    /CONSOLE_SECRET/,
  ],
  ["with half of Access", { ACCESS_AUD: "x" }, /ACCESS_TEAM_DOMAIN/],
]) {
  test(`${what} the console stays shut, and its log says what to set`, async () => {
    const shut = await openConsole({ bindings });
    try {
      const answer = await shut.client().get("/sign-in");
      assert.equal(answer.status, 503);
      assert.doesNotMatch(answer.text, named);
      assert.match(await shut.logged(/console_misconfigured/), named);
    } finally {
      await shut.stop();
    }
  });
}
