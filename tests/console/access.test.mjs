// Behind Cloudflare Access: only what the team's keys vouch for gets in, and the secret is asked for all the same.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { createClient, openConsole } from "./support/console.mjs";

const TEAM = "team.cloudflareaccess.com";
const AUDIENCE = "a".repeat(64);

let own;
let keys;
let stranger;
before(async () => {
  [keys, stranger] = await Promise.all([generateKeyPair("RS256"), generateKeyPair("RS256")]);
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: "one", alg: "RS256", use: "sig" };
  own = await openConsole({ bindings: { ACCESS_TEAM_DOMAIN: TEAM, ACCESS_AUD: AUDIENCE } });
  own.world.replace(TEAM, (request, response) => {
    assert.equal(request.url, "/cdn-cgi/access/certs");
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ keys: [jwk] }));
  });
});
after(() => own?.stop());

const now = () => Math.floor(Date.now() / 1000);
const assertion = (claims = {}, { key = keys.privateKey, alg = "RS256", kid = "one" } = {}) =>
  new SignJWT({
    iss: `https://${TEAM}`,
    aud: [AUDIENCE],
    email: "ops@example.com",
    sub: "1",
    iat: now(),
    exp: now() + 600,
    ...claims,
  })
    .setProtectedHeader({ alg, kid })
    .sign(key);
const withAssertion = (text) => createClient(own.origin, { fields: text ? { "cf-access-jwt-assertion": text } : {} });

test("a good assertion is let in to sign in, and the log says who", async () => {
  const client = withAssertion(await assertion());
  assert.equal((await client.get("/customers")).status, 303, "the secret is asked for too");
  await client.signIn();
  const page = await client.get("/customers");
  assert.match(page.text, /ops@example\.com/);
  await client.submit("/customers/new", { customerId: "by-mail", backendUrl: "https://x.example.com" });
  assert.equal(JSON.parse(await own.logged(/"entry":"customer:by-mail"/)).who, "ops@example.com");
});

test("no other assertion is", async () => {
  const [header, , signature] = (await assertion()).split(".");
  const changed = [
    header,
    Buffer.from(JSON.stringify({ iss: `https://${TEAM}`, aud: AUDIENCE, exp: now() + 600, iat: now() })).toString(
      "base64url",
    ),
    signature,
  ].join(".");
  const none = [Buffer.from('{"alg":"none"}').toString("base64url"), changed.split(".")[1], ""].join(".");
  for (const [what, text] of [
    ["none at all", ""],
    ["nonsense", "nonsense"],
    ["another audience", await assertion({ aud: ["b".repeat(64)] })],
    ["another team", await assertion({ iss: "https://other.cloudflareaccess.com" })],
    ["one that is over", await assertion({ exp: now() - 1 })],
    ["one without an end", await assertion({ exp: undefined })],
    ["one that begins later", await assertion({ nbf: now() + 600 })],
    ["a stranger's signature", await assertion({}, { key: stranger.privateKey })],
    ["an unknown key", await assertion({}, { key: stranger.privateKey, kid: "two" })],
    ["a changed one", changed],
    ["an unsigned one", none],
    ["HS256 with nothing secret", await assertion({}, { key: new TextEncoder().encode(AUDIENCE), alg: "HS256" })],
  ]) {
    const answer = await withAssertion(text).get("/sign-in");
    assert.equal(answer.status, 403, what);
    assert.doesNotMatch(answer.text, /<form/, what);
  }
  const log = await own.log();
  assert.match(log, /console_access_refused/);
});

test("a session is of no use without an assertion", async () => {
  const client = withAssertion(await assertion());
  await client.signIn();
  const bare = own.client();
  for (const [name, value] of client.cookies) bare.cookies.set(name, value);
  assert.equal((await bare.get("/customers")).status, 403);
});
