// `npm run deploy` against an account that is a file: what it creates, asks, sends, and says.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { parse } from "smol-toml";
import { standIn } from "./support/stand-in.mjs";
import { openUser } from "./support/user.mjs";

const user = openUser();
/** What the deployed gateway answers. */
const answer = { status: 401, title: "Credential required" };
const gateway = createServer((request, response) => {
  request.resume();
  response.writeHead(answer.status, { "content-type": "application/problem+json" }).end(JSON.stringify(answer));
});
await new Promise((resolve) => gateway.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${gateway.address().port}`;
after(() => {
  gateway.close();
  user.close();
});

function project(name, ...args) {
  const made = user.project(name, ...args);
  made.edit("wrangler.toml", "backend.example.com", "backend.acme.com");
  if (made.read("wrangler.toml").includes("-config.example.com"))
    made.edit("wrangler.toml", "-config.example.com", "-config.acme.com");
  return made;
}
const deploy = (made, ...args) => made.deploy(args);

test("the KV namespace is created once, and its id is written into wrangler's file", async () => {
  const made = project("first");
  const { account } = standIn(made, { targets: [url] });
  const { status, all } = await deploy(made);
  assert.equal(status, 0, all);
  const { namespaces, calls } = account();
  assert.deepEqual(
    namespaces.map(({ title }) => title),
    ["first-POINTSMAN_KV"],
  );
  assert.equal(parse(made.read("wrangler.toml")).kv_namespaces[0].id, namespaces[0].id);
  assert.ok(calls.some(([command]) => command === "deploy"));
  assert.match(all, /GET http:\/\/127\.0\.0\.1:\d+\/ {2}→ {2}401 Credential required\nthe gateway answers/);
  assert.match(all, /Back {2}npx wrangler rollback {3}from version version-1/);

  const again = await deploy(made);
  assert.equal(again.status, 0, again.all);
  assert.equal(account().namespaces.length, 1);
});

test("a namespace that is there is taken, of the environment that is deployed", async () => {
  const made = project("second");
  const there = { title: "second-staging-POINTSMAN_KV", id: "e".repeat(32) };
  const { account } = standIn(made, { targets: [url], namespaces: [there] });
  const { status, all } = await deploy(made, "--env", "staging");
  assert.equal(status, 0, all);
  assert.equal(account().namespaces.length, 1);
  assert.equal(parse(made.read("wrangler.toml")).env.staging.kv_namespaces[0].id, there.id);
  assert.match(all, /wrangler rollback --env staging/);
  const sent = account().calls.find(([command]) => command === "deploy");
  assert.ok(sent.includes("--env") && sent.includes("staging"));
});

test("secrets that are missing are named where there is no terminal, and nothing is deployed", async () => {
  for (const secrets of [[], null]) {
    const made = project(`secrets-${secrets}`, "--customers", "api");
    const { account } = standIn(made, { targets: [url], secrets });
    const { status, all } = await deploy(made);
    assert.equal(status, 1);
    assert.match(all, /The Worker lacks a secret: CUSTOMERS_TOKEN/);
    assert.match(all, /npx wrangler secret put CUSTOMERS_TOKEN < FILE/);
    assert.ok(!account().calls.some(([command]) => command === "deploy"));
  }
  const made = project("secrets-there", "--customers", "api");
  standIn(made, { targets: [url], secrets: ["CUSTOMERS_TOKEN"] });
  assert.equal((await deploy(made)).status, 0);
});

test("where wrangler fails the exit code is 3, and where the gateway is misconfigured it is 1", async () => {
  const made = project("fails");
  standIn(made, { fails: true });
  const failed = await deploy(made);
  assert.equal(failed.status, 3, failed.all);
  assert.match(failed.all, /wrangler did not deploy/);

  standIn(made, { targets: [] });
  assert.match((await deploy(made)).all, /wrangler names no address, so no request was sent/);
});

test("wrangler.jsonc is read, and written, as wrangler.toml is", async () => {
  const made = user.project("jsonc", { install: "stage" }, "--jsonc", "--customers", "api");
  const { account } = standIn(made, { targets: [url], secrets: ["CUSTOMERS_TOKEN"] });
  const examples = await deploy(made);
  assert.equal(examples.status, 1);
  assert.match(examples.all, /wrangler\.jsonc, vars: these are still the example's values/);

  made.edit("wrangler.jsonc", ".example.com", ".acme.com");
  for (const [args, title] of [
    [[], "jsonc-POINTSMAN_KV"],
    [["--env", "staging"], "jsonc-staging-POINTSMAN_KV"],
  ]) {
    const before = made.read("wrangler.jsonc");
    const { status, all } = await deploy(made, ...args);
    assert.equal(status, 0, all);
    const { id } = account().namespaces.find((one) => one.title === title);
    // All that differs is the id, of this environment alone.
    const after = made.read("wrangler.jsonc");
    assert.equal(after.split(id).length, 2);
    assert.equal(after.replace(id, "0".repeat(32)), before);
  }
  assert.ok(
    account().calls.some((call) => call.includes("deploy") && call.some((arg) => arg.endsWith("wrangler.jsonc"))),
  );
});
