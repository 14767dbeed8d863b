// When keys and customers were used last, by a local KV and by the metrics of the stand-in.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { ACCOUNT, AnalyticsStandIn, TOKEN } from "../../demo/analytics/stand-in.mjs";
import { openProject } from "./support/project.mjs";

const DAY = 24 * 3600_000;
const NOW = Math.floor(Date.now() / 1000) * 1000;
const digest = (name) => createHash("sha256").update(name).digest("hex");
const time = (at) => new Date(at).toISOString();

describe("the last use of keys and customers", () => {
  let project;
  let standIn;
  let env;
  before(async () => {
    project = await openProject();
    project.write(
      "wrangler.toml",
      `name = "gateway"\ncompatibility_date = "2026-07-01"
[[kv_namespaces]]\nbinding = "POINTSMAN_KV"\nid = "0123456789abcdef0123456789abcdef"
[[analytics_engine_datasets]]\nbinding = "METRICS"\ndataset = "pointsman"\n`,
    );
    standIn = new AnalyticsStandIn();
    env = {
      CLOUDFLARE_ACCOUNT_ID: ACCOUNT,
      CLOUDFLARE_API_TOKEN: TOKEN,
      CLOUDFLARE_API_BASE_URL: `${await standIn.start()}/client/v4`,
    };
    const key = (subject, age) => ({
      sha256: digest(subject),
      subject,
      claims: { customerId: "acme-corp" },
      createdAt: time(NOW - age * DAY),
    });
    const keys = [key("busy", 300), key("idle", 300), key("refused", 300), key("young", 3)];
    project.write("keys.jsonl", keys.map((one) => JSON.stringify(one)).join("\n"));
    await project.local(["keys", "import", "keys.jsonl"]);
    for (const id of ["acme-corp", "globex"])
      await project.local(["customers", "put", id, "--backend-url", `https://${id}.example.com`]);
  });
  after(async () => {
    await standIn?.stop();
    project?.close();
  });

  /** What the gateway writes of a request with the key of this subject. */
  function write(subject, age, { reason = "", customer = "acme-corp", status = 200 } = {}) {
    const known = reason === "" ? customer : "";
    const blobs = ["1", known, "/", "customer", "", reason ? "" : "eu", "", digest(subject).slice(0, 16), "api_key"];
    const doubles = [1, status, 5, 3, 0, reason ? 0 : 1];
    standIn.write({ indexes: [known], blobs: [...blobs, reason], doubles }, NOW - age * DAY);
  }
  beforeEach(() => {
    standIn.clear();
    standIn.sampling = 1;
    // There were metrics 60 days ago.
    write("gone", 60, { customer: "initech" });
    write("busy", 50);
    write("busy", 2);
    write("idle", 40);
    write("refused", 45);
    write("refused", 1, { reason: "api_key_expired", status: 401 });
  });
  const list = async (...args) => project.local(["keys", "list", ...args], { env });
  const subjects = (listed) => listed.map(({ record }) => record.subject).sort();

  it("stands beside each key, with the last refusal", async () => {
    const keys = (await list("--last-used", "--json")).json();
    const of = Object.fromEntries(keys.map((key) => [key.record.subject, key]));
    assert.deepEqual(
      ["busy", "idle", "refused", "young"].map((subject) => of[subject].lastUsed),
      [time(NOW - 2 * DAY), time(NOW - 40 * DAY), time(NOW - 45 * DAY), null],
    );
    assert.equal(of.refused.lastRefused, time(NOW - DAY));
    assert.equal(of.busy.lastRefused, null);
    assert.deepEqual(of.busy.metrics, { since: time(NOW - 60 * DAY), sampled: false, certain: false });
    const { out, err } = await list("--last-used");
    assert.match(out, /EXPIRES +LAST USED +LAST REFUSED +CLAIMS/);
    assert.match(out, new RegExp(`busy .*${time(NOW - 2 * DAY).replace(".000", "")} +- `));
    assert.match(out, /young .*none seen/);
    assert.match(err, /"none seen" is not "never"/);
    assert.ok(!`${out}${err}`.includes("never used") && !`${out}${err}`.includes(TOKEN));
  });

  it("is asked of nobody where nobody wants it", async () => {
    const [first] = (await project.local(["keys", "list", "--json"])).json();
    assert.deepEqual(Object.keys(first).sort(), ["digest", "record", "state"]);
  });

  it("finds the keys that were not used for a span, but none that is younger", async () => {
    const unused = await list("--unused-for", "30d", "--json");
    assert.deepEqual(subjects(unused.json()), ["idle", "refused"]);
    assert.ok(unused.json().every(({ metrics }) => metrics.certain));
    assert.match(unused.err, /those without a time were not used since/);
    assert.deepEqual(subjects((await list("--unused-for", "42d", "--json")).json()), ["refused"]);
    assert.deepEqual(subjects((await list("--unused-for", "1d", "--json")).json()), [
      "busy",
      "idle",
      "refused",
      "young",
    ]);
    assert.match((await list("--unused-for", "48d")).err, /no keys/);
  });

  it("says only that no use was seen where the metrics are younger than the span", async () => {
    const unused = await project.local(["keys", "list", "--unused-for", "90d", "--json"], { env, want: 0 });
    assert.deepEqual(subjects(unused.json()), [], "all were seen");
    standIn.clear();
    write("busy", 2);
    const young = await project.local(["keys", "list", "--unused-for", "90d", "--json"], { env, want: 4 });
    assert.deepEqual(subjects(young.json()), ["idle", "refused"]);
    assert.deepEqual(young.json()[0].metrics, { since: time(NOW - 2 * DAY), sampled: false, certain: false });
    assert.match(young.err, /the metrics do not reach back so far: no use was seen since/);
    assert.doesNotMatch(young.err, /not used since/);
    const longer = await project.local(["keys", "list", "--unused-for", "200d"], { env, want: 4 });
    assert.match(longer.err, /do not reach back so far/);
    standIn.clear();
    const empty = await project.local(["keys", "list", "--unused-for", "1d"], { env, want: 3 });
    assert.match(empty.err, /unknown table: pointsman/);
  });

  it("says only that no use was seen where points were sampled", async () => {
    standIn.sampling = 5;
    write("other", 3, { customer: "hooli" });
    const sampled = await project.local(["keys", "list", "--unused-for", "30d"], { env, want: 4 });
    assert.match(sampled.err, /kept one of several points: rare use may be missing/);
    assert.match(sampled.err, /no use was seen since \S+, which does not say that there was none/);
  });

  it("stands beside each customer", async () => {
    const customers = await project.local(["customers", "list", "--last-used", "--json"], { env });
    assert.deepEqual(
      customers.json().map(({ customerId, lastUsed }) => [customerId, lastUsed]),
      [
        ["acme-corp", time(NOW - 2 * DAY)],
        ["globex", null],
      ],
    );
    const { out, err } = await project.local(["customers", "list", "--last-used"], { env });
    assert.match(out, /SAID BY +LAST USED +LAST REFUSED\n/);
    assert.match(out, /globex .*none seen/);
    assert.match(err, /last use by the metrics in pointsman/);
    const plain = await project.local(["customers", "list", "--json"]);
    assert.ok(plain.json().every((record) => !("lastUsed" in record)));
  });

  it("lists nothing where the metrics cannot be asked", async () => {
    const refused = await project.local(["keys", "list", "--last-used"], {
      env: { ...env, CLOUDFLARE_API_TOKEN: "other" },
      want: 1,
    });
    assert.equal(refused.out, "");
    assert.match(refused.err, /permission Account Analytics Read/);
  });
});
