// examples/self-service in a real browser, over the management API of the built Worker.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { selfService } from "../../examples/self-service/server.mjs";
import { BASE, openApi } from "../workerd/support/api.mjs";
import { startChromium } from "./support/chromium.mjs";
import { startPage } from "./support/pages.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const CUSTOMER = "acme-corp";
const ROOT_KEY = `root_${"SelfService".padEnd(24, "x")}`;

let api;
let server;
let browser;
let stranger;
let origin;
const violations = [];

before(async () => {
  [api, browser, stranger] = await Promise.all([openApi(), startChromium(), startPage()]);
  await api.putRoot(ROOT_KEY, { scopes: ["keys.read", "keys.write"], customers: [CUSTOMER], prefixes: ["sk_live"] });
  const elsewhere = { prefix: "sk_live", subject: "other", name: "not Acme's", claims: { customerId: "globex" } };
  assert.equal((await api.call("POST", "/v1/keys", { body: elsewhere })).status, 201);
  server = selfService({ api: `${await api.origin(0)}${BASE}`, rootKeyOf: () => ROOT_KEY });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${server.address().port}`;
});
after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
  await Promise.all([api?.stop(), stranger?.stop()]);
});

async function open({ width = 1280, ...more } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, ...more });
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && violations.push(message.text()));
  await page.goto(origin);
  return page;
}

const shownKey = (page) => page.locator("#key").innerText();
const names = (page) => page.locator("tbody th").allInnerTexts();
async function make(page, name) {
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Make the key" }).click();
  return shownKey(page);
}
async function change(page, row, label) {
  const of = page.locator("tbody tr").nth(row);
  await of.locator("summary", { hasText: label }).click();
  await of.getByRole("button", { name: `${label} this key` }).click();
}

test("a customer makes, rolls and revokes a key, and sees nobody else's", async () => {
  const page = await open();
  assert.equal(await page.getByText("There is no key yet.").count(), 1);
  const key = await make(page, "build server");
  assert.equal((await api.ask(1, key)).status, 200, "it works at once");
  assert.deepEqual(await names(page), ["build server"]);
  await page.reload();
  assert.equal(await shownKey(page), key, "the form that is sent again makes no second key");
  assert.deepEqual(await names(page), ["build server"]);

  await change(page, 0, "Roll");
  const successor = await shownKey(page);
  assert.notEqual(successor, key);
  for (const each of [key, successor]) assert.equal((await api.ask(0, each)).status, 200);
  assert.equal((await names(page)).length, 2);

  while ((await names(page)).length > 0) await change(page, 0, "Revoke");
  assert.equal(await page.getByText("There is no key yet.").count(), 1);
  const { body } = await api.call("GET", "/v1/keys?customer=globex");
  assert.equal(body.keys.length, 1);
});

test("what somebody else has done meanwhile is told", async () => {
  const [one, other] = [await open(), await open()];
  await make(one, "shared");
  await other.reload();
  await change(one, 0, "Revoke");
  await change(other, 0, "Roll");
  assert.match(await other.getByRole("alert").innerText(), /not there any more/);
});

test("a page of somebody else's sends no form, and a wrong form is told what to mend", async () => {
  const page = await (await browser.newContext()).newPage();
  await page.goto(stranger.origin);
  await page.setContent(
    `<form method="post" action="${origin}/keys"><input name="name" value="x"><input name="once" value="1"><button>go</button></form>`,
  );
  await page.getByRole("button").click();
  assert.match(await page.getByRole("alert").innerText(), /from this page/);
  const own = await open();
  await own.getByLabel("Name").evaluate((input) => input.removeAttribute("required"));
  await own.getByRole("button", { name: "Make the key" }).click();
  assert.match(await own.getByRole("alert").innerText(), /Give the key a name/);
  assert.equal((await fetch(`${origin}/elsewhere`, { method: "POST" })).status, 404);
});

test("the page fits a phone, follows the colours that are wished for, and axe-core finds nothing", async () => {
  for (const [width, colorScheme] of [
    [1280, "light"],
    [390, "dark"],
  ]) {
    // axe is put into the page by the browser, past the policy.
    const page = await open({ width, colorScheme, bypassCSP: true });
    await make(page, "a key with a rather long name for a program");
    const overflows = await page.evaluate(
      () => globalThis.document.documentElement.scrollWidth > globalThis.innerWidth,
    );
    assert.ok(!overflows, `at ${width} px the page is wider than the window`);
    if (process.env.POINTSMAN_SCREENSHOTS)
      await page.screenshot({ path: `${process.env.POINTSMAN_SCREENSHOTS}/self-service-${width}.png`, fullPage: true });
    await page.evaluate(AXE);
    const found = await page.evaluate(() => globalThis.axe.run());
    assert.deepEqual(
      found.violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
      [],
    );
  }
  // Answers that are no success are told on the console too.
  assert.deepEqual(
    violations.filter((text) => !/status of (403|404|422)/.test(text)),
    [],
  );
});
