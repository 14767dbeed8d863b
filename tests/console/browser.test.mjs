// The console in a real browser: its policy holds, the keyboard is enough, scripts are not needed, and axe-core finds
// nothing that stands in the way of those who cannot see the page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { CONSOLE_SECRET } from "../../demo/console.mjs";
import { startChromium } from "../browser/support/chromium.mjs";
import { openConsole, withLedger } from "./support/console.mjs";
import { EXPIRED, startAnalytics, writeTraffic } from "./support/traffic.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const KEY = /^sk_(?:live|test)_[0-9A-Za-z]{24}_[0-9A-Za-z]{6}$/;

const explanation = {
  explanation: 1,
  request: { method: "GET", url: "https://api.example.com/x", time: "2026-07-30T12:00:00Z" },
  outcome: "answer",
  steps: [
    { step: "route", route: "/x" },
    { step: "rule", rule: "a", matched: false, why_not: "plan is not gold" },
    { step: "novel", list: [1, { two: null }] },
  ],
  answer: {
    status: 403,
    problem: "no-rule",
    reason: "no_rule",
    fields: [["content-type", "application/problem+json"]],
  },
  bounds: [{ id: "api_key_revoked", within_ms: 120_000, while_down_ms: 3_600_000 }],
};

let own;
let explained;
let ledgered;
let trafficked;
let analytics;
let browser;
before(async () => {
  analytics = await startAnalytics();
  writeTraffic(analytics, Math.floor(Date.now() / 1000));
  [own, explained, ledgered, trafficked, browser] = await Promise.all([
    openConsole(),
    openConsole({ gateway: () => Response.json(explanation) }),
    openConsole({ configuration: withLedger }),
    openConsole({ bindings: analytics.env, outbound: analytics.address }),
    startChromium(),
  ]);
  const kv = await own.kv();
  await kv.put(
    "customer:api-corp",
    JSON.stringify({ customerId: "api-corp", backendUrl: "https://a.example", fetchedAt: "2026-07-30T12:00:00Z" }),
  );
  await kv.put("customer:broken-corp", '{"customerId":"broken-corp","backendURL":"x"}');
});
after(async () => {
  await browser?.close();
  await Promise.all([own?.stop(), explained?.stop(), ledgered?.stop(), trafficked?.stop()]);
  await analytics?.stop();
});

/** A page of a context of its own, and what the browser complains of meanwhile. */
async function open(context = {}, at = own) {
  const opened = await browser.newContext(context);
  const page = await opened.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on(
    "console",
    (message) => /Content Security Policy|Refused to/i.test(message.text()) && complaints.push(message.text()),
  );
  return {
    page,
    complaints,
    origin: at.origin,
    go: (path) => page.goto(`${at.origin}${path}`),
    close: () => opened.close(),
  };
}

async function signIn(tab) {
  const { page } = tab;
  await tab.go("/sign-in");
  await page.fill("#secret", CONSOLE_SECRET);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${tab.origin}/`);
}

/** Presses Tab until what has the focus is called so. */
async function tabTo(page, name) {
  const seen = [];
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      return (element.labels?.[0]?.innerText ?? element.innerText ?? "").trim();
    });
    if (focused.startsWith(name)) return;
    seen.push(focused);
  }
  assert.fail(`Tab never came to ${name}: ${seen.join(" | ")}`);
}

test("with the keyboard alone: sign in, make a key, sign out", async () => {
  const tab = await open();
  const { page } = tab;
  await tab.go("/");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.innerText), "Skip to the content");
  await tabTo(page, "Sign-in secret");
  await page.keyboard.type(CONSOLE_SECRET);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${own.origin}/`);
  await tabTo(page, "Keys");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/keys$/);
  assert.equal(await page.locator('nav [aria-current="page"]').innerText(), "Keys");
  await tabTo(page, "New key");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/keys\/new$/);

  // First with a fault: the summary has the focus, and its link leads to the field.
  await tabTo(page, "Create key");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".summary:focus");
  assert.match(await page.title(), /^Error: /);
  await tabTo(page, "Subject must not be empty");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "subject");
  await page.keyboard.type("by keyboard");
  await tabTo(page, "Ends");
  // Month, day, year of six digits, hour, minute, second, and whether before noon: as the field of an American browser has them.
  await page.keyboard.type("0101002099120000AM");
  await tabTo(page, "Create key");
  await page.keyboard.press("Enter");
  const shown = page.locator("#key");
  await shown.waitFor();
  assert.match(await shown.innerText(), KEY);
  assert.ok(!page.url().includes("sk_"));
  await tab.go("/keys?by=subject&text=by+keyboard");
  assert.match(await page.locator("tbody tr").innerText(), /2099-01-01 00:00:00 UTC/);
  await tabTo(page, "Sign out");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/sign-in$/);
  assert.deepEqual(tab.complaints, []);
  await tab.close();
});

test("without scripts everything works, and the page of a key is not there again by going back", async () => {
  const tab = await open({ javaScriptEnabled: false });
  await signIn(tab);
  const { page } = tab;
  await tab.go("/keys/new");
  await page.fill("#subject", "without scripts");
  await page.getByRole("button", { name: "Create key" }).click();
  const key = await page.locator("#key").innerText();
  assert.match(key, KEY);
  assert.equal(await page.getByRole("button", { name: "Copy" }).isVisible(), false);
  await page.getByRole("link", { name: "Its record" }).click();
  await page.waitForURL(/\/key\?digest=/);
  assert.match(await page.content(), /without scripts/);
  await page.goBack().catch(() => {});
  // The browser keeps no copy of that page, and asks before it sends the form again.
  await page.waitForURL(/^chrome-error:/);
  await page.goto("about:blank");
  await tab.go("/keys?by=subject&text=without+scripts");
  assert.equal(await page.locator("tbody tr").count(), 1, "going back makes no second key");
  await page.locator("tbody a").click();
  await page.getByRole("button", { name: "Disable" }).click();
  await page.waitForURL(/done=disabled/);
  await tab.go("/keys?by=subject&text=without+scripts");
  assert.equal(await page.locator("tbody tr").count(), 1);
  assert.ok(!(await page.content()).includes(key));
  await tab.go("/customers/new");
  await page.fill("#customerId", "scriptless");
  await page.fill("#backendUrl", "https://x.example.com");
  await page.getByRole("button", { name: "Create customer" }).click();
  await page.waitForURL(/\/customer\?id=scriptless/);
  await page.getByRole("link", { name: "Remove …" }).click();
  await page.getByRole("button", { name: "Remove scriptless" }).click();
  await page.waitForURL(/done=removed/);
  await tab.close();
});

test("the copy button copies the key", async () => {
  const tab = await open({ permissions: ["clipboard-read", "clipboard-write"] });
  await signIn(tab);
  const { page } = tab;
  await tab.go("/keys/new");
  await page.fill("#subject", "copied");
  await page.getByRole("button", { name: "Create key" }).click();
  await page.getByRole("button", { name: "Copy" }).click();
  await page.getByText("Copied.").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.locator("#key").innerText());
  assert.deepEqual(tab.complaints, []);
  await tab.close();
});

test("a page elsewhere can neither frame the console nor act by its session", async () => {
  const tab = await open();
  await signIn(tab);
  const { page } = tab;
  const { createServer } = await import("node:http");
  const evil = createServer((request, response) =>
    response
      .writeHead(200, { "content-type": "text/html" })
      .end(`<!doctype html><title>evil</title><iframe src="${own.origin}/customers"></iframe>
      <form method="post" action="${own.origin}/customers/new"><input name="customerId" value="forged"><input name="backendUrl" value="https://evil.example"><button>go</button></form>`),
  );
  await new Promise((resolve) => evil.listen(0, "127.0.0.1", resolve));
  // Another host, so that it is another site.
  await page.goto(`http://localhost:${evil.address().port}/`);
  await page.waitForLoadState("networkidle");
  const framed = page.frames().find((frame) => frame !== page.mainFrame());
  assert.doesNotMatch((await framed?.content().catch(() => "")) ?? "", /acme-corp/);
  await page.getByRole("button", { name: "go" }).click();
  await page.waitForURL(`${own.origin}/customers/new`);
  assert.equal(await (await own.kv()).get("customer:forged"), null);
  evil.closeAllConnections();
  await new Promise((resolve) => evil.close(resolve));
  await tab.close();
});

const VIEWS = [
  ["light", { viewport: { width: 1100, height: 800 }, colorScheme: "light" }],
  ["dark and narrow", { viewport: { width: 360, height: 740 }, colorScheme: "dark" }],
];

async function examine(page, where) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }),
  );
  const told = violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}\n${nodes.map(({ html, failureSummary }) => `    ${html}\n    ${failureSummary}`).join("\n")}`,
  );
  assert.deepEqual(told, [], where);
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(beyond <= 0, `${where} is ${beyond} px wider than the screen`);
}

for (const [view, context] of VIEWS) {
  test(`no page stands in anybody's way: ${view}`, async () => {
    // axe is put into the page by the browser, past the policy.
    const tab = await open({ ...context, bypassCSP: true });
    const { page } = tab;
    await tab.go("/sign-in");
    await examine(page, "sign-in");
    await page.fill("#secret", "wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForSelector(".summary");
    await examine(page, "a wrong secret");
    await signIn(tab);
    for (const path of [
      "/",
      "/customers",
      "/customers?prefix=none",
      "/customers/new",
      "/customer?id=acme-corp",
      "/customer?id=api-corp",
      "/customer?id=broken-corp",
      "/customer?id=nobody",
      "/customer/remove?id=acme-corp",
      "/keys",
      "/keys/new",
      "/audit",
      "/rules",
      "/explain",
      "/reasons",
      "/health",
      "/nowhere",
    ]) {
      await tab.go(path);
      await examine(page, path);
    }
    await tab.go("/rules");
    await page.locator("details").evaluateAll((all) => {
      for (const one of all) one.open = true;
    });
    await examine(page, "the rules in words");
    await tab.go("/customers/new");
    await page.fill("#customerId", "x");
    await page.locator("summary").click();
    await page.fill("#weight-0", "many");
    await page.getByRole("button", { name: "Create customer" }).click();
    await page.waitForSelector(".summary");
    await examine(page, "faults in a form");
    await tab.go("/keys");
    await page.locator("tbody a").first().click();
    await page.waitForURL(/\/key\?/);
    await examine(page, "a key");
    for (const name of ["Roll …", "Revoke …"]) {
      await page.getByRole("link", { name }).click();
      await page.getByRole("link", { name: "Cancel" }).waitFor();
      await examine(page, name);
      await page.getByRole("link", { name: "Cancel" }).click();
      await page.getByRole("link", { name }).waitFor();
    }
    await tab.go("/keys/new");
    await page.fill("#subject", "examined");
    await page.getByRole("button", { name: "Create key" }).click();
    await page.locator("#key").waitFor();
    await examine(page, "a new key");
    await tab.close();

    const other = await open({ ...context, bypassCSP: true }, explained);
    await signIn(other);
    await other.go("/explain");
    await other.page.getByRole("button", { name: "Explain" }).click();
    await other.page.getByRole("heading", { name: "Step by step" }).waitFor();
    await examine(other.page, "an explanation");
    await other.close();
  });
}

test("with the keyboard alone: from a key to its changes, and back", async () => {
  const tab = await open({}, ledgered);
  const { page } = tab;
  await signIn(tab);
  await tab.go("/keys/new");
  await page.fill("#subject", "followed");
  await page.getByRole("button", { name: "Create key" }).click();
  await page.getByRole("link", { name: "Its record" }).click();
  await tabTo(page, "Disable");
  await page.keyboard.press("Enter");
  await page.waitForURL(/done=disabled/);
  await tabTo(page, "Its changes");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/audit\?of=key/);
  assert.equal(await page.locator('nav [aria-current="page"]').innerText(), "Audit");
  assert.equal(await page.locator("tbody tr").count(), 2);
  await tabTo(page, "All changes");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/audit$/);
  assert.ok((await page.locator("tbody tr").count()) >= 2);
  assert.deepEqual(tab.complaints, []);
  await tab.close();
});

const LEDGER_VIEWS = [
  ["light", { viewport: { width: 1280, height: 800 }, colorScheme: "light" }],
  ["dark and narrow", { viewport: { width: 390, height: 844 }, colorScheme: "dark" }],
];

for (const [view, context] of LEDGER_VIEWS) {
  test(`no page of a console with a ledger stands in anybody's way: ${view}`, async () => {
    const tab = await open({ ...context, bypassCSP: true }, ledgered);
    const { page } = tab;
    await signIn(tab);
    const id = `seen-${context.viewport.width}`;
    await tab.go("/customers/new");
    await page.fill("#customerId", id);
    await page.fill("#backendUrl", "https://first.example.com");
    await page.getByRole("button", { name: "Create customer" }).click();
    await page.waitForURL(/done=created/);
    await examine(page, "a customer that was created");
    // Somebody else saves the same customer while this page is open.
    const other = await open(context, ledgered);
    await signIn(other);
    await other.go(`/customer?id=${id}`);
    await other.page.fill("#environmentName", "theirs");
    await other.page.getByRole("button", { name: "Save" }).click();
    await other.page.waitForURL(/done=saved/);
    await other.close();
    await page.fill("#backendUrl", "https://mine.example.com");
    await page.getByRole("button", { name: "Save" }).click();
    await page.waitForSelector(".summary:focus");
    assert.equal(await page.inputValue("#backendUrl"), "https://mine.example.com", "what was typed");
    assert.match(await page.locator(".json").first().innerText(), /theirs/, "what is there now");
    await examine(page, "a conflict");
    for (const path of ["/customers", "/keys", "/audit", `/audit?of=customer:${id}`, "/audit?of=key:none"]) {
      await tab.go(path);
      await examine(page, path);
    }
    await tab.close();
  });
}

async function seedTrafficked() {
  const kv = await trafficked.kv();
  const acme = { customerId: "acme", backendUrl: "https://acme.example.com" };
  await kv.put("customer:acme", JSON.stringify(acme));
  await kv.put(`key:${EXPIRED}`, JSON.stringify({ subject: "batch", claims: { customerId: "wayne" } }));
}

test("with the keyboard alone: from what goes wrong to the customer whom it is about", async () => {
  await seedTrafficked();
  const tab = await open({}, trafficked);
  const { page } = tab;
  await signIn(tab);
  assert.equal(await page.locator('nav [aria-current="page"]').innerText(), "Overview");
  await tabTo(page, "Last day");
  await page.keyboard.press("Enter");
  await page.waitForURL(/span=day/);
  await page.goBack();
  await tabTo(page, "backend_unreachable");
  await tabTo(page, "acme");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/customer\?id=acme/);
  await page.getByText("Last used").waitFor();
  await page.goBack();
  await tabTo(page, "backend_unreachable");
  await tabTo(page, "Each of them, since when");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/incident\?status=502&reason=backend_unreachable/);
  await tabTo(page, "Since");
  await page.keyboard.press("Enter");
  await page.waitForURL(/order=since/);
  assert.equal(await page.locator("tbody tr", { hasText: "acme" }).first().getByText("goes on").count(), 1);
  assert.deepEqual(tab.complaints, []);
  await tab.close();
});

test("on a narrow screen the state of each key is seen beside its name", async () => {
  const tab = await open({ viewport: { width: 390, height: 844 } });
  const { page } = tab;
  await signIn(tab);
  await tab.go("/keys");
  const edges = await page
    .locator("tbody .state")
    .evaluateAll((all) => all.map((one) => one.getBoundingClientRect().right));
  assert.ok(edges.length > 0 && edges.every((right) => right <= 390), String(edges));
  await tab.close();
});

for (const [view, context] of LEDGER_VIEWS) {
  test(`no page with figures stands in anybody's way: ${view}`, async () => {
    await seedTrafficked();
    const tab = await open({ ...context, bypassCSP: true }, trafficked);
    const { page } = tab;
    await signIn(tab);
    const incident = "/incident?status=502&reason=backend_unreachable";
    for (const path of [
      "/",
      "/?span=week",
      incident,
      "/customer?id=acme",
      "/customer?id=globex",
      `/key?digest=${EXPIRED}`,
      "/rules",
    ]) {
      await tab.go(path);
      await page.locator("details").evaluateAll((all) => {
        for (const one of all) one.open = true;
      });
      await examine(page, path);
    }
    await tab.close();
  });
}
