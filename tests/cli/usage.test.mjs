import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import { after, afterEach, before, describe, it } from "node:test";
import { ACCOUNT, AnalyticsStandIn, TOKEN } from "../../demo/analytics/stand-in.mjs";
import { openProject } from "./support/project.mjs";

const NOW = Math.floor(Date.now() / 1000) * 1000;
const MINUTE = 60_000;
const HOSTILE = `O'Neill\\'; DROP TABLE points --\n"x"`;

/** A point of the gateway's schema. */
function point({ customer = "", backend = "", rule = "customer", key = "", reason = "", claimed = "", ...given }) {
  const { at, status = 200, millis = 10, waited = 8, bytes = [100, 1000] } = given;
  const blobs = [
    "1",
    customer,
    "/{+path}",
    rule,
    "",
    backend,
    backend && `${backend}-1`,
    key,
    key ? "api_key" : "anonymous",
  ];
  const attempts = backend ? 1 : 0;
  return {
    at,
    customer,
    backend,
    rule,
    key,
    reason,
    claimed,
    status,
    millis,
    indexes: [customer],
    blobs: [...blobs, reason, `${Math.floor(status / 100)}xx`, "FRA", "v7", "GET", claimed],
    doubles: [1, status, millis, backend ? waited : 0, 0, attempts, ...bytes],
  };
}

/** What the gateway answers for itself with: half of the time it is to blame. */
const reasonOf = (at) => (at % 16 === 2 ? "limit_unavailable" : "backend_unreachable");
/** Reasons that are a backend's. */
const OF_BACKENDS = ["", "backend_unreachable", "backend_timeout"];

/** Two hours of traffic, in which a backend goes away twenty minutes ago and an expired key is still in use. */
function scripted() {
  const points = [];
  for (let at = 0; at < 480; at++) {
    const minutes = 120 - at / 4;
    const customer = ["acme", "acme", "globex", HOSTILE][at % 4] ?? "";
    const backend = customer === "globex" ? "eu" : "us";
    const gone = backend === "eu" && minutes < 20;
    points.push(
      point({
        at: NOW - minutes * MINUTE,
        customer,
        backend,
        key: `${customer === "acme" ? "a" : "b"}${"0".repeat(15)}`,
        millis: 10 + (at % 100),
        ...(gone && { status: at % 8 === 2 ? 502 : 503, reason: at % 8 === 2 ? reasonOf(at) : "" }),
      }),
    );
  }
  for (let at = 1; at <= 9; at++)
    points.push(point({ at: NOW - at * MINUTE, status: 401, reason: "api_key_expired", claimed: "initech", rule: "" }));
  // A client that left is no error, nor is what a backend refuses.
  points.push(point({ at: NOW - 30_000, customer: "acme", backend: "us", status: 499 }));
  points.push(point({ at: NOW - 30_000, customer: "acme", backend: "us", status: 404 }));
  return points;
}

const isError = ({ status }) => status >= 500;
const isRefused = ({ status, reason }) => status >= 400 && status < 499 && reason !== "";
/** What the program is to find, counted without it. */
function counted(points) {
  const failing = points.filter((one) => isError(one) || isRefused(one)).map(({ at }) => at);
  const sorted = points.map(({ millis }) => millis).sort((one, other) => one - other);
  return {
    requests: points.length,
    errors: points.filter(isError).length,
    backendErrors: points.filter((one) => isError(one) && OF_BACKENDS.includes(one.reason)).length,
    refused: points.filter(isRefused).length,
    durationP95: sorted[Math.ceil(points.length * 0.95) - 1],
    firstFailing: failing.length > 0 ? second(Math.min(...failing)) : undefined,
    lastSeen: second(Math.max(...points.map(({ at }) => at))),
    requestBytes: points.length * 100,
  };
}
const second = (at) => new Date(Math.floor(at / 1000) * 1000).toISOString();

const WRANGLER = (dataset = "pointsman") =>
  `name = "gateway"\nmain = "build/worker.js"\n[[analytics_engine_datasets]]\nbinding = "METRICS"\ndataset = "${dataset}"\n`;

describe("pointsman usage", () => {
  let project;
  let standIn;
  let base;
  const servers = [];
  before(async () => {
    project = await openProject();
    project.write("wrangler.toml", WRANGLER());
    standIn = new AnalyticsStandIn();
    base = await standIn.start();
    for (const one of scripted()) standIn.write(one, one.at);
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });
  after(async () => {
    await standIn.stop();
    project.close();
  });
  const environment = (more = {}) => ({
    CLOUDFLARE_ACCOUNT_ID: ACCOUNT,
    CLOUDFLARE_API_TOKEN: TOKEN,
    METRICS_DATASET: "",
    CLOUDFLARE_API_BASE_URL: `${base}/client/v4`,
    ...more,
  });
  async function usage(args, { want = 0, env = {} } = {}) {
    const ended = await project.run(["usage", ...args], { env: environment(env) });
    assert.equal(ended.code, want, `${ended.out}${ended.err}`);
    assert.ok(!`${ended.out}${ended.err}`.includes(TOKEN), "the token is nowhere");
    return ended;
  }
  const json = async (args, options) => (await usage([...args, "--json"], options)).json();
  /** Answers all calls so, in the API's place. */
  async function inPlace(handle) {
    const server = createServer(handle);
    servers.push(server);
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${server.address().port}/client/v4` };
  }

  it("counts by each dimension what was written, from when on it is asked", async () => {
    for (const [since, minutes] of [
      ["1h", 60],
      ["3h", 180],
    ]) {
      const points = scripted().filter(({ at }) => at >= NOW - minutes * MINUTE);
      for (const by of ["customer", "backend", "rule", "reason", "key"]) {
        const until = second(NOW + 2000);
        const from = new Date(NOW - minutes * MINUTE).toISOString();
        const { rows, sampled } = await json(["--by", by, "--since", since === "1h" ? from : since, "--until", until]);
        const groups = Object.groupBy(points, (one) => one[by]);
        if (by === "reason") delete groups[""];
        assert.deepEqual(rows.map(({ name }) => name).sort(), Object.keys(groups).sort(), by);
        for (const row of rows) {
          for (const [name, value] of Object.entries(counted(groups[row.name])))
            assert.equal(row[name], value, `${by} ${row.name} ${name}`);
        }
        assert.equal(sampled, false);
      }
    }
  });

  it("shows what fails, whom it hits and since when", async () => {
    const { out } = await usage([]);
    const began = counted(scripted().filter(({ reason }) => reason === "api_key_expired")).firstFailing;
    assert.match(out, /^pointsman from \S+Z to \S+Z\n\d+ requests, 20 errors \(\d+\.\d %\), 9 refused\n/);
    assert.match(out, /of the errors, 15 are of backends and 5 of the gateway itself/);
    assert.match(out, new RegExp(`api_key_expired +0 +0 +9 +9 +${began.replace(".000", "")}`));
    assert.match(out, /Customers who are hit\nCUSTOMER.*\nglobex +20 +15 +0 +\d+\b/);
    assert.match(out, /not verified\)\n.*\ninitech +0 +0 +9/);
    assert.match(out, /Backends that fail\nBACKEND.*\neu +20/);
    assert.ok(!out.includes("acme"), "whom nothing hits is not named");
    const { totals, reasons, customers, sampled } = await json([]);
    assert.equal(totals.errors, 20);
    assert.deepEqual(
      reasons.map(({ name }) => name),
      ["backend_unreachable", "limit_unavailable", "api_key_expired"],
    );
    assert.equal(customers[0].name, "globex");
    assert.equal(sampled, false);
  });

  it("chooses by several filters, any name among them", async () => {
    const points = scripted().filter(({ at }) => at >= NOW - 180 * MINUTE);
    const ask = async (...filters) => (await json(["--by", "status", "--since", "3h", ...filters])).rows;
    const sum = (rows) => rows.reduce((total, { requests }) => total + requests, 0);
    const of = (fits) => points.filter(fits).length;
    assert.equal(
      sum(await ask("--customer", HOSTILE)),
      of(({ customer }) => customer === HOSTILE),
    );
    assert.equal(sum(await ask("--customer", "x' OR '1'='1")), 0);
    assert.equal(
      sum(await ask("--customer", "acme", "--customer", "globex", "--backend", "eu")),
      of(({ customer }) => customer === "globex"),
    );
    assert.equal(
      sum(await ask("--key", "a0")),
      of(({ key }) => key.startsWith("a")),
    );
    assert.equal(
      sum(await ask("--key", `a${"0".repeat(63)}`)),
      of(({ key }) => key.startsWith("a")),
    );
    assert.equal(sum(await ask("--reason", "api_key_expired", "--status", "4xx", "--claimed-customer", "initech")), 9);
    const { err } = await usage(["--key", "' OR 1"], { want: 2 });
    assert.match(err, /hexadecimal and in lower case/);
  });

  it("prints a name that somebody made up as text", async () => {
    const { out } = await usage(["--by", "customer", "--since", "3h"]);
    assert.ok(out.includes(`O'Neill\\'; DROP TABLE points --\\n"x"`), out);
    assert.ok(out.includes("(none)"));
  });

  it("shows only what fails, the worst first, and as many rows as are asked for", async () => {
    const worst = await json(["--by", "customer", "--errors"]);
    assert.deepEqual(
      worst.rows.map(({ name }) => name),
      ["globex", ""],
    );
    const one = await json(["--by", "customer", "--errors", "--limit", "1"]);
    assert.deepEqual([one.rows.length, one.cut], [1, true]);
    const { out } = await usage(["--by", "customer", "--limit", "1"]);
    assert.match(out, /There may be more than these 1 rows/);
    const none = await usage([
      "--by",
      "customer",
      "--since",
      "2020-01-01T00:00:00Z",
      "--until",
      "2020-01-02T00:00:00Z",
    ]);
    assert.match(none.out, /^no requests from 2020-01-01T00:00:00Z/);
    assert.match(none.err, /keeps points for three months/);
  });

  it("weighs sampled points and says that these are estimates", async () => {
    const sampled = new AnalyticsStandIn({ sampling: 10 });
    const env = { CLOUDFLARE_API_BASE_URL: `${await sampled.start()}/client/v4` };
    try {
      for (let at = 0; at < 200; at++)
        sampled.write(point({ customer: "acme", backend: "eu", status: at % 20 === 0 ? 500 : 200 }), NOW - at * 1000);
      const { rows, sampled: told } = await json(["--by", "customer"], { env });
      assert.deepEqual([rows[0].requests, rows[0].errors, rows[0].sampled, told], [200, 100, true, true]);
      const { out } = await usage(["--by", "customer"], { env });
      assert.match(out, /acme +~200 +~100 /);
      assert.match(out, /~ Sampled: /);
      assert.match((await usage([], { env })).out, /~200 requests, ~100 errors/);
    } finally {
      await sampled.stop();
    }
  });

  it("says what is missing and where to write it", async () => {
    const told = async (env, want = 1) => (await usage([], { env, want })).err;
    assert.match(
      await told({ CLOUDFLARE_API_TOKEN: "" }),
      /need a token in CLOUDFLARE_API_TOKEN.*Account Analytics Read/,
    );
    assert.match(
      await told({ CLOUDFLARE_ACCOUNT_ID: "" }),
      /set CLOUDFLARE_ACCOUNT_ID, or account_id in \S*wrangler.toml/,
    );
    assert.match(await told({ CLOUDFLARE_ACCOUNT_ID: "../x" }), /CLOUDFLARE_ACCOUNT_ID must be an account's id/);
    assert.match(await told({ CLOUDFLARE_API_BASE_URL: "http://api.example.com" }), /must be an https address/);
    project.write("wrangler.toml", `account_id = "${ACCOUNT}"\n${WRANGLER()}`);
    await usage([], { env: { CLOUDFLARE_ACCOUNT_ID: "" } });
    project.write("wrangler.toml", 'name = "gateway"\n');
    assert.match(
      await told({}),
      /wrangler.toml binds no data set as METRICS, so .*add \[\[analytics_engine_datasets\]\] binding = "METRICS", dataset = "pointsman"/,
    );
    await usage([], { env: { METRICS_DATASET: "pointsman" } });
    assert.match(await told({ METRICS_DATASET: "a'; DROP" }), /METRICS_DATASET.* must be up to 100 letters/);
    project.write("wrangler.toml", "name = ");
    assert.match(
      await told({ METRICS_DATASET: "pointsman", CLOUDFLARE_ACCOUNT_ID: "" }),
      /mend it, or set METRICS_DATASET and CLOUDFLARE_ACCOUNT_ID in its place/,
    );
    project.write("wrangler.toml", WRANGLER("elsewhere"));
    assert.match(await told({}, 3), /422 Input: unknown table: elsewhere.*The data set elsewhere is there once/);
    project.write("wrangler.toml", WRANGLER());
  });

  it("needs no file of wrangler's where variables name the data set and the account", async () => {
    const named = { METRICS_DATASET: "pointsman" };
    const expected = await json(["--by", "rule", "--until", new Date(NOW).toISOString()], { env: named });
    rmSync(project.path("wrangler.toml"));
    const asked = await json(["--by", "rule", "--until", new Date(NOW).toISOString()], { env: named });
    assert.deepEqual(asked.rows, expected.rows);
    assert.ok(asked.rows.length > 0);
    const missing = await usage([], { want: 1 });
    assert.match(missing.err, /mend it, or set METRICS_DATASET and CLOUDFLARE_ACCOUNT_ID in its place/);
    project.write("wrangler.toml", WRANGLER());
  });

  it("has nothing but filters under the heading of the filters in its help", async () => {
    const { out } = await usage(["--help"]);
    const [before, filters] = out.split(/^Filters: .*$/m);
    for (const option of ["--by", "--since", "--until", "--limit", "--errors", "--json", "--wrangler"])
      assert.ok(before.includes(`      ${option}`) && !filters.includes(`      ${option} `), option);
    assert.match(filters, /--customer <ID>/);
  });

  it("tells a token that is not taken from an API that is down", async () => {
    const refused = await usage([], { env: { CLOUDFLARE_API_TOKEN: "another-token" }, want: 1 });
    assert.match(refused.err, /401 Authentication error.*permission Account Analytics Read/);
    assert.ok(!refused.err.includes("another-token"));
    const down = await usage([], { env: { CLOUDFLARE_API_BASE_URL: "http://127.0.0.1:9/client/v4" }, want: 3 });
    assert.match(down.err, /POST http:\/\/127\.0\.0\.1:9\S*:/);
    const failing = await inPlace((request, response) => response.writeHead(502).end("<html>bad gateway</html>"));
    assert.match((await usage([], { env: failing, want: 3 })).err, /502 <html>bad gateway/);
    const nonsense = await inPlace((request, response) => response.end('{"data":[{"requests":"many"}]}'));
    assert.match((await usage([], { env: nonsense, want: 3 })).err, /row 0 has no readable requests/);
    const elsewhere = await inPlace((request, response) =>
      response.writeHead(302, { location: `${base}/client/v4/accounts/${ACCOUNT}/analytics_engine/sql` }).end(),
    );
    assert.match((await usage([], { env: elsewhere, want: 3 })).err, /302/);
  });

  it("waits for an API that is slow, and sends the SQL as text with the token in its field alone", async () => {
    const seen = [];
    const slow = await inPlace((request, response) => {
      seen.push({ url: request.url, type: request.headers["content-type"], token: request.headers.authorization });
      setTimeout(() => standIn.handle(request, response), 1500);
    });
    await json(["--by", "rule"], { env: slow });
    assert.deepEqual(seen, [
      { url: `/client/v4/accounts/${ACCOUNT}/analytics_engine/sql`, type: "text/plain", token: `Bearer ${TOKEN}` },
    ]);
  });
});
