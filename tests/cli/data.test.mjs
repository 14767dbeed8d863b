// plan, apply, import and export against a real local KV, which a gateway reads too.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, afterEach, before, test } from "node:test";
import { mint } from "../../demo/keys.mjs";
import { contentOf, openProject } from "./support/project.mjs";

let project;
let gateway;
const key = mint("sk_live");
const sha256 = createHash("sha256").update(key).digest("hex");
const customer = (id, more = {}) => ({ customerId: id, backendUrl: `https://${id}.tenants.example.com`, ...more });

before(async () => {
  project = await openProject();
  project.write("data/customers.json", [customer("acme"), customer("wayne", { environmentName: "wayne" })]);
  project.write("data/customers/special/stark.json", customer("stark"));
  project.write("data/keys.jsonl", `${JSON.stringify({ sha256, subject: "s", claims: { customerId: "stark" } })}\n`);
  gateway = await project.serve();
});
afterEach(() => project?.restoreWrangler());
after(async () => {
  await gateway?.stop();
  project?.close();
});

test("a folder is planned, applied, and then there is nothing to do", async () => {
  const pending = await project.local(["plan", "data", "--detailed-exitcode"], { want: 4 });
  assert.match(pending.out, /^\+ customer:acme {2}data\/customers\.json:1$/m);
  assert.match(pending.out, /^\+ customer:stark {2}data\/customers\/special\/stark\.json:1$/m);
  assert.match(pending.out, /^4 to create, 0 to change, 0 to delete, 0 unchanged$/m);

  const applied = await project.local(["apply", "data"]);
  assert.match(applied.out, /4 created, 0 changed, 0 deleted, 0 unchanged/);
  assert.match(applied.err, /3 of 3 customers written\n1 of 1 keys written/);
  assert.deepEqual(await gateway.call(key), { status: 200, backend: "stark.tenants" });

  const again = await project.local(["apply", "data"]);
  assert.equal(again.out, "nothing to do: 4 entries are as they should be\n");
  const verified = await project.local(["plan", "data", "--verify", "--detailed-exitcode", "--json"]);
  assert.equal(verified.json().unchanged, 4);
});

test("drift, changes, the config API's records and prune", async () => {
  const kv = await gateway.kv();
  const fetched = customer("umbrella", { fetchedAt: "2026-01-01T00:00:00.000Z", generation: 1 });
  await kv.put("customer:umbrella", JSON.stringify(fetched));
  await kv.put("customer:loner", JSON.stringify(customer("loner")));
  await kv.put("source:customers", "{}");
  // By hand: one as it was, with other spelling, and one otherwise.
  await kv.put("customer:acme", JSON.stringify(customer("acme"), null, 2));
  await kv.put("customer:stark", JSON.stringify(customer("stark", { disabled: true })));
  project.write("data/customers.json", [
    customer("acme"),
    { customerId: "wayne", backendUrl: "https://new.example.com" },
  ]);

  const { changes, deletes, creates, ...counts } = (await project.local(["plan", "data", "--prune", "--json"])).json();
  assert.deepEqual(creates, []);
  assert.deepEqual(deletes, ["customer:loner"]);
  assert.deepEqual(
    changes.map(({ name, drifted, takenOver, fields }) => [name, drifted, takenOver, fields]),
    [
      ["customer:stark", true, false, [{ pointer: "/disabled", old: true, new: null }]],
      [
        "customer:wayne",
        false,
        false,
        [
          { pointer: "/backendUrl", old: "https://wayne.tenants.example.com", new: "https://new.example.com" },
          { pointer: "/environmentName", old: "wayne", new: null },
        ],
      ],
    ],
  );
  assert.deepEqual(counts, { unchanged: 2, writtenByOtherMeans: 1, inNoFile: {}, ofConfigApi: 1, besideConfigApi: [] });

  await project.local(["apply", "data", "--prune"]);
  const content = await contentOf(kv);
  assert.deepEqual(Object.keys(content), [
    "customer:acme",
    "customer:stark",
    "customer:umbrella",
    "customer:wayne",
    `key:${sha256}`,
    "source:customers",
  ]);
  assert.deepEqual(JSON.parse(content["customer:umbrella"]), fetched);
  assert.deepEqual(JSON.parse(content["customer:stark"]), customer("stark"));

  project.write("data/customers/umbrella.json", customer("umbrella"));
  assert.match((await project.local(["plan", "data"])).out, /~ customer:umbrella .*takes it over from the config API/);
});

test("what deletes too much wants to be meant", async () => {
  const kv = "many";
  project.write(
    "many/customers.json",
    Array.from({ length: 20 }, (_, index) => customer(`c${index}`)),
  );
  await project.local(["apply", "many"], { kv });
  project.write("many/customers.json", [customer("c0")]);
  const refused = await project.local(["apply", "many", "--prune"], { kv, want: 1 });
  assert.match(refused.err, /would delete 19 of 20 customers/);
  assert.match(refused.err, /nothing was written/);
  const meant = await project.local(["apply", "many", "--prune", "--yes"], { kv });
  assert.match(meant.out, /0 created, 0 changed, 19 deleted, 1 unchanged/);
});

test("an apply that is killed half-way is finished by the next", async () => {
  const kv = "killed";
  project.write("half/customers.json", [customer("acme"), customer("stark")]);
  project.write("half/keys.json", { sha256, subject: "s", claims: { customerId: "stark" } });
  // Calls: two listings, then customers, then keys. The third writes, and takes its caller with it.
  project.replaceWrangler('"$REAL_WRANGLER" "$@"; STATUS=$?; [ $CALLS = 3 ] && kill -9 $PPID; exit $STATUS');
  const killed = await project.run(["apply", "half", "--local", "--persist-to", project.path(kv)]);
  assert.equal(killed.signal, "SIGKILL", killed.err);
  assert.deepEqual(project.leftBehind(), []);
  project.restoreWrangler();
  const finished = await project.local(["apply", "half"], { kv });
  assert.match(finished.out, /1 created, 0 changed, 0 deleted, 2 unchanged/);
});

test("exports are what imports read", async () => {
  const kv = "exported";
  await project.local(["customers", "export", "--all", "--to", "all.json"]);
  const all = JSON.parse(readFileSync(project.path("all.json"), "utf8"));
  assert.deepEqual(
    all.map(({ customerId, fetchedAt }) => [customerId, Boolean(fetchedAt)]),
    [
      ["acme", false],
      ["stark", false],
      ["umbrella", true],
      ["wayne", false],
    ],
  );
  const own = all.filter(({ fetchedAt }) => !fetchedAt);
  const brought = await project.local(["customers", "import", "all.json"], { kv });
  assert.match(brought.err, /1 customer has fetchedAt and is passed over/);
  assert.deepEqual((await project.local(["customers", "export", "--all"], { kv })).json(), own);

  const bare = (await project.local(["customers", "export", "--format", "jsonl"])).out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(bare, own, "what the config API says is no record of ours");
  await project.local(["customers", "export", "--format", "folder", "--to", project.path("one-each")], { kv });
  assert.deepEqual(project.names("one-each"), ["acme.json", "stark.json", "wayne.json"]);
  const taken = await project.local(["customers", "import", "one-each", "--json"], { kv });
  assert.deepEqual(taken.json(), { created: 0, changed: 0, deleted: 0, unchanged: 3, visible: true });
  assert.match(
    (await project.local(["customers", "export", "--format", "folder", "--to", "one-each"], { kv, want: 1 })).err,
    /is not empty/,
  );
});

test("one customer at a time", async () => {
  const kv = "single";
  project.write("acme.json", '{\n  "backendUrl": "https://acme.tenants.example.com",\n  "allowedIps": ["nowhere"]\n}');
  const bad = await project.local(["customers", "put", "acme", "acme.json"], { kv, want: 1 });
  assert.match(bad.err, /acme\.json:3: \/allowedIps\/0: must be an address or a range/);
  const put = await project.local(["customers", "put", "acme", "-"], { kv, input: JSON.stringify(customer("acme")) });
  assert.match(put.out, /^\+ customer:acme$/m);
  assert.deepEqual((await project.local(["customers", "get", "acme", "--json"], { kv })).json(), customer("acme"));
  await project.local(
    ["keys", "create", "--prefix", "sk_live", "--subject", "s", "--claims", '{"customerId":"acme"}'],
    { kv },
  );
  const kept = await project.local(["customers", "remove", "acme"], { kv, want: 1 });
  assert.match(kept.err, /1 key names customer acme: [0-9a-f]{12}\./);
  await project.local(["customers", "remove", "acme", "--yes"], { kv });
  assert.match((await project.local(["customers", "list"], { kv })).err, /no customers/);
  assert.match(
    (await project.local(["customers", "remove", "acme", "--yes"], { kv, want: 1 })).err,
    /KV has no customer acme/,
  );
});

test("the config API's records stand beside an operator's, and are never written", async () => {
  const own = await openProject({
    gateway: `
[api_keys]
prefixes = ["sk_live"]
[customers]
source = { url = "https://config.example.com/customers", token = "a-config-token-of-some-length" }
[[routes]]
path = "/{+path}"
auth = ["api_key"]
rules = [{ name = "customer", to = "customer" }]
`,
  });
  const served = await own.serve();
  try {
    const kv = await served.kv();
    const fetched = (id) =>
      JSON.stringify(
        customer(id, { backendUrl: "https://api.example.com", fetchedAt: "2026-01-01T00:00:00.000Z", generation: 1 }),
      );
    await kv.put("source:customer:acme", fetched("acme"));
    await kv.put("source:customer:stark", fetched("stark"));
    await kv.put("customer:wayne", fetched("wayne"));
    const before = await contentOf(kv);
    const rows = async () =>
      (await own.local(["customers", "list"])).out
        .trim()
        .split("\n")
        .slice(1)
        .map((row) => row.split(/ {2,}/));
    assert.deepEqual(await rows(), [
      ["acme", "https://api.example.com", "-", "active", "config API"],
      ["stark", "https://api.example.com", "-", "active", "config API"],
      ["wayne", "https://api.example.com", "-", "active", "config API"],
    ]);
    own.write("data/customers.json", [customer("acme", { disabled: true })]);
    assert.match(
      (await own.local(["plan", "data"])).out,
      /^\+ customer:acme .*\(counts before what the config API says\)$/m,
    );
    assert.equal(
      (await own.local(["plan", "data", "--prune", "--json"])).json().ofConfigApi,
      1,
      "what is left over of it stays",
    );
    await own.local(["apply", "data", "--prune"]);
    const { "customer:acme": put, ...others } = await contentOf(kv);
    assert.deepEqual([JSON.parse(put), others], [customer("acme", { disabled: true }), before]);
    assert.deepEqual((await rows())[0], [
      "acme",
      "https://acme.tenants.example.com",
      "-",
      "disabled",
      "operator, over the config API",
    ]);

    const both = await own.local(["customers", "get", "acme", "--json"]);
    assert.deepEqual(both.json(), customer("acme", { disabled: true }));
    assert.match(both.err, /an operator's own record, and counts\. The config API says: .*api\.example\.com/);
    assert.equal(
      (await own.local(["customers", "get", "acme", "--config-api", "--json"])).json().backendUrl,
      "https://api.example.com",
    );
    assert.deepEqual((await own.local(["customers", "export"])).json(), [customer("acme", { disabled: true })]);
    assert.equal((await own.local(["customers", "export", "--all"])).json().length, 3);
    assert.equal((await own.local(["plan", "data", "--detailed-exitcode", "--prune"])).code, 0);

    for (const id of ["stark", "wayne"]) {
      assert.match(
        (await own.local(["customers", "remove", id], { want: 1 })).err,
        /no operator's own record of .*what it says would come back/,
      );
    }
    const removed = await own.local(["customers", "remove", "acme"]);
    assert.match(
      removed.out,
      /removed acme\n {2}what the config API says of acme counts from now on: active https:\/\/api\.example\.com/,
    );
    assert.deepEqual(await contentOf(kv), before);

    await kv.put("source:customer:wayne", fetched("wayne"));
    assert.match((await own.local(["customers", "tidy"])).out, /^1 entry deleted$/m);
    assert.deepEqual(Object.keys(await contentOf(kv)), [
      "source:customer:acme",
      "source:customer:stark",
      "source:customer:wayne",
    ]);
  } finally {
    await served.stop();
    own.close();
  }
});

test("an entry that is written anew keeps its end in KV, and its metadata", async () => {
  const kv = await gateway.kv();
  const expiration = Math.floor(Date.now() / 1000) + 3600;
  const ending = mint("sk_live");
  const name = (key) => `key:${createHash("sha256").update(key).digest("hex")}`;
  const beside = async (name) => {
    const { keys } = await kv.list({ prefix: name });
    return [keys[0]?.expiration, keys[0]?.metadata?.ticket, /^[0-9a-f]{64}$/.test(keys[0]?.metadata?.sha256)];
  };
  const options = { expiration, metadata: { ticket: "OPS-7" } };
  await kv.put("customer:ending", JSON.stringify(customer("ending")), options);
  await kv.put(name(ending), JSON.stringify({ subject: "ending", claims: { customerId: "ending" } }), options);

  await project.local(["customers", "put", "ending", "--backend-url", "https://put.example.com"]);
  assert.deepEqual(await beside("customer:ending"), [expiration, "OPS-7", true], "put");
  project.write("ending/customers.json", [customer("ending", { disabled: true })]);
  await project.local(["customers", "import", "ending/customers.json"]);
  assert.deepEqual(await beside("customer:ending"), [expiration, "OPS-7", true], "import");
  project.write("ending/customers.json", [customer("ending")]);
  await project.local(["apply", "ending"]);
  assert.deepEqual(await beside("customer:ending"), [expiration, "OPS-7", true], "apply");

  const roll = async (more) =>
    name((await project.local(["keys", "roll", name(ending), "--prefix", "sk_live", "--json", ...more])).json().key);
  assert.deepEqual(await beside(await roll([])), [expiration, undefined, true], "the new key ends as the old one does");
  assert.deepEqual(
    await beside(await roll(["--expires-at", "2099-01-01T00:00:00Z"])),
    [undefined, undefined, true],
    "unless another end is said",
  );
  assert.deepEqual(await beside(name(ending)), [expiration, "OPS-7", true], "roll");
  await project.local(["keys", "revoke", name(ending), "--disable"]);
  assert.deepEqual(await beside(name(ending)), [expiration, "OPS-7", true], "disable");

  // KV takes no end that is nearer than a minute.
  await kv.put("customer:soon", JSON.stringify(customer("soon")), { expiration: Math.floor(Date.now() / 1000) + 61 });
  await project.local(["customers", "put", "soon", "--backend-url", "https://put.example.com"]);
  const [soon] = await beside("customer:soon");
  assert.ok(soon > Date.now() / 1000 && soon < Date.now() / 1000 + 180);
});

test("a wrangler that fails is heard, and asked again where that helps", async () => {
  const kv = "failing";
  project.replaceWrangler('echo "Authentication error [code: 10000]" >&2; exit 1');
  const refused = await project.local(["apply", "data"], { kv, want: 3 });
  assert.match(refused.err, /error: wrangler kv key list failed:\nAuthentication error \[code: 10000\]/);
  project.replaceWrangler(
    'if [ $CALLS = 1 ]; then echo "PUT /bulk -> 429 Too Many Requests" >&2; exit 1; fi; exec "$REAL_WRANGLER" "$@"',
  );
  const patient = await project.local(["customers", "list", "--json"], { kv });
  assert.match(patient.err, /warning: wrangler kv key list failed and is tried again/);
  assert.deepEqual(patient.json(), []);
  project.replaceWrangler("echo no JSON");
  assert.match((await project.local(["customers", "list"], { kv, want: 3 })).err, /wrangler kv key list: expected/);
  assert.deepEqual(project.leftBehind(), []);
});
