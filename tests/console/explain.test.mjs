// Explain, with the gateway's own explanations.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OPERATOR_SECRET } from "../../demo/gateway.mjs";
import { demoKey } from "../../demo/seed.mjs";
import { openConsole } from "./support/console.mjs";

let own;
let client;
before(async () => {
  own = await openConsole();
  client = await own.signedIn();
});
after(() => own.stop());

const explain = (values) => client.submit("/explain", { method: "GET", fields: "", kind: "none", ...values });
const shows = (page, parts) => {
  assert.equal(page.status, 200);
  for (const part of parts) assert.ok(page.text.includes(part), `${part} is not in\n${page.text}`);
};

test("a key is led to its customer's backend, and no backend hears of it", async () => {
  const page = await explain({
    url: "/customers/orders?x=1",
    kind: "key",
    secret: demoKey("acme"),
    fields: "X-Forwarded-For: 10.0.0.1",
  });
  shows(page, [
    "It would be forwarded",
    "https://acme.tenants.example.com/orders?x=1",
    "an API key",
    "acme-corp",
    "x-customer-id",
    "x-forwarded-for",
    "a revoked API key stops",
  ]);
  for (const secret of [demoKey("acme"), OPERATOR_SECRET]) assert.ok(!page.text.includes(secret));
  assert.deepEqual(
    own.world.requests.filter(({ backend }) => backend),
    [],
  );
});

test("claims stand in for a credential, and rules say why they do not match", async () => {
  const page = await explain({ url: "/environment/x", kind: "claims", claims: '{"environment":"production"}' });
  shows(page, [
    "claims given by the operator",
    "does not match",
    "must be &quot;sandbox&quot;",
    "production.backends.example.com",
  ]);
});

test("a refusal is told with its reason", async () => {
  const page = await explain({ url: "/environment/x", kind: "key", secret: "sk_live_made_up" });
  shows(page, ["would answer it itself", "401", "api_key_checksum"]);
});

test("attempts stand in their order", async () => {
  const page = await explain({ method: "POST", url: "/resilient/x", kind: "claims", claims: "{}", country: "DE" });
  const [first, second] = ["https://production.backends.example.com", "https://multi-tenant"].map((part) =>
    page.text.indexOf(part),
  );
  shows(page, ["Attempts, in order"]);
  assert.ok(first > 0 && (second < 0 || second > first));
});

test("what comes of a request stands first, with a reason that leads to what it means", async () => {
  const refused = await explain({ url: "/environment/x", kind: "key", secret: "sk_live_made_up" });
  assert.match(
    refused.text,
    /role="status"><strong>401<\/strong>: <a href="\/reasons#api_key_checksum"><code>api_key_checksum<\/code><\/a>/,
  );
  assert.ok(refused.text.indexOf('role="status"') < refused.text.indexOf("Step by step"));
  shows(await client.get("/reasons"), ['id="api_key_checksum"', "mistyped, cut off or made up"]);
  const sent = await explain({ url: "/environment/x", kind: "claims", claims: '{"environment":"production"}' });
  assert.match(sent.text, /It would be forwarded<\/strong> to the backend <strong>production<\/strong> by the rule/);
});
