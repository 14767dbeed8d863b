// API keys by the command line, and what the gateway makes of them: one KV for both.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { mint } from "../../demo/keys.mjs";
import { openProject } from "./support/project.mjs";

let project;
let gateway;
const digest = (key) => createHash("sha256").update(key).digest("hex");
const ACME = { status: 200, backend: "acme.tenants" };

before(async () => {
  project = await openProject();
  await project.local(["customers", "put", "acme-corp", "--backend-url", "https://acme.tenants.example.com"]);
  gateway = await project.serve();
});
after(async () => {
  await gateway?.stop();
  project?.close();
});

const create = async (subject) => {
  const made = await project.local([
    "keys",
    "create",
    "--prefix",
    "sk_live",
    "--subject",
    subject,
    "--name",
    `the ${subject}`,
    "--claims",
    '{"customerId":"acme-corp"}',
    "--json",
  ]);
  return made.json().key;
};

test("a key works once it was created, is listed by its digest, and is revoked", async () => {
  const key = await create("ci");
  assert.deepEqual(await gateway.call(key), ACME);

  const listed = await project.local(["keys", "list", "--customer", "acme-corp", "--subject", "ci", "--json"]);
  assert.deepEqual(
    listed.json().map(({ digest, state }) => [digest, state]),
    [[digest(key), "active"]],
  );
  const table = await project.local(["keys", "list"]);
  assert.match(table.out, new RegExp(`${digest(key).slice(0, 12)} +ci +the ci +active`));
  for (const { out, err } of [listed, table]) assert.ok(!`${out}${err}`.includes(key));

  const seen = await project.local(["keys", "inspect", "-", "--json"], { input: `${key}\n` });
  const { prefix, checksum, accepted, state, record } = seen.json();
  assert.deepEqual([prefix, checksum, accepted, state, record.subject], ["sk_live", true, true, "active", "ci"]);

  await project.local(["keys", "revoke", digest(key).slice(0, 10), "--disable"]);
  assert.equal((await gateway.call(key)).status, 401);
  const revoked = await project.local(["keys", "revoke", "--subject", "ci"]);
  assert.match(revoked.err, /a revoked API key stops within 310s \(two passes of the ledger/);
  assert.equal(
    (await project.local(["keys", "inspect", "-", "--json"], { input: key, want: 1 })).json().state,
    "unknown",
  );
});

test("a rolled key goes on for its grace, and the new one stands for the same", async () => {
  const old = await create("roller");
  const rolled = (await project.local(["keys", "roll", "-", "--json"], { input: old })).json();
  assert.match(rolled.key, /^sk_live_/);
  assert.deepEqual(rolled.record.claims, { customerId: "acme-corp" });
  assert.equal(rolled.record.name, "the roller");
  assert.deepEqual(await gateway.call(old), ACME);
  assert.deepEqual(await gateway.call(rolled.key), ACME);

  const two = await project.local(["keys", "revoke", "--subject", "roller"], { want: 1 });
  assert.match(two.err, /2 keys are of subject "roller"/);
  const again = (
    await project.local(["keys", "roll", digest(rolled.key), "--prefix", "sk_test", "--grace", "0", "--json"])
  ).json();
  assert.equal((await gateway.call(rolled.key)).status, 401);
  assert.deepEqual(await gateway.call(again.key), ACME);
});

test("keys minted elsewhere come in by themselves or by their digest, and are never printed", async () => {
  const [plain, hidden] = [mint("sk_live"), mint("sk_live")];
  const record = { claims: { customerId: "acme-corp" } };
  const lines = (records) => records.map((entry) => JSON.stringify(entry)).join("\n");
  project.write(
    "keys.jsonl",
    lines([
      { key: plain, subject: "a", ...record },
      { sha256: digest(hidden), subject: "b", ...record },
    ]),
  );
  const dry = await project.run(["keys", "import", "keys.jsonl", "--dry-run"]);
  assert.equal(JSON.parse(dry.out).length, 2);
  const done = await project.local(["keys", "import", "keys.jsonl"]);
  assert.match(done.out, /^2 created, 0 changed/);
  for (const { out, err } of [dry, done]) assert.ok(!`${out}${err}`.includes(plain));
  for (const key of [plain, hidden]) assert.deepEqual(await gateway.call(key), ACME);

  project.write("twice.json", [
    { key: plain, subject: "a" },
    { sha256: digest(plain), subject: "b" },
  ]);
  project.write(
    "bad.jsonl",
    lines([
      { key: mint("sk_live"), subject: "new" },
      { key: "elsewhere_123", subject: "x" },
      { key: `${plain}x`, subject: "y" },
    ]),
  );
  const twice = await project.local(["keys", "import", "twice.json"], { want: 1 });
  assert.match(twice.err, /twice\.json:1: error: \/sha256: stands twice: also at twice\.json:1/);
  const bad = await project.local(["keys", "import", "bad.jsonl"], { want: 1 });
  assert.match(bad.err, /bad\.jsonl:2: error: \/key: has none of the prefixes/);
  assert.match(bad.err, /bad\.jsonl:3: error: \/key: has not the checksum/);
  assert.match(bad.err, /nothing was written/);
  const listed = await project.local(["keys", "list", "--subject", "new", "--json"]);
  assert.deepEqual(listed.json(), []);
});

test("what can be told of a key without asking", async () => {
  const key = mint("sk_test");
  const wrong = `${key.slice(0, -1)}${key.endsWith("0") ? "1" : "0"}`;
  project.write("key.txt", `${key}\n`);
  const good = await project.run(["keys", "inspect", "--key-file", "key.txt"]);
  assert.equal(good.code, 0);
  assert.match(good.out, new RegExp(`stored as +key:${digest(key)}`));
  const bad = await project.run(["keys", "inspect", "-", "--json"], { input: wrong });
  assert.deepEqual([bad.code, bad.json().checksum, bad.json().accepted], [1, false, false]);
  const pattern = await project.run(["keys", "inspect", "--pattern"]);
  assert.match(`x ${key} y`, new RegExp(pattern.out.trim()));
  // One that was minted elsewhere has no form by which it could be told from a mistake.
  const asArgument = await project.run(["keys", "revoke", "a-key-of-theirs", "--local"]);
  assert.equal(asArgument.code, 1);
  assert.match(asArgument.err, /A key itself is read from standard input or a file/);
  const unknown = await project.run(["keys", "create", "--prefix", "pk", "--subject", "s", "--dry-run"]);
  assert.match(unknown.err, /"pk" is none of \[api_keys\] prefixes in gateway\.toml: sk_live, sk_test/);
});
