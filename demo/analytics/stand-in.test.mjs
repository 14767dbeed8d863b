import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ACCOUNT, AnalyticsStandIn, TOKEN } from "./stand-in.mjs";

const AT = Date.parse("2026-12-01T03:00:00Z");
const point = (customer, status, millis, more = {}) => ({
  indexes: [customer],
  blobs: ["1", customer, ...Array(7).fill(""), more.reason ?? ""],
  doubles: [1, status, millis],
});

/** Runs a question over these points. */
function ask(points, sql, options = {}) {
  const standIn = new AnalyticsStandIn({ now: () => AT, ...options });
  for (const [at, one] of points.entries()) standIn.write(one, one.timestamp ?? AT + at * 1000);
  return standIn.query(sql);
}
const POINTS = [point("acme", 200, 10), point("acme", 500, 30), point("globex", 200, 20)];

describe("the stand-in's SQL", () => {
  it("groups, filters behind the groups and sorts, with 64-bit counts as text", () => {
    const { meta, data, rows } = ask(
      POINTS,
      `SELECT blob2 AS name, sum(_sample_interval) AS requests, sum(if(double2 >= 500, _sample_interval, 0)) AS errors,
         max(double3) AS slowest, max(_sample_interval) AS interval
       FROM pointsman WHERE blob1 = '1' GROUP BY name HAVING requests > 0 ORDER BY errors DESC, name LIMIT 10 FORMAT JSON`,
    );
    assert.deepEqual(data, [
      { name: "acme", requests: "2", errors: "1", slowest: 30, interval: 1 },
      { name: "globex", requests: "1", errors: "0", slowest: 20, interval: 1 },
    ]);
    assert.equal(rows, 2);
    assert.deepEqual(
      meta.map(({ type }) => type),
      ["String", "UInt64", "UInt64", "Float64", "UInt32"],
    );
  });

  it("writes times as text of UTC and cuts them into intervals", () => {
    const { data } = ask(
      [
        { ...POINTS[0], timestamp: "2026-12-01T03:04:59.999Z" },
        { ...POINTS[1], timestamp: "2026-12-01T03:05:00Z" },
      ],
      `SELECT toStartOfInterval(timestamp, INTERVAL '300' SECOND) AS bucket, max(timestamp) AS last,
         max(toUnixTimestamp(timestamp)) AS seconds
       FROM pointsman GROUP BY bucket ORDER BY bucket`,
    );
    assert.deepEqual(data, [
      { bucket: "2026-12-01 03:00:00", last: "2026-12-01 03:04:59", seconds: AT / 1000 + 299 },
      { bucket: "2026-12-01 03:05:00", last: "2026-12-01 03:05:00", seconds: AT / 1000 + 300 },
    ]);
  });

  it("compares times with literals and with now", () => {
    const count = (condition) => ask(POINTS, `SELECT count() AS n FROM pointsman WHERE ${condition}`).data[0].n;
    assert.equal(count(`timestamp >= toDateTime(${AT / 1000 + 1})`), "2");
    assert.equal(count("timestamp < toDateTime('2026-12-01 03:00:02')"), "2");
    assert.equal(count("timestamp > now() - INTERVAL '1' HOUR"), "3");
    assert.equal(count("timestamp > now()"), "2");
  });

  it("weighs quantiles as ClickHouse does", () => {
    const points = [1, 2, 3, 4].map((millis) => point("a", 200, millis));
    const quantile = (level, weight = "_sample_interval") =>
      ask(points, `SELECT quantileExactWeighted(${level})(double3, ${weight}) AS q FROM pointsman`).data[0].q;
    assert.equal(quantile(0.5), 2);
    assert.equal(quantile(0.51), 3);
    assert.equal(quantile(0.95), 4);
    assert.equal(quantile(0.5, "if(double3 > 3, 10, 1)"), 4);
    assert.equal(quantile(0.5, "if(double3 > 3, 0, 0)"), null);
  });

  it("tells LIKE from ILIKE, and finds text by its digits", () => {
    const names = (condition) =>
      ask(
        [point("Acme", 200, 1), point("acme", 200, 1), point("O'Neill\\", 200, 1)],
        `SELECT blob2 AS name FROM pointsman WHERE ${condition} ORDER BY name`,
      ).data.map(({ name }) => name);
    assert.deepEqual(names("blob2 LIKE 'ac%'"), ["acme"]);
    assert.deepEqual(names("blob2 ILIKE 'ac%'"), ["Acme", "acme"]);
    assert.deepEqual(names("hex(blob2) = '4F274E65696C6C5C'"), ["O'Neill\\"]);
    assert.deepEqual(names("blob2 NOT IN ('acme', 'Acme')"), ["O'Neill\\"]);
  });

  it("answers for no rows with what nothing adds up to", () => {
    const { data } = ask(
      POINTS,
      `SELECT sum(_sample_interval) AS n, min(timestamp) AS first, quantileExactWeighted(0.5)(double3, _sample_interval) AS q
       FROM pointsman WHERE blob2 = 'nobody'`,
    );
    assert.deepEqual(data, [{ n: "0", first: "1970-01-01 00:00:00", q: null }]);
  });

  it("refuses what the dialect does not document, though SQLite would run it", () => {
    const refused = (sql, message) => assert.throws(() => ask(POINTS, sql), { message }, sql);
    refused("SELECT blob2, count() FROM pointsman", /blob2 is neither in GROUP BY/);
    refused("SELECT sum(n) AS m, count() AS n FROM pointsman", /inside of sum/);
    refused("SELECT blob21 FROM pointsman", /unable to find type of column: "blob21"/);
    refused("SELECT coalesce(blob1) FROM pointsman", /unknown function: coalesce/);
    refused("SELECT blob1 FROM pointsman WHERE blob1 = 1", /cannot apply = to String and UInt32/);
    refused("SELECT blob1 FROM pointsman WHERE blob1", /need a condition/);
    refused("SELECT blob1 FROM pointsman WHERE count() > 1", /in WHERE/);
    refused("SELECT if(double1 > 1, blob1, 0) FROM pointsman", /two values of one type/);
    refused("SELECT blob1 FROM pointsman WHERE blob1 = 'O''Neill'", /has an escape/);
    refused("SELECT blob1 FROM pointsman WHERE blob1 = 'O\\'Neill'", /has an escape/);
    refused("SELECT blob1 FROM pointsman; DELETE FROM points", /cannot read ";"/);
    refused("SELECT blob1 FROM pointsman UNION SELECT blob2 FROM pointsman", /expected the end, found UNION/);
    refused("SELECT blob1 FROM (SELECT blob1 FROM pointsman)", /expected a name/);
    refused("SELECT blob1 FROM pointsman FORMAT TabSeparated", /in JSON only/);
    refused("SELECT blob1 FROM elsewhere", /unknown table: elsewhere/);
    refused("DELETE FROM pointsman", /expected SELECT/);
  });
});

describe("the stand-in's points", () => {
  it("keep one of many of each index, which stands for all", () => {
    const points = [...Array(30).fill(point("busy", 200, 5)), point("idle", 200, 5)];
    const { data } = ask(
      points,
      `SELECT index1 AS name, count() AS kept, sum(_sample_interval) AS n FROM pointsman GROUP BY name ORDER BY name`,
      { sampling: 10 },
    );
    assert.deepEqual(data, [
      { name: "busy", kept: "3", n: "30" },
      { name: "idle", kept: "1", n: "10" },
    ]);
  });

  it("are refused where the platform would not take them", () => {
    const standIn = new AnalyticsStandIn();
    assert.throws(() => standIn.write({ blobs: Array(21).fill("") }), /20 blobs/);
    assert.throws(() => standIn.write({ indexes: ["x".repeat(97)] }), /96 bytes/);
    assert.throws(() => standIn.write({ blobs: ["x".repeat(16_385)] }), /16 KB/);
    assert.throws(() => standIn.write({}, "yesterday"), /no time/);
  });

  it("have empty text and zeros where nothing was given", () => {
    const { data } = ask([{ blobs: ["1", null] }], "SELECT index1, blob2, blob20, double20 FROM pointsman");
    assert.deepEqual(data, [{ index1: "", blob2: "", blob20: "", double20: 0 }]);
  });
});

describe("the stand-in's calls", () => {
  /** @type {AnalyticsStandIn} */
  let standIn;
  let base = "";
  before(async () => {
    standIn = new AnalyticsStandIn();
    base = await standIn.start();
  });
  after(() => standIn.stop());
  const call = (sql, { token = TOKEN, account = ACCOUNT } = {}) =>
    fetch(`${base}/client/v4/accounts/${account}/analytics_engine/sql`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: sql,
    });
  const ingest = (body, dataset = "") => fetch(`${base}/ingest${dataset}`, { method: "POST", body });

  it("take points of another process and answer questions of them", async () => {
    const written = await ingest(JSON.stringify([{ ...POINTS[0], timestamp: AT }, POINTS[1]]));
    assert.equal(written.status, 204);
    assert.equal((await ingest(JSON.stringify(POINTS), "?dataset=other")).status, 204);
    const answered = await call("SELECT count() AS n, min(timestamp) AS first FROM pointsman");
    assert.equal(answered.status, 200);
    assert.deepEqual((await answered.json()).data, [{ n: "2", first: "2026-12-01 03:00:00" }]);
    const tables = await (await call("SHOW TABLES")).json();
    assert.deepEqual(tables.data, [{ dataset: "other" }, { dataset: "pointsman" }]);
  });

  it("need the token and the account, and are told what is wrong with the SQL", async () => {
    for (const wrong of [{ token: "other" }, { account: "f".repeat(32) }]) {
      const refused = await call("SHOW TABLES", wrong);
      assert.equal(refused.status, 401);
      assert.equal((await refused.json()).errors[0].code, 10_000);
    }
    const faulty = await call("SELECT nothing FROM pointsman");
    assert.equal(faulty.status, 422);
    assert.equal(await faulty.text(), 'Input: unable to find type of column: "nothing"');
    assert.equal((await ingest("{}")).status, 400);
    assert.equal((await fetch(`${base}/elsewhere`, { method: "POST" })).status, 404);
    assert.equal((await fetch(`${base}/ingest`)).status, 405);
  });
});
