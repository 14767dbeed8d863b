// Secrets of customers' backends on the command line: sealed into records of a local KV, opened by whoever has the key alone, and
// printed nowhere.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { compactDecrypt } from "jose";
import { withNpmBins } from "../../scripts/lib/modern-node.mjs";
import { npmBin } from "../../scripts/lib/paths.mjs";
import { openProject } from "./support/project.mjs";

const K1 = "pso_DemoOperatorSecretIsPublicNotForProduction0_1mpS7r";
const K2 = "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2";
const CANARY = "canary-secret-41d8";
const ORIGIN = "https://acme.tenants.example.com";
const gateway = (ids) => `
[api_keys]
prefixes = ["sk_live", "sk_test"]

[customers]
secrets = { keys = [${ids.map((id) => `{ id = "${id}", secret = "\${SEALING_${id.toUpperCase()}}" }`)}], fields = ["authorization", "x-api-key"] }

[[routes]]
path = "/{+path}"
auth = ["api_key"]
rules = [{ name = "customer", to = "customer" }]
`;

let project;
before(async () => {
  project = await openProject({ gateway: gateway(["k1"]) });
  // What .dev.vars has the command line takes for a local KV.
  project.write(".dev.vars", `SEALING_K1="${K1}"\nSEALING_K2="${K2}"\n`);
});
after(() => project?.close());

const put = (...urls) =>
  project.local(["customers", "put", "acme-corp", "-"], {
    input: JSON.stringify({ backends: urls.map((url) => ({ url })) }),
  });
const seal = (args, options) =>
  project.local(["customers", "seal", "acme-corp", ...args], { input: `${CANARY}\n`, ...options });
const record = async () => (await project.local(["customers", "get", "acme-corp", "--json"])).json();

/** Writes an entry without the command line, as somebody does in the dashboard. */
function putPast(name, record) {
  const to = ["--binding", "POINTSMAN_KV", "--local", "--persist-to", project.path("kv")];
  const args = ["kv", "key", "put", name, JSON.stringify(record), ...to];
  const { status, stderr } = spawnSync(npmBin("wrangler"), args, {
    cwd: project.folder,
    env: withNpmBins(),
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
}

/** What is sealed in the record, as somebody else's library reads it. */
async function opened(secret = K1) {
  const key = createHash("sha256").update(secret).digest();
  const { secrets = [] } = await record();
  return Promise.all(
    secrets.map(async (sealed) => {
      const { plaintext, protectedHeader } = await compactDecrypt(sealed, key);
      return { value: new TextDecoder().decode(plaintext), ...protectedHeader };
    }),
  );
}
const isSilent = ({ out, err }) => assert.ok(![CANARY, K1, K2].some((text) => (out + err).includes(text)), out + err);

test("a secret is sealed for the record's one origin, in the form that a field has", async () => {
  await put(`${ORIGIN}/base`);
  isSilent(await seal(["--bearer"]));
  isSilent(await seal(["--field", "X-Api-Key", "--json"]));
  const to = { alg: "dir", enc: "A256GCM", kid: "k1", sub: "acme-corp", aud: ORIGIN };
  assert.deepEqual(await opened(), [
    { value: `Bearer ${CANARY}`, ...to, field: "authorization" },
    { value: CANARY, ...to, field: "x-api-key" },
  ]);
  isSilent(await seal(["--basic", "gateway"]));
  const [key, basic] = await opened();
  assert.deepEqual([key.field, basic.value], ["x-api-key", `Basic ${btoa(`gateway:${CANARY}`)}`]);
  isSilent(await seal(["--field", "x-api-key", "--remove"]));
  assert.deepEqual(
    (await opened()).map(({ field }) => field),
    ["authorization"],
  );
  const told = await project.local(["explain", "--path", "/x", "--claims", '{"customerId":"acme-corp"}', "--json"]);
  assert.deepEqual(told.json().forward.plan.attempts[0].secrets, ["authorization"]);
  isSilent(told);
  const words = await project.local(["explain", "--path", "/x", "--claims", '{"customerId":"acme-corp"}']);
  assert.match(words.out, /with authorization: \(secret\) of the customer's record/);
});

test("of several origins those get it that are named, and a backend that moves does not take it along", async () => {
  await put(ORIGIN, "https://backup.example.com");
  const which = await seal([], { want: 1 });
  assert.match(which.err, /several origins: say --origin/);
  const stranger = await seal(["--origin", "https://mine.example.com"], { want: 1 });
  assert.match(stranger.err, /the record has https:\/\/acme\.tenants\.example\.com, https:\/\/backup/);
  await seal(["--field", "x-api-key", "--origin", "https://backup.example.com"]);
  assert.deepEqual(
    (await opened()).map(({ aud }) => aud),
    ["https://backup.example.com"],
  );
  const { secrets } = await record();
  const moved = { backendUrl: "https://moved.example.com", secrets };
  const refused = await project.local(["customers", "put", "acme-corp", "-"], {
    input: JSON.stringify(moved),
    want: 1,
  });
  assert.match(refused.err, /\/secrets\/0: was sealed for an origin that no backend of this record has/);
  // What was written past the command line, and is at fault since: sealed anew, or taken away.
  putPast("customer:acme-corp", { customerId: "acme-corp", ...moved });
  await seal(["--field", "x-api-key"]);
  assert.deepEqual(
    (await opened()).map(({ aud }) => aud),
    ["https://moved.example.com"],
  );
  const copied = { backendUrl: "https://backup.example.com", secrets };
  const stolen = await project.local(["customers", "put", "wayne-ent", "-"], {
    input: JSON.stringify(copied),
    want: 1,
  });
  assert.match(stolen.err, /\/secrets\/0: was sealed for another customer/);
});

test("what cannot be sealed is refused, and the record stays as it was", async () => {
  await put(ORIGIN);
  const before = await record();
  for (const [args, options, what] of [
    [["--field", "x-customer-id"], {}, /opens authorization, x-api-key to records/],
    [[], { input: "" }, /standard input/],
    [[], { input: "two\nlines" }, /in one line/],
    [["--basic", "a:b"], {}, /no colon/],
    [["--sealing-secret-file", project.path("word")], {}, /none that `pointsman secret create` made/],
  ]) {
    project.write("word", "correct-horse-battery-staple");
    const ended = await seal(args, { ...options, want: 1 });
    assert.match(ended.err, what);
    isSilent(ended);
  }
  assert.deepEqual(await record(), before);
  const nobody = await project.local(["customers", "seal", "nobody"], { input: CANARY, want: 1 });
  assert.match(nobody.err, /no operator's record of nobody/);
});

test("a key is changed by sealing anew what another one has sealed", async () => {
  await put(ORIGIN);
  await seal(["--bearer"]);
  project.write("gateway.toml", gateway(["k2", "k1"]));
  const done = await project.local(["customers", "reseal"]);
  isSilent(done);
  assert.match(done.out, /0 created, 1 changed/);
  const [sealed] = await opened(K2);
  assert.deepEqual([sealed.kid, sealed.value, sealed.aud], ["k2", `Bearer ${CANARY}`, ORIGIN]);
  assert.match((await project.local(["customers", "reseal"])).out, /nothing to do/);
  // With another secret in the place of the old one, nothing is written.
  project.write("gateway.toml", gateway(["k1", "k2"]));
  project.write(".dev.vars", `SEALING_K1="${K1}"\nSEALING_K2="${K1}"\n`);
  const before = await record();
  const refused = await project.local(["customers", "reseal"], { want: 1 });
  assert.match(refused.err, /customer acme-corp, \/secrets\/0: it was changed, or key k2 had another secret/);
  assert.deepEqual(await record(), before);
});
