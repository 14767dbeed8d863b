// API keys by the command line, and what the gateway makes of them: one KV for both.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
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

test("a root key is made for the management API, and no route lets it in", async () => {
  const create = ["keys", "create", "--prefix", "sk_live", "--subject", "ops", "--json"];
  const limits = ["--only-customer", "acme-corp", "--only-prefix", "sk_live"];
  const made = await project.local([...create, "--scope", "keys.read", "--scope", "keys.write", ...limits]);
  const { key, record } = made.json();
  assert.deepEqual(record.root, {
    scopes: ["keys.read", "keys.write"],
    customers: ["acme-corp"],
    prefixes: ["sk_live"],
  });
  assert.equal(record.prefix, "sk_live");
  assert.equal((await gateway.call(key)).status, 401);
  for (const [args, said] of [
    [["--scope", "everything"], /keys\.read/],
    [limits, /--scope/],
  ]) {
    const refused = await project.local([...create, ...args], { want: 2 });
    assert.match(refused.err, said);
  }
  const routed = await project.local([...create, "--scope", "keys.read", "--claims", '{"a":1}'], { want: 1 });
  assert.match(routed.err, /\/claims: must be left out of a root key's record/);
});

test("a record is changed and the key stays; what was disabled is enabled", async () => {
  const key = await create("changing");
  const name = digest(key);
  const update = (...args) => project.local(["keys", "update", name, "--json", ...args]);
  const { record } = (
    await update("--claim", 'plan="gold"', "--new-name", "n", "--expires-at", "2099-01-01T00:00:00Z")
  ).json();
  assert.deepEqual(record.claims, { customerId: "acme-corp", plan: "gold" });
  assert.deepEqual([record.name, record.expiresAt, record.subject], ["n", "2099-01-01T00:00:00Z", "changing"]);
  assert.match(record.createdAt, /^20/);
  assert.deepEqual(await gateway.call(key), ACME);

  await update("--method", "POST");
  assert.equal((await gateway.call(key)).status, 403, "GET is none of its methods");
  await update("--any-method", "--allowed-ip", "198.51.100.0/24");
  assert.equal((await gateway.call(key)).status, 403, "not from here");
  const past = await update("--any-ip", "--expires-at", "2020-01-01T00:00:00Z");
  assert.match(past.err, /warning: expiresAt 2020-01-01T00:00:00\.000Z has passed: the key does not work/);
  assert.equal((await gateway.call(key)).status, 401);
  await update("--no-expiry");
  assert.deepEqual(await gateway.call(key), ACME);

  const same = await update("--any-ip");
  assert.match(same.err, /nothing to do/);
  const moved = await project.local(["keys", "update", "-", "--claim", 'customerId="nobody"'], { input: key });
  assert.match(moved.err, /warning: \/claims\/customerId: KV has no customer nobody/);
  await update("--claim", 'customerId="acme-corp"');

  await project.local(["keys", "revoke", name, "--disable"]);
  assert.equal((await gateway.call(key)).status, 401);
  await project.local(["keys", "enable", name]);
  assert.deepEqual(await gateway.call(key), ACME);
  assert.match((await project.local(["keys", "enable", name])).err, /nothing to do: [0-9a-f]{12} is not disabled/);
  const nothing = await project.local(["keys", "update", name], { want: 2 });
  assert.match(nothing.err, /required arguments/);
  await project.local(["keys", "revoke", name]);
  assert.match((await project.local(["keys", "enable", name], { want: 1 })).err, /KV has no key of the digest/);
  for (const { out, err } of [past, same, moved]) assert.ok(!`${out}${err}`.includes(key));
});

test("a key is made with its restrictions, and what is doubtful about it is said", async () => {
  const args = ["keys", "create", "--prefix", "sk_live", "--subject", "office", "--json"];
  const made = await project.local([...args, "--allowed-ip", "192.0.2.0/24", "--method", "GET", "--method", "HEAD"]);
  const { allowedIps, methods } = made.json().record;
  assert.deepEqual([allowedIps, methods], [["192.0.2.0/24"], ["GET", "HEAD"]]);
  assert.equal(made.err, "");
  const bad = await project.local([...args, "--allowed-ip", "192.0.2.1/24"], { want: 1 });
  assert.match(bad.err, /\/allowedIps\/0: must be an address or a range/);
  const doubtful = await project.local([
    ...args,
    "--claims",
    '{"customerId":"nobody"}',
    "--expires-at",
    "2020-01-01T00:00:00Z",
  ]);
  assert.match(doubtful.err, /warning: expiresAt .* has passed/);
  assert.match(doubtful.err, /warning: \/claims\/customerId: KV has no customer nobody/);
  await project.local(["keys", "revoke", digest(doubtful.json().key)]);
  await project.local(["keys", "revoke", digest(made.json().key)]);
});

test("a listing takes one call of wrangler, and filters", async () => {
  const kv = "listing";
  const key = (name, more) => ({ sha256: digest(name), subject: name, claims: { customerId: "acme" }, ...more });
  const soon = new Date(Date.now() + 86_400_000).toISOString();
  const createdAt = "2024-05-01T00:00:00Z";
  project.write("listed/customers.json", [
    { customerId: "acme", backendUrl: "https://acme.tenants.example.com" },
    { customerId: "wayne", backendUrl: "https://wayne.elsewhere.example", disabled: true },
  ]);
  project.write("listed/keys.json", [
    key("a", { createdAt }),
    key("b", { expiresAt: soon }),
    key("c", { disabled: true, claims: { customerId: "wayne" } }),
  ]);
  await project.local(["customers", "import", "listed/customers.json"], { kv });
  await project.local(["keys", "import", "listed/keys.json"], { kv });
  project.replaceWrangler('exec "$REAL_WRANGLER" "$@"');
  try {
    const calls = async (args) => {
      project.restoreWrangler();
      project.replaceWrangler('exec "$REAL_WRANGLER" "$@"');
      const listed = await project.local([...args, "--json"], { kv });
      return [listed.json(), Number(readFileSync(project.path("calls"), "utf8"))];
    };
    const [all, one] = await calls(["keys", "list"]);
    assert.deepEqual([all.length, one], [3, 1]);
    assert.equal(all.find(({ record }) => record.subject === "a").record.createdAt, createdAt, "an import keeps it");
    const [verified, two] = await calls(["keys", "list", "--verify"]);
    assert.deepEqual([verified, two], [all, 2]);
    const subjects = async (...args) => (await calls(["keys", "list", ...args]))[0].map(({ record }) => record.subject);
    assert.deepEqual(await subjects("--expiring-within", "2d"), ["b"]);
    assert.deepEqual(await subjects("--expiring-within", "1h"), []);
    assert.deepEqual(await subjects("--disabled", "--customer", "wayne"), ["c"]);
    assert.deepEqual(await subjects("--digest", digest("b").slice(0, 8)), ["b"]);
    const [customers, listings] = await calls(["customers", "list", "--disabled"]);
    assert.deepEqual([customers.map(({ customerId }) => customerId), listings], [["wayne"], 1]);
    const ids = async (...args) => (await calls(["customers", "list", ...args]))[0].map(({ customerId }) => customerId);
    assert.deepEqual(await ids("--prefix", "ac"), ["acme"]);
    assert.deepEqual(await ids("--backend-host", "tenants.example.com"), ["acme"]);
    assert.deepEqual(await ids("--backend-host", "enants.example.com"), []);
  } finally {
    project.restoreWrangler();
  }
  await project.local(["customers", "put", "wayne", "--enabled"], { kv });
  await project.local(["customers", "put", "acme", "--disabled"], { kv });
  const states = (await project.local(["customers", "list", "--json"], { kv })).json();
  assert.deepEqual(
    states.map(({ customerId, backendUrl, disabled = false }) => [customerId, backendUrl, disabled]),
    [
      ["acme", "https://acme.tenants.example.com", true],
      ["wayne", "https://wayne.elsewhere.example", false],
    ],
  );
  const unknown = await project.local(["customers", "put", "stark", "--disabled"], { kv, want: 1 });
  assert.match(unknown.err, /KV has no operator's record of stark: say --backend-url/);
});

test("the ledger is told which entries were written and deleted", async () => {
  const key = await create("touched");
  const name = `key:${digest(key)}`;
  const kv = await gateway.kv();
  const [at, ...names] = await kv.get("directory:touched", "json");
  assert.ok(Date.parse(at.replace(/^at:/, "")) <= Date.now());
  assert.equal(names.at(-1), name);
  await project.local(["customers", "put", "other", "--backend-url", "https://other.tenants.example.com"]);
  const revoked = await project.local(["keys", "revoke", digest(key)]);
  assert.ok(!revoked.err.includes("It counts sooner"), "where nobody can ask the ledger");
  const later = await kv.get("directory:touched", "json");
  assert.deepEqual(later.slice(-2), ["customer:other", name]);
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
  assert.match(twice.err, new RegExp(`\\(record 2, key ${digest(plain).slice(0, 12)}\\)`));
  const bad = await project.local(["keys", "import", "bad.jsonl"], { want: 1 });
  assert.match(bad.err, /bad\.jsonl:2: error: \/key: has none of the prefixes/);
  assert.match(bad.err, /bad\.jsonl:3: error: \/key: has not the checksum/);
  assert.match(bad.err, /nothing was written/);
  assert.ok(!bad.err.includes(plain));
  const listed = await project.local(["keys", "list", "--subject", "new", "--json"]);
  assert.deepEqual(listed.json(), []);
});

test("a key that is imported again is as old as it was, where its file does not say when it was made", async () => {
  const kv = "dated";
  const [old, odd, told] = ["old", "odd", "told"].map((name) => ({ sha256: digest(name), subject: name }));
  const createdAt = "2024-05-01T00:00:00Z";
  const bring = async (...records) => {
    project.write("dated.json", records);
    return (await project.local(["keys", "import", "dated.json", "--json"], { kv })).json();
  };
  const stored = async () => {
    const listed = await project.local(["keys", "list", "--verify", "--json"], { kv });
    return Object.fromEntries(listed.json().map(({ record }) => [record.subject, record.createdAt]));
  };
  await bring({ ...old, createdAt }, odd, { ...told, createdAt });

  // What the file says counts, and what it lacks is no change.
  const again = await bring(old, { ...odd, createdAt: "" }, { ...told, createdAt: "2020-01-01T00:00:00Z" });
  assert.deepEqual([again.created, again.changed, again.visible], [0, 2, true]);
  assert.deepEqual(await stored(), { old: createdAt, odd: "", told: "2020-01-01T00:00:00Z" });

  const changed = await bring({ ...old, claims: { plan: "gold" } }, odd, told);
  assert.deepEqual([changed.changed, changed.visible], [2, true]);
  assert.deepEqual(await stored(), { old: createdAt, odd: undefined, told: "2020-01-01T00:00:00Z" });
  assert.equal((await bring({ ...old, claims: { plan: "gold" } }, odd, told)).unchanged, 3);
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
