// A point of metrics: what stands where, as docs/metrics.md has it, and that no point costs a request its end.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterEach, test } from "node:test";
import { finish, installLog } from "../../src/edge/finish.js";
import { installMetrics, noteColo, SCHEMA } from "../../src/edge/metrics.js";

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const quiet = (context) => context.mock.method(console, "log", () => {});

/** The points that `act` writes. */
function pointsOf(context, act, writeDataPoint = undefined) {
  const points = [];
  const write = writeDataPoint ?? ((point) => points.push(point));
  assert.equal(installMetrics({ METRICS: { writeDataPoint: write } }, "0123456789abcdef", sha256), true);
  quiet(context);
  act();
  return points;
}

afterEach(() => {
  installMetrics({}, "", sha256);
  installLog(false, 1_000_000);
});

const line = (members) => JSON.stringify({ event: "request", ...members }).slice(0, -1);
const CALLED = { origin: '"https://a.example"', attempt: 2, sentAt: 1100 };
const MEMBERS = {
  method: "GET",
  route: "orders",
  auth: "api_key",
  subject: "not told",
  customer: "acme",
  rule: "r",
  variant: "v",
  backend: "b",
  key: "53b5b0f1a1c0e1d2",
};

test("a point has everything where docs/metrics.md says that it stands", (context) => {
  const [point, ...more] = pointsOf(context, () => {
    noteColo({ cf: { colo: "FRA" } });
    finish({ line: line(MEMBERS), began: 1000 }, { status: 503, reason: "backend_timeout", called: CALLED, now: 1500 });
  });
  assert.deepEqual(more, []);
  const blobs = [SCHEMA, "acme", "orders", "r", "v", "b", "https://a.example", "53b5b0f1a1c0e1d2", "api_key"];
  assert.deepEqual(point, {
    indexes: ["acme"],
    blobs: [...blobs, "backend_timeout", "5xx", "FRA", "0123456789abcdef", "GET", ""],
    doubles: [1, 503, 500, 400, 100, 2, 0, 0],
  });
});

test("docs/metrics.md lists each blob and double of a point, in order, and no others", (context) => {
  const [point] = pointsOf(context, () => finish({ line: line(MEMBERS), began: 1000 }, { status: 200 }));
  const document = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
  const listed = (kind) =>
    [...document.matchAll(new RegExp(`^\\| \`${kind}(\\d+)\` \\|`, "gm"))].map(([, n]) => Number(n));
  const upTo = (length) => Array.from({ length }, (_, index) => index + 1);
  assert.deepEqual(listed("blob"), upTo(point.blobs.length));
  assert.deepEqual(listed("double"), upTo(point.doubles.length));
  assert.match(document, new RegExp(`version of a point is \`${SCHEMA}\``));
});

test("a refusal has waited all its time, and tells whom its credential names", (context) => {
  const members = { method: "GET", auth: "main", unverified_customer: "acme", unverified_subject: "not told" };
  const [point] = pointsOf(context, () =>
    finish({ line: line(members), began: 1000 }, { status: 401, reason: "token_expired", now: 1040 }),
  );
  assert.deepEqual(point.indexes, [""]);
  assert.equal(point.blobs[14], "acme");
  assert.deepEqual(point.doubles, [1, 401, 40, 0, 40, 0, 0, 0]);
  assert.doesNotMatch(JSON.stringify(point), /not told/);
});

test("texts of a point are those of the line, whatever they hold", (context) => {
  const odd = ['a"b', "a\\", '\\"', "é\n\u2028", ',"customer":"other', "", 'x,"', "\\u0041"];
  for (const text of odd) {
    const members = {
      method: text,
      subject: ',"customer":"other"',
      route: text,
      rule: `${text},`,
      customer: text,
      key: text,
    };
    const [{ blobs }] = pointsOf(context, () => finish({ line: line(members), began: 0 }, { status: 200 }));
    assert.deepEqual([blobs[1], blobs[2], blobs[3], blobs[7], blobs[13]], [text, text, `${text},`, text, text]);
  }
});

test("a customer whose id is no index is known by its digest", (context) => {
  const at = (customer) =>
    pointsOf(context, () => finish({ line: line({ customer }), began: 0 }, { status: 200 }))[0].indexes[0];
  assert.equal(at("x".repeat(96)), "x".repeat(96));
  assert.equal(at("é".repeat(48)), "é".repeat(48));
  assert.equal(at("x".repeat(97)), `sha256:${sha256("x".repeat(97))}`);
  assert.equal(at("é".repeat(49)), `sha256:${sha256("é".repeat(49))}`);
});

test("a point stays within what the platform takes, whatever a client sends", (context) => {
  const long = "M".repeat(5000);
  const [{ blobs, indexes }] = pointsOf(context, () =>
    finish(
      { line: line({ ...MEMBERS, method: long, route: long, customer: "é".repeat(128) }), began: 0 },
      { status: 200 },
    ),
  );
  const bytes = blobs.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  assert.ok(blobs.length <= 20 && bytes <= 16 * 1024, `${bytes} bytes`);
  assert.ok(Buffer.byteLength(indexes[0]) <= 96);
});

test("a dataset that takes no point costs nobody the end of a request", (context) => {
  const lines = [];
  pointsOf(
    context,
    () => {
      context.mock.method(console, "log", (text) => lines.push(text));
      finish({ line: line(MEMBERS), began: 0 }, { status: 200 });
    },
    () => {
      throw new TypeError("Maximum of 20 blobs exceeded");
    },
  );
  assert.equal(lines.length, 1);
});

test("where no dataset is bound there are no points", () => {
  for (const env of [{}, { METRICS: undefined }, { METRICS: "a variable" }, { METRICS: { fetch() {} } }])
    assert.equal(installMetrics(env, "", sha256), false);
});

test("points are written of all requests, also of those without a line", (context) => {
  const points = pointsOf(context, () => {
    installLog(false, 0);
    for (let time = 0; time < 100; time++) finish({ line: line(MEMBERS), began: 0 }, { status: 200 });
  });
  assert.equal(points.length, 100);
});
