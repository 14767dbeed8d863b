// Which callers another configuration moves, and that the gateway itself says the same of each example.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { mint } from "../../demo/keys.mjs";
import { openProject } from "./support/project.mjs";

const key = mint("sk_live");
const sha256 = createHash("sha256").update(key).digest("hex");
const gateway = ({ tiers, beta = "shared" }) => `
[api_keys]
prefixes = ["sk_live", "sk_test"]

[customers]
claim = "customerId"

[[issuers]]
name = "main"
issuer = "https://id.example.com/"
audience = "api"
algorithms = ["ES256"]
discovery = true

[backends.gold]
url = "https://gold.example.com"
[backends.shared]
url = "https://shared.example.com"

[[routes]]
path = "/tiers/{+path}"
auth = ["api_key"]
rules = [{ name = "gold", when = { plan = { in = ${JSON.stringify(tiers)} } }, to = "gold" }, { name = "rest", to = "shared" }]

[[routes]]
path = "/customer/{+path}"
auth = ["api_key", "main"]
rules = [
  { name = "beta", when = { "$host" = "beta.example.com" }, to = "${beta}" },
  { name = "own", to = "customer" },
]
`;
const BEFORE = gateway({ tiers: ["gold"] });
const customer = (id, more = {}) => ({ customerId: id, backendUrl: `https://${id}.tenants.example.com`, ...more });

let project;
before(async () => {
  project = await openProject({ gateway: BEFORE });
  project.write("data/customers.json", [customer("acme"), customer("wayne")]);
  const other = createHash("sha256").update("another").digest("hex");
  project.write(
    "data/keys.jsonl",
    [
      JSON.stringify({ sha256, subject: "acme-ci", claims: { customerId: "acme", plan: "silver" } }),
      JSON.stringify({ sha256: other, subject: "lost", claims: { customerId: "nobody", plan: "gold" } }),
    ].join("\n"),
  );
  const git = (...args) =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.com", ...args], { cwd: project.folder });
  git("init", "-q");
  git("add", "gateway.toml", "wrangler.toml");
  git("commit", "-q", "-m", "as it is");
});
after(() => project?.close());

const diff = (...args) => project.run(["diff", "--base", "HEAD", "--data", "data", ...args]);

test("nobody moves where nothing has changed", async () => {
  const ended = await diff();
  assert.equal(ended.code, 0, ended.err);
  assert.match(ended.out, /^base {2}HEAD:gateway\.toml \(/m);
  assert.match(ended.out, /^2 customers and 2 keys, asked with 3 requests$/m);
  assert.match(ended.out, /^nobody would notice a difference$/m);
});

test("who moves is said by rule and backend, and the gateway says the same of each example", async () => {
  project.write("new.toml", gateway({ tiers: ["gold", "silver"], beta: "gold" }));
  project.write("old.toml", BEFORE);
  const ended = await project.run(["diff", "--base", "old.toml", "--gateway", "new.toml", "--data", "data", "--json"]);
  assert.equal(ended.code, 4, ended.err);
  const { callers, differ, moved, refused, admitted, changes, exceeded } = ended.json();
  assert.deepEqual(callers, { customers: 2, keys: 2, anonymous: 1 });
  assert.deepEqual(
    { differ, moved, refused, admitted, exceeded },
    { differ: 4, moved: 4, refused: 0, admitted: 0, exceeded: false },
  );
  const told = changes.map(({ callers, from, to }) => [
    from.route,
    from.rule,
    from.backend,
    to.rule,
    to.backend,
    callers,
  ]);
  assert.deepEqual(told, [
    ["/customer/{+path}", "beta", "shared", "beta", "gold", 4],
    ["/tiers/{+path}", "rest", "shared", "gold", "gold", 1],
  ]);
  // A key at hand is only a digest: its claims stand for it.
  const claimsOf = ({ kind, customer, subject }) =>
    kind === "customer"
      ? { customerId: customer }
      : { customerId: customer, plan: subject === "lost" ? "gold" : "silver" };
  for (const { caller, request, from, to } of changes.flatMap(({ examples }) => examples)) {
    for (const [file, [url]] of [
      ["old.toml", from],
      ["new.toml", to],
    ]) {
      const explain = ["explain", "--gateway", file, "--data", "data", "--claims", JSON.stringify(claimsOf(caller))];
      const asked = [...explain, "--method", request.method, "--path", request.url, "--expect", `url=${url}`];
      const explained = await project.run(asked);
      assert.equal(explained.code, 0, `${file}: ${JSON.stringify(caller)}\n${explained.err}`);
    }
  }
});

test("what a revision has of gateway.toml is the base, and a bound is a gate", async () => {
  project.write("gateway.toml", gateway({ tiers: [] }).replace("plan = { in = [] }", 'plan = "platinum"'));
  try {
    const ended = await diff("--max-moved", "1");
    assert.equal(ended.code, 4, ended.err);
    assert.match(
      ended.out,
      /^1 caller would go elsewhere\n {2}now {4}route \/tiers\/\{\+path\}, rule gold, backend gold$/m,
    );
    assert.match(ended.out, /key [0-9a-f]{12} \(subject lost, customer nobody\): GET https/);
    const gate = await diff("--max-moved", "0");
    assert.equal(gate.code, 5);
    assert.match(gate.out, /^more than --max-moved 0$/m);
    for (const { out, err } of [ended, gate]) assert.ok(!`${out}${err}`.includes(key));
  } finally {
    project.write("gateway.toml", BEFORE);
  }
});

test("who would be refused is said, from files and from KV", async () => {
  project.write("new.toml", BEFORE.replace('auth = ["api_key", "main"]', 'auth = ["api_key"]'));
  const args = ["diff", "--base", "HEAD", "--gateway", "new.toml", "--json"];
  const unknown = await project.run([...args, "--data", "data"]);
  assert.equal(unknown.code, 1);
  assert.match(unknown.err, /--base HEAD: there is no such file, and git has no new\.toml of that revision/);
  args[2] = "gateway.toml";
  const files = await project.run([...args, "--data", "data"]);
  assert.equal(files.code, 4);
  const { refused, changes } = files.json();
  assert.equal(refused, 2, "both customers' tokens");
  assert.deepEqual([...new Set(changes.map(({ to }) => to.reason))], ["credential_kind_not_accepted"]);
  await project.local(["apply", "data"]);
  const kv = await project.local(args, { want: 4 });
  const sorted = (changes) => changes.map(({ change, callers, from, to }) => ({ change, callers, from, to }));
  assert.deepEqual(sorted(kv.json().changes), sorted(changes));
  assert.deepEqual(project.leftBehind(), []);
});

test("what cannot be compared is said", async () => {
  project.write("broken.json", "[{}, {\n");
  const cut = await project.run(["diff", "--base", "HEAD", "--data", "broken.json"]);
  assert.equal(cut.code, 1);
  assert.match(cut.err, /error: broken\.json:1: is not JSON: the record has no end/);
  project.write("faulty.json", [customer("a"), { customerId: "b", backend: "x" }]);
  const faulty = await project.run(["diff", "--base", "HEAD", "--data", "faulty.json"]);
  assert.equal(faulty.code, 1);
  assert.match(faulty.err, /faulty\.json:1: error: \/backend: /);
  assert.match(faulty.err, /1 record cannot be used/);
  const option = await project.run(["diff", "--base=--output=x", "--data", "data"]);
  assert.equal(option.code, 1);
  assert.match(option.err, /can be no revision/);
  const nothing = await project.run(["diff", "--base", "HEAD"]);
  assert.equal(nothing.code, 2);
});
