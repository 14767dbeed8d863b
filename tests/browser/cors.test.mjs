// What scripts in a browser may do through the gateway: the policy decides, and the browser enforces it.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { demoKey } from "../../demo/seed.mjs";
import { openGateway } from "../workerd/support/gateway.mjs";
import { startChromium } from "./support/chromium.mjs";
import { startPage } from "./support/pages.mjs";

const SHARED = "shared.backends.example.com";

const toml = (origin) => `
[api_keys]
prefixes = ["sk_live", "sk_test"]

[backends.shared]
url = "\${SHARED_BACKEND_URL}"

[cors.app]
origins = ["${origin}"]
headers = ["authorization", "x-custom", "content-type"]
expose = ["x-total"]

[[routes]]
path = "/app/{+path}"
methods = ["GET", "PUT"]
auth = ["api_key"]
cors = "app"
rewrite = "/{+path}"
rules = [{ name = "all", to = "shared" }]

[[routes]]
path = "/any/{+path}"
methods = ["GET", "PUT", "DELETE"]
auth = []
cors = "anything-goes"
rewrite = "/{+path}"
rules = [{ name = "all", to = "shared" }]

[[routes]]
path = "/none/{+path}"
auth = ["api_key"]
rewrite = "/{+path}"
rules = [{ name = "all", to = "shared" }]
`;

let gateway;
let browser;
let listed;
let stranger;
before(async () => {
  [listed, stranger, browser] = await Promise.all([startPage(), startPage(), startChromium()]);
  gateway = await openGateway({ toml: toml(listed.origin) });
});
after(async () => {
  await browser?.close();
  await Promise.all([gateway?.stop(), listed?.stop(), stranger?.stop()]);
});
beforeEach(() => {
  gateway.world.mend();
  gateway.world.clear();
  // A backend with CORS fields of its own, which must not count.
  gateway.world.replace(SHARED, async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    response.writeHead(200, {
      "x-total": "42",
      "x-private": "secret",
      "access-control-allow-origin": "*",
      "set-cookie": "session=1; SameSite=None",
    });
    response.end(JSON.stringify({ method: request.method, body, cookie: request.headers.cookie }));
  });
});

/** Runs `fetch` in a page of that origin and gives what its script can see. */
async function fetchIn(origin, target, init = {}) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(origin);
    return await page.evaluate(
      async ([url, options]) => {
        try {
          const answer = await fetch(url, options);
          return { status: answer.status, fields: Object.fromEntries(answer.headers), text: await answer.text() };
        } catch (error) {
          return { refused: `${error.name}: ${error.message}` };
        }
      },
      [`http://127.0.0.1:${gateway.port}${target}`, init],
    );
  } finally {
    await context.close();
  }
}

const put = () => ({
  method: "PUT",
  headers: { authorization: `Bearer ${demoKey("acme")}`, "x-custom": "1" },
  body: "hello",
});
const methods = () => gateway.called().map(({ method }) => method);

test("a listed origin sends what needs a preflight and reads the answer and its exposed field", async () => {
  const seen = await fetchIn(listed.origin, "/app/x", put());
  assert.equal(seen.refused, undefined);
  assert.equal(seen.status, 200);
  assert.deepEqual(JSON.parse(seen.text), { method: "PUT", body: "hello" });
  assert.equal(seen.fields["x-total"], "42");
  assert.equal(seen.fields["x-private"], undefined, "a field that the policy does not expose");
  assert.deepEqual(methods(), ["PUT"], "the preflight is not the backend's business");
});

test("another origin is refused before the backend hears of it", async () => {
  const seen = await fetchIn(stranger.origin, "/app/x", put());
  assert.match(seen.refused ?? "", /^TypeError/);
  assert.deepEqual(methods(), []);
});

test("another origin cannot read what needed no preflight", async () => {
  const seen = await fetchIn(stranger.origin, "/app/x");
  assert.match(seen.refused ?? "", /^TypeError/);
});

test("a request field or a method that the policy does not list is refused by the browser", async () => {
  const field = await fetchIn(listed.origin, "/app/x", { ...put(), headers: { ...put().headers, "x-unlisted": "1" } });
  assert.match(field.refused ?? "", /^TypeError/);
  const method = await fetchIn(listed.origin, "/app/x", { ...put(), method: "DELETE" });
  assert.match(method.refused ?? "", /^TypeError/);
  assert.deepEqual(methods(), []);
});

test("a listed origin can read why it is refused", async () => {
  const seen = await fetchIn(listed.origin, "/app/x", { headers: { authorization: "Bearer nonsense" } });
  assert.equal(seen.status, 401);
  assert.match(JSON.parse(seen.text).type, /:credential-invalid$/);
});

test("a listed origin can read that the backend is down", async () => {
  gateway.world.fault("backend-refuses");
  const seen = await fetchIn(listed.origin, "/app/x", put());
  assert.equal(seen.status, 502);
  assert.match(JSON.parse(seen.text).type, /:backend-unreachable$/);
});

test("a policy without credentials: a fetch that includes them is refused", async () => {
  const seen = await fetchIn(listed.origin, "/app/x", { ...put(), credentials: "include" });
  assert.match(seen.refused ?? "", /^TypeError/);
  assert.deepEqual(methods(), []);
});

test("a route without a policy is nobody's but its own origin's", async () => {
  const seen = await fetchIn(listed.origin, "/none/x", put());
  assert.match(seen.refused ?? "", /^TypeError/);
  assert.deepEqual(methods(), []);
});

test("anything goes: any origin, any field, with credentials", async () => {
  for (const { origin } of [listed, stranger]) {
    gateway.world.clear();
    const init = {
      method: "DELETE",
      headers: { authorization: "Bearer whatever", "x-of-any-name": "1" },
      credentials: "include",
    };
    const seen = await fetchIn(origin, "/any/x", init);
    assert.equal(seen.refused, undefined);
    assert.equal(seen.status, 200);
    assert.equal(JSON.parse(seen.text).method, "DELETE");
    assert.deepEqual(methods(), ["DELETE"]);
  }
});

test("anything goes: cookies travel with a fetch that includes them", async () => {
  const context = await browser.newContext();
  try {
    await context.addCookies([{ name: "session", value: "7", url: `http://127.0.0.1:${gateway.port}` }]);
    const page = await context.newPage();
    await page.goto(stranger.origin);
    const text = await page.evaluate(
      async (url) => (await fetch(url, { credentials: "include" })).text(),
      `http://127.0.0.1:${gateway.port}/any/x`,
    );
    assert.equal(JSON.parse(text).cookie, "session=7");
  } finally {
    await context.close();
  }
});

test("anything goes: a sandboxed frame, whose origin is null, may read too", async () => {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(stranger.origin);
    const text = await page.evaluate(
      (url) =>
        new Promise((resolve) => {
          addEventListener("message", ({ data }) => resolve(data), { once: true });
          const frame = document.createElement("iframe");
          frame.sandbox = "allow-scripts";
          frame.srcdoc = `<script>fetch(${JSON.stringify(url)}).then((answer) => answer.text(), String).then((text) => parent.postMessage(text, "*"))</script>`;
          document.body.append(frame);
        }),
      `http://127.0.0.1:${gateway.port}/any/x`,
    );
    assert.equal(JSON.parse(text).method, "GET");
    assert.deepEqual(
      gateway.called()[0].headers.find(([name]) => name.toLowerCase() === "origin"),
      ["Origin", "null"],
    );
  } finally {
    await context.close();
  }
});
