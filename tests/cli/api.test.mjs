// The command line over the management API of the built Worker: nothing is written to KV, and what is changed is the ledger's.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { BASE, openApi } from "../workerd/support/api.mjs";
import { openProject } from "./support/project.mjs";

// Two calls' worth.
const CUSTOMERS = 520;

let api;
let project;
let proxy;
let url;
/** What becomes of the next calls, one after the other: "lost" answers nothing after the call was made, others make none. */
let faults = [];
let calls = [];

const digestOf = (key) => createHash("sha256").update(key.trim()).digest("hex");
const customer = (number, more = {}) => ({
  customerId: `c${number}`,
  backendUrl: `https://c${number}.tenants.example.com`,
  ...more,
});

const keysSeen = new Set();
/** Whether a call is one that was made before: it has its own fault behind it, however often it is made. */
function isRepeated({ headers: { "idempotency-key": key } }) {
  const isSeen = keysSeen.has(key);
  if (key !== undefined) keysSeen.add(key);
  return isSeen;
}

/** Makes the call that a server got, at the gateway. */
async function forward(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const names = ["authorization", "content-type", "idempotency-key"].filter((name) => request.headers[name]);
  const headers = Object.fromEntries(names.map((name) => [name, request.headers[name]]));
  const body = chunks.length > 0 ? Buffer.concat(chunks) : undefined;
  const answer = await fetch(`${await api.origin(0)}${request.url}`, { method: request.method, headers, body });
  return { status: answer.status, text: await answer.text() };
}

before(async () => {
  api = await openApi();
  project = await openProject();
  project.write(
    "gateway.toml",
    `[api_keys]
prefixes = ["sk_live", "sk_test"]
[customers]
claim = "customerId"
[operator]
api = "${BASE}"
[[routes]]
path = "/{+path}"
auth = ["api_key"]
rules = [{ name = "customer", to = "customer" }]
`,
  );
  proxy = createServer(async (request, response) => {
    calls.push(`${request.method} ${request.url}`);
    const fault = isRepeated(request) ? undefined : faults.shift();
    if (fault === "down") return void response.writeHead(503).end("{}");
    if (fault === "shut") return void response.writeHead(401).end("{}");
    const answer = await forward(request).catch(() => undefined);
    // As where workerd has closed the connection meanwhile.
    if (fault === "lost" || answer === undefined) return void request.socket.destroy();
    response.writeHead(answer.status).end(answer.text);
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${proxy.address().port}`;
});
after(async () => {
  proxy?.close();
  project?.close();
  await api?.stop();
});
beforeEach(() => {
  faults = [];
  calls = [];
});

async function run(args, { want = 0, root = api.root } = {}) {
  const ended = await project.run([...args, "--api", url], { env: { POINTSMAN_ROOT_KEY: root } });
  assert.equal(ended.code, want, `pointsman ${args.join(" ")}\n${ended.out}${ended.err}`);
  assert.ok(!root || !`${ended.out}${ended.err}`.includes(root), "the root key is shown nowhere");
  return ended;
}

test("a key is made, found, changed, rolled and revoked, and each counts", async () => {
  const made = await run(["keys", "create", "--prefix", "sk_live", "--subject", "ci", "--claims", "{}"]);
  const key = made.out.trim();
  assert.match(made.err, /the ledger holds key:/);
  assert.equal((await api.ask(1, key)).status, 200, "at once, in another isolate");
  const [listed] = (await run(["keys", "list", "--subject", "ci", "--json"])).json();
  assert.deepEqual([listed.digest, listed.state], [digestOf(key), "active"]);

  const updated = await run(["keys", "update", digestOf(key).slice(0, 12), "--method", "GET"]);
  assert.match(updated.err, /within 10s/);
  const rolled = await run(["keys", "roll", digestOf(key), "--prefix", "sk_live", "--grace", "0"]);
  const successor = rolled.out.trim();
  assert.equal((await api.ask(0, successor)).status, 200);
  const gone = await run(["keys", "revoke", digestOf(key)], { want: 1 });
  assert.match(gone.err, /the ledger has no key of the digest/);

  const disabled = await run(["keys", "revoke", digestOf(successor), "--disable"]);
  assert.match(disabled.err, /within 10s/);
  assert.ok(!disabled.err.includes("It counts sooner"));
  await run(["keys", "enable", digestOf(successor)]);
  await run(["keys", "revoke", digestOf(successor)]);
  assert.deepEqual((await run(["keys", "list", "--subject", "ci", "--json"])).json(), []);
});

test("a folder is applied through failures and lost answers, goes on after a kill, and then there is nothing to do", async () => {
  const all = Array.from({ length: CUSTOMERS }, (_, number) => customer(number));
  project.write("data/customers.json", all);
  // The list, then two parts: the answer of the first is lost, and the second is not let in. There the run ends.
  faults = ["down", "", "lost", "shut"];
  const stopped = await run(["apply", "data"], { want: 1 });
  assert.match(stopped.err, /500 of 520 customers written/);

  const resumed = await run(["apply", "data"]);
  assert.match(resumed.out, /^20 created, 0 changed, 0 deleted, 500 unchanged$/m);
  calls = [];
  const again = await run(["apply", "data"]);
  assert.equal(again.out, "nothing to do: 520 entries are as they should be\n");
  assert.deepEqual(new Set(calls.map((call) => call.split(" ")[0])), new Set(["GET"]));
  const { body } = await api.call("GET", "/v1/audit?after=0&limit=1000");
  const made = body.lines.filter(({ name }) => name === "customer:c10");
  assert.equal(made.length, 1, "a call whose answer was lost happens once");

  project.write("data/customers.json", [customer(0, { environmentName: "moved" }), ...all.slice(2)]);
  const plan = await run(["plan", "data", "--prune", "--detailed-exitcode"], { want: 4 });
  assert.match(plan.out, /^0 to create, 1 to change, 1 to delete, 518 unchanged$/m);
  await run(["apply", "data", "--prune"]);
  const { out } = await run(["customers", "get", "c0"]);
  assert.equal(JSON.parse(out).environmentName, "moved");
  await run(["customers", "get", "c1"], { want: 1 });
});

test("what somebody else has changed meanwhile is not written over", async () => {
  await run(["customers", "put", "rival", "--backend-url", "https://one.example.com"]);
  const path = "/v1/customers/rival";
  const record = { customerId: "rival", backendUrl: "https://theirs.example.com" };
  // Between the command's look and its change.
  let changes = 0;
  const racing = createServer(async (request, response) => {
    if (request.url.endsWith("/bulk"))
      await api.call("PUT", path, { body: { ...record, environmentName: `${++changes}` } });
    const answer = await forward(request);
    response.writeHead(answer.status).end(answer.text);
  });
  await new Promise((resolve) => racing.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${racing.address().port}`;
  project.write("race/customers.json", [{ customerId: "rival", backendUrl: "https://three.example.com" }]);
  for (const args of [
    ["customers", "put", "rival", "--backend-url", "https://two.example.com"],
    ["apply", "race"],
  ]) {
    const lost = await project.run([...args, "--api", address], { env: { POINTSMAN_ROOT_KEY: api.root } });
    assert.equal(lost.code, 3, lost.err);
    assert.match(lost.err, /customer:rival: somebody else has changed it meanwhile/);
    assert.equal((await api.call("GET", path)).body.record.backendUrl, record.backendUrl);
  }
  racing.close();
});

test("a root key that is missing, wrong or limited is told so, and a record that cannot be used names its member", async () => {
  assert.match((await run(["keys", "list"], { want: 1, root: "" })).err, /POINTSMAN_ROOT_KEY/);
  assert.match((await run(["keys", "list"], { want: 1, root: "root_wrong" })).err, /does not take the root key/);
  await run(["keys", "list"], { want: 1, root: `${api.root}\n${api.root}` });
  const limited = `root_${"limited".padEnd(24, "x")}`;
  await api.putRoot(limited, { scopes: ["customers.read"] });
  const refused = await run(["customers", "put", "x", "--backend-url", "https://x.example.com"], {
    want: 1,
    root: limited,
  });
  assert.match(refused.err, /the root key needs the scope customers.write/);
  const elsewhere = await project.run(["keys", "list", "--api", "http://api.example.com"], {
    env: { POINTSMAN_ROOT_KEY: api.root },
  });
  assert.equal(elsewhere.code, 1);
  assert.match(elsewhere.err, /must be an https address/);
  assert.deepEqual(project.leftBehind(), []);
});
