// A URL of a source may hold a secret, in its query. What the runtime says of a call that failed quotes the URL; what the log
// says does not.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { demoKey } from "../../demo/seed.mjs";
import { token } from "./support/fixed-world.mjs";
import { bearer, openGateway } from "./support/gateway.mjs";

const SECRET = "QUERYSECRET";
// A host that the configuration takes and fetch does not.
const PLACE = "https://xn--a.example/list";
const NO_URL = `${PLACE}?token=${SECRET}`;

const configuration = (url) => `
[api_keys]
prefixes = ["sk_live", "sk_test"]

[[issuers]]
name = "main"
issuer = "https://id.example.com/"
audience = "https://api.example.com"
jwks_url = "${url}"
algorithms = ["ES256"]

[customers]
source = { url = "${url}", timeout = "500ms" }

[[routes]]
path = "/{+path}"
auth = ["api_key", "main"]
rules = [{ name = "customer", to = "customer" }]
`;

let gateway;
before(async () => {
  gateway = await openGateway({ toml: configuration(NO_URL) });
});
after(() => gateway?.stop());

for (const [what, url, handler] of [
  ["that cannot be called", NO_URL, () => {}],
  [
    "whose host breaks the connection off",
    `https://config.example.com/?token=${SECRET}`,
    (request) => request.socket.destroy(),
  ],
  ["that hangs", `https://config.example.com/hang?token=${SECRET}`, () => {}],
  [
    "that redirects",
    `https://config.example.com/?token=${SECRET}`,
    (request, response) => response.writeHead(302, { location: NO_URL }).end(),
  ],
]) {
  test(`a source ${what} leaves nothing of its URL in a log line or an answer`, async () => {
    await gateway.restart({ toml: configuration(url) });
    gateway.world.replace("config.example.com", handler);
    gateway.log.clear();
    // Nobody of whom KV has a record.
    const answers = [
      await gateway.send({ target: "/x", headers: [bearer(demoKey("unlisted"))] }),
      await gateway.send({ target: "/x", headers: [bearer(token("customer-acme"))] }),
    ];
    for (const answer of answers) {
      assert.equal(answer.status, 503, answer.text());
      assert.ok(!answer.text().includes(SECRET));
    }
    const [source, keySet] = [
      await gateway.log.event("customer_source_failed"),
      await gateway.log.event("key_set_failed"),
    ];
    if (url === NO_URL)
      assert.deepEqual(
        [source.message, keySet.message],
        [`${PLACE}: the URL cannot be called`, `main: ${PLACE}: the URL cannot be called`],
      );
    assert.ok(!gateway.log.texts.join("\n").includes(SECRET), gateway.log.texts.join("\n"));
  });
}
