// A night with four incidents, staged at the built gateway with its metrics: each is found from the console's first page in
// three steps, in a real browser, and from `pointsman usage` in three. What the pages count is what was sent, counted here.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ACCOUNT, TOKEN } from "../../demo/analytics/stand-in.mjs";
import { CONSOLE_SECRET } from "../../demo/console.mjs";
import { BAD_RULE, DEAD_CUSTOMER, DEAD_HOST, ENDING_KEY, stageIncident } from "../../demo/incident.mjs";
import { freshPointsman } from "../../scripts/lib/pointsman.mjs";
import { startChromium } from "../browser/support/chromium.mjs";
import { openConsole, withOperator } from "./support/console.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const ENDING_DIGITS = createHash("sha256").update(ENDING_KEY).digest("hex").slice(0, 16);

let own;
let sent;
let browser;
let tab;
let api;
before(async () => {
  [own, browser] = await Promise.all([openConsole({ metrics: true }), startChromium()]);
  sent = await stageIncident({
    url: own.gatewayUrl,
    world: own.world,
    kv: await own.kv(),
    configuration: withOperator,
    deploy: own.deploy,
  });
  await arrived(sent.length);
  api = await own.analytics.start();
  tab = await signedIn();
});
after(async () => {
  await browser?.close();
  await own?.stop();
});

/** Waits until so many points are there: each is written behind its answer. */
async function arrived(count) {
  const sql = "SELECT sum(_sample_interval) AS n FROM pointsman FORMAT JSON";
  for (let time = 0; time < 200; time++) {
    const { data } = own.analytics.query(sql);
    if (Number(data[0]?.n) === count) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`not ${count} points: ${JSON.stringify(own.analytics.query(sql))}`);
}

async function signedIn() {
  const page = await (await browser.newContext()).newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => /Content Security Policy/i.test(message.text()) && complaints.push(message.text()));
  await page.goto(`${own.origin}/sign-in`);
  await page.fill("#secret", CONSOLE_SECRET);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${own.origin}/`);
  return { page, complaints };
}

const of = (part) => sent.filter((one) => one.part === part);
const number = (count) => count.toLocaleString("en");

/** The card of a reason on the first page, once it is there. */
async function card(reason) {
  await tab.page.goto(`${own.origin}/`);
  return tab.page.locator("li.incident", { has: tab.page.locator("code", { hasText: reason }) });
}

/** What a card, or a page, says, with white space as it is read. */
const read = async (locator) => (await locator.innerText()).replace(/\s+/g, " ");

describe("from the console's first page", () => {
  test("a customer's origin has died: the card, the customer, the reason", async () => {
    const own502 = await card("backend_unreachable");
    assert.match(await read(own502), new RegExp(`^502 backend_unreachable ${of("origin").length} requests, since `));
    assert.match(await read(own502), new RegExp(`https://${DEAD_HOST}`));
    await own502.getByRole("link", { name: DEAD_CUSTOMER }).click();
    await tab.page.waitForURL(new RegExp(`/customer\\?id=${DEAD_CUSTOMER}$`));
    assert.match(await read(tab.page.locator("main")), /502 backend_unreachable/);
    await tab.page.getByRole("link", { name: "backend_unreachable" }).first().click();
    assert.match(await read(tab.page.locator("main")), /backend_unreachable/);
  });

  test("a key has expired: the card, whose it is though nobody vouches for it, the key's page", async () => {
    const expired = await card("api_key_expired");
    const said = await read(expired);
    assert.match(said, new RegExp(`^401 api_key_expired ${of("key").length} requests, since `));
    assert.match(said, /Unverified customer wayne-ent 100 % \(as the refused credential says; nobody vouches for it\)/);
    await expired.getByRole("link", { name: ENDING_DIGITS }).click();
    assert.match(await read(tab.page.locator("main")), /expired/i);
  });

  test("an issuer has withdrawn a key: the card says which issuer, since when, and who is hit", async () => {
    const said = await read(await card("token_key_unknown"));
    assert.match(said, new RegExp(`^401 token_key_unknown ${of("issuer").length} requests, since `));
    assert.match(said, /Credential main 100 %/);
    assert.match(said, /Unverified customer stark-ind/);
  });

  test("a bad rule was deployed: the card, the configuration that it began with, and the rule", async () => {
    const denied = await card("denied_by_rule");
    const said = await read(denied);
    assert.match(said, new RegExp(`^403 denied_by_rule ${of("rule").length} requests, since `));
    assert.match(said, new RegExp(`Rule ${BAD_RULE} 100 %`));
    const [, version] = /Configuration ([0-9a-f]{16}) 100 %/.exec(said);
    const versions = await read(tab.page.locator("table", { hasText: "First seen" }));
    assert.match(versions, new RegExp(version));
    await denied.getByRole("link", { name: "/tiers/" }).click();
    await tab.page.waitForURL(/\/rules#route-\d+$/);
  });

  test("what it counts is what was sent", async () => {
    await tab.page.goto(`${own.origin}/`);
    const page = await read(tab.page.locator("main"));
    const errors = sent.filter(({ status }) => status >= 500).length;
    const refused = sent.filter(({ status }) => status >= 400 && status < 500).length;
    assert.match(
      page,
      new RegExp(`Requests ${number(sent.length)} Errors \\(5xx\\) ${errors} .*? Refusals ${refused} `),
    );
    const customers = tab.page.locator("table", { has: tab.page.locator("caption", { hasText: "By customer" }) });
    for (const customer of new Set(sent.map((one) => one.customer))) {
      const theirs = sent.filter((one) => one.customer === customer);
      const failed = theirs.filter(({ status }) => status >= 500).length;
      const row = await read(customers.locator("tr", { hasText: customer === "" ? "no customer" : customer }));
      assert.match(row, new RegExp(`^(no customer|${customer}) ${theirs.length} ${failed} `), row);
    }
  });

  test("nothing on these pages is against their policy", () => assert.deepEqual(tab.complaints, []));
});

/** What `pointsman usage` prints with these arguments. */
async function usage(...args) {
  const child = spawn(await freshPointsman(), ["usage", ...args], {
    cwd: root,
    env: {
      ...process.env,
      CLOUDFLARE_ACCOUNT_ID: ACCOUNT,
      CLOUDFLARE_API_TOKEN: TOKEN,
      CLOUDFLARE_API_BASE_URL: `${api}/client/v4`,
      METRICS_DATASET: "pointsman",
    },
  });
  const ended = new Promise((resolve) => child.on("close", resolve));
  const [said, complaints, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  assert.equal(code, 0, complaints);
  return said;
}
const rows = async (...args) => JSON.parse(await usage(...args, "--json")).rows;

describe("from pointsman usage", () => {
  test("all four stand in the first answer, with their reasons", async () => {
    const said = await usage();
    for (const reason of ["backend_unreachable", "api_key_expired", "token_key_unknown", "denied_by_rule"])
      assert.match(said, new RegExp(reason), said);
  });

  for (const [what, second, third, part, names] of [
    [
      "a customer's origin has died",
      ["--by", "customer", "--reason", "backend_unreachable"],
      ["--by", "origin", "--customer", DEAD_CUSTOMER, "--errors"],
      "origin",
      [DEAD_CUSTOMER, `https://${DEAD_HOST}`],
    ],
    [
      "a key has expired",
      ["--by", "key", "--reason", "api_key_expired"],
      ["--by", "claimed-customer", "--key", ENDING_DIGITS, "--errors"],
      "key",
      [ENDING_DIGITS, "wayne-ent"],
    ],
    [
      "an issuer has withdrawn a key",
      ["--by", "issuer", "--reason", "token_key_unknown"],
      ["--by", "claimed-customer", "--issuer", "main", "--errors"],
      "issuer",
      ["main", "stark-ind"],
    ],
    [
      "a bad rule was deployed",
      ["--by", "rule", "--reason", "denied_by_rule"],
      ["--by", "version", "--rule", BAD_RULE],
      "rule",
      [BAD_RULE, /^[0-9a-f]{16}$/],
    ],
  ])
    test(`${what}: found with two more, and counted as it was sent`, async () => {
      for (const [args, name] of [
        [second, names[0]],
        [third, names[1]],
      ]) {
        const [row, ...more] = await rows(...args);
        assert.deepEqual(more, [], args.join(" "));
        if (name instanceof RegExp) assert.match(row.name, name);
        else assert.equal(row.name, name);
        assert.equal(row.errors + row.refused, of(part).length, args.join(" "));
        assert.ok(Date.parse(row.firstFailing) <= Date.parse(row.lastFailing));
      }
    });

  test("what it counts is what was sent", async () => {
    for (const row of await rows("--by", "customer")) {
      const theirs = sent.filter(({ customer }) => customer === (row.name ?? ""));
      assert.equal(row.requests, theirs.length, JSON.stringify(row));
      assert.equal(row.errors, theirs.filter(({ status }) => status >= 500).length);
    }
  });
});
