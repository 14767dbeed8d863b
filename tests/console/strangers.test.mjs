// What the console gives to those who have not shown its secret says nothing of the secret: it is the same for any.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createConsole } from "../../console/app.js";
import { isOperatorSecret } from "../../console/core.js";
import { CONSOLE_SECRET } from "../../demo/console.mjs";
import { OPERATOR_SECRET } from "../../demo/gateway.mjs";
import { checksum } from "../../demo/keys.mjs";
import { hiddenOf } from "./support/console.mjs";
import "./support/core.mjs";

const ORIGIN = "https://console.example.com";
const COOKIE = "__Host-pointsman-console";
const OTHER = "pso_OtherDemoSecretIsPublicNotForProduction0000_11fHuw";
const empty = { list: async () => ({ keys: [], list_complete: true }), get: async () => null };
const app = createConsole({ configuration: { routes: [] }, assets: [] });

let asked = 0;
/** Asks a console of that secret, as a browser that has that cookie; each time from another address, so that nobody waits. */
async function ask(secret, path, { cookie, values, method = values ? "POST" : "GET", headers = {} } = {}) {
  const body = values && new URLSearchParams(values).toString();
  const fields = {
    "cf-connecting-ip": `192.0.2.${asked++}`,
    ...(cookie && { cookie: `${COOKIE}=${cookie}` }),
    ...(body && { origin: ORIGIN, "content-length": String(body.length) }),
    ...headers,
  };
  const env = { CONSOLE_SECRET: secret, POINTSMAN_KV: empty, GATEWAY: {} };
  const answer = await app.fetch(new Request(`${ORIGIN}${path}`, { method, headers: fields, body }), env);
  const [, own] = /__Host-pointsman-console=([^;]*)/.exec(answer.headers.get("set-cookie") ?? "") ?? [];
  return { status: answer.status, headers: answer.headers, cookie: own, text: await answer.text() };
}

const signIn = async (secret) => {
  const { cookie, text } = await ask(secret, "/sign-in");
  return ask(secret, "/sign-in", { cookie, values: { ...hiddenOf(text, "/sign-in"), secret } });
};

test("only what pointsman made is a secret", () => {
  // The same secret, of the same random bytes, stands in crates/pointsman-core/src/identity/operator_secret.rs.
  const minted = "pso_02468ACEGIKMOQSUWYacegikmoqsuwy02468ACEGIKM_0JlQ4k";
  for (const good of [minted, OTHER, CONSOLE_SECRET, OPERATOR_SECRET]) assert.ok(isOperatorSecret(good), good);
  const digits = "0".repeat(43);
  const keyOf = (prefix, middle) => `${prefix}_${middle}_${checksum(`${prefix}_${middle}`)}`;
  for (const bad of [
    "",
    "correct horse battery staple",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    minted.slice(0, -1),
    `${minted}0`,
    `${minted}\n`,
    ` ${minted}`,
    minted.toLowerCase(),
    minted.replace("024", "025"),
    keyOf("pso", "0".repeat(42)),
    keyOf("pso", "0".repeat(44)),
    keyOf("sk_live", digits),
    `pso_${digits}_${checksum(digits)}`,
  ]) {
    assert.ok(!isOperatorSecret(bad), bad);
  }
});

test("whatever a stranger is given by one console, another of another secret takes", async () => {
  for (const [here, there] of [
    [CONSOLE_SECRET, OTHER],
    [OTHER, CONSOLE_SECRET],
  ]) {
    const { cookie, text } = await ask(here, "/sign-in");
    const hidden = hiddenOf(text, "/sign-in");
    assert.equal((await ask(there, "/sign-in", { cookie, values: { ...hidden, secret: there } })).status, 303);
    assert.equal((await ask(there, "/sign-in", { cookie })).cookie, undefined, "the cookie is kept");
  }
});

test("strangers of two consoles get the same answers, but for what chance made", async () => {
  const chance = /(?<=out\.|value=\\")[\w-]{24}(?![\w-])/g;
  const known = await ask(CONSOLE_SECRET, "/sign-in");
  const forms = [
    {},
    { csrf: "x" },
    { csrf: known.cookie.slice(4) },
    { csrf: known.cookie.slice(4), secret: "wrong" },
    { csrf: known.cookie.slice(4), secret: "pso_02468ACEGIKMOQSUWYacegikmoqsuwy02468ACEGIKM_0JlQ4k" },
  ];
  const requests = [
    ...["/", "/sign-in", "/customers", "/keys/new", "/nowhere", "/robots.txt", "/favicon.ico"].map((path) => [path]),
    ...[
      undefined,
      known.cookie,
      "out.x",
      "in.9999999999999.AAAA.AAAA",
      "in.9999999999999.AAAA",
      "junk",
      "out.9999999999999.AAAA.AAAA",
    ].map((cookie) => ["/customers", { cookie }]),
    ...forms.map((values) => ["/sign-in", { values, cookie: known.cookie }]),
    ["/sign-out", { values: forms[2], cookie: known.cookie }],
    ["/customers/new", { values: forms[2], cookie: known.cookie }],
    ["/customers", { method: "PUT" }],
    ["/customers", { method: "HEAD" }],
  ];
  for (const [path, more] of requests) {
    const seen = [];
    for (const secret of [CONSOLE_SECRET, OTHER]) {
      const { status, headers, text } = await ask(secret, path, more);
      const all = JSON.stringify([status, [...headers], text]);
      assert.ok(!all.includes("pso_") && (headers.get("etag") ?? "") === "", path);
      seen.push(all.replace(chance, "(chance)"));
    }
    assert.equal(seen[0], seen[1], `${path} ${JSON.stringify(more)}`);
  }
});

test("a stranger's form must send what its cookie holds", async () => {
  const [one, other] = [await ask(CONSOLE_SECRET, "/sign-in"), await ask(CONSOLE_SECRET, "/sign-in")];
  assert.notEqual(one.cookie, other.cookie);
  const secret = CONSOLE_SECRET;
  const { csrf } = hiddenOf(one.text, "/sign-in");
  for (const [cookie, values] of [
    [undefined, { csrf, secret }],
    [other.cookie, { csrf, secret }],
    [one.cookie, { secret }],
    [one.cookie, { csrf: "", secret }],
    ["out.", { csrf: "", secret }],
    ["out.short", { csrf: "short", secret }],
  ]) {
    assert.equal(
      (await ask(secret, "/sign-in", { cookie, values })).status,
      403,
      `${cookie} ${JSON.stringify(values)}`,
    );
  }
  // Nothing of a cookie gets into a page that the console did not make itself.
  const { text } = await ask(secret, "/sign-in", { cookie: 'out."><b>aaaaaaaaaaaaaaaaaaa' });
  assert.doesNotMatch(text, /<b>/);
});

test("a session counts with the secret that it was begun with", async () => {
  const { cookie, status } = await signIn(CONSOLE_SECRET);
  assert.equal(status, 303);
  assert.match(cookie, /^in\.\d+\.[\w-]{24}\.[\w-]{43}$/);
  const at = (secret) => ask(secret, "/rules", { cookie });
  assert.equal((await at(CONSOLE_SECRET)).status, 200);
  assert.equal((await at(OTHER)).status, 303, "a new secret ends it");
  const [kind, until, id, mac] = cookie.split(".");
  for (const bad of [`out.${id}`, `out.${until}.${id}.${mac}`, `${cookie}.`, `${cookie}.x`, `${kind}.${until}.${id}`]) {
    assert.equal((await ask(CONSOLE_SECRET, "/rules", { cookie: bad })).status, 303, bad);
  }
});

for (const [what, bindings, named] of [
  [
    "a word",
    { CONSOLE_SECRET: "correct horse battery staple of fifty characters!!" },
    /CONSOLE_SECRET.*pointsman secret create/,
  ],
  [
    "a mistyped secret",
    { CONSOLE_SECRET: CONSOLE_SECRET.replace("Demo", "demo") },
    /CONSOLE_SECRET.*pointsman secret create/,
  ],
  [
    "a made-up secret of the gateway's",
    { OPERATOR_SECRET: "gateway-operator-secret-with-40-characters" },
    /OPERATOR_SECRET.*pointsman secret create/,
  ],
]) {
  test(`${what} keeps the console shut`, async (context) => {
    const said = [];
    context.mock.method(console, "log", (line) => said.push(line));
    const env = { CONSOLE_SECRET, POINTSMAN_KV: empty, GATEWAY: {}, ...bindings };
    const answer = await app.fetch(new Request(`${ORIGIN}/sign-in`), env);
    assert.equal(answer.status, 503);
    assert.equal(answer.headers.get("set-cookie"), null);
    assert.match(said.join("\n"), named);
    const [value] = Object.values(bindings);
    assert.ok(!said.join("\n").includes(value) && !(await answer.text()).includes(value));
  });
}
