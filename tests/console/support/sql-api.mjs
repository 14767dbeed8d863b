// The SQL API of Workers Analytics Engine, as far as the console asks it: real SQL over points in SQLite. What the API does not
// have is refused, also where SQLite has it.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";

export const ACCOUNT = "0123456789abcdef0123456789abcdef";
export const TOKEN = "token-for-tests";

/** Functions that the API documents, and that the console may so use. */
const FUNCTIONS = new Set([
  "sum",
  "min",
  "max",
  "if",
  "intDiv",
  "toUInt32",
  "toDateTime",
  "quantileExactWeighted",
  "COUNT",
]);
const NAMES = {
  customer: 2,
  route: 3,
  rule: 4,
  variant: 5,
  backend: 6,
  origin: 7,
  key: 8,
  auth: 9,
  reason: 10,
  configuration: 13,
  unverified: 15,
};

/** SQLite's dialect of a question. */
function translated(sql) {
  for (const [, name] of sql.matchAll(/\b([A-Za-z_]\w*)\s*\(/g))
    assert.ok(FUNCTIONS.has(name) || ["AND", "OR", "IN"].includes(name), `the API has no function ${name}`);
  assert.match(sql, / FORMAT JSON$/);
  return sql
    .replace(/ FORMAT JSON$/, "")
    .replace(/quantileExactWeighted\(([\d.]+)\)\(/g, "weighted($1, ")
    .replace(/toUInt32\(timestamp\)/g, "timestamp")
    .replace(/toUInt32\(/g, "(")
    .replace(/toDateTime\(/g, "(")
    .replace(/\bintDiv\(([^,()]+), (\d+)\)/g, "($1 / $2)")
    .replace(/\bif\(/g, "iif(");
}

export function sqlApi({ dataset = "pointsman" } = {}) {
  const database = new DatabaseSync(":memory:");
  const blobs = Array.from({ length: 20 }, (_, i) => `blob${i + 1} TEXT NOT NULL DEFAULT ''`);
  const doubles = Array.from({ length: 20 }, (_, i) => `double${i + 1} REAL NOT NULL DEFAULT 0`);
  database.exec(
    `CREATE TABLE ${dataset} (timestamp INTEGER, _sample_interval INTEGER, index1 TEXT, ${[...blobs, ...doubles]})`,
  );
  database.aggregate("weighted", {
    start: () => [],
    step: (list, level, value, weight) => [...list, [level, value, weight]],
    result(list) {
      const sorted = list.sort(([, a], [, b]) => a - b);
      const wanted = sorted[0][0] * sorted.reduce((sum, [, , weight]) => sum + weight, 0);
      let seen = 0;
      for (const [, value, weight] of sorted) {
        seen += weight;
        if (seen >= wanted) return value;
      }
      return 0;
    },
  });
  const own = {
    /** In place of any answer: (sql) → { status, text }. */
    instead: undefined,
    asked: [],
    /**
     * Writes points: `at` in seconds since 1970, `count` of them one after the other within `over` seconds; names as docs/metrics.md
     * has them.
     */
    write({ at, count = 1, over = 0, sample = 1, status = 200, duration = 20, ...texts }) {
      const columns = ["timestamp", "_sample_interval", "index1", "blob1", "double1", "double2", "double3"];
      const names = Object.keys(texts);
      for (const name of names) assert.ok(NAMES[name], name);
      const all = [...columns, ...names.map((name) => `blob${NAMES[name]}`)];
      const insert = database.prepare(`INSERT INTO ${dataset} (${all}) VALUES (${all.map(() => "?")})`);
      for (let i = 0; i < count; i++) {
        const time = Math.floor(at + (over * i) / count);
        insert.run(time, sample, texts.customer ?? "", "1", 1, status, duration + (i % 10), ...Object.values(texts));
      }
    },
    answer(authorization, path, sql) {
      if (own.instead !== undefined) return own.instead(sql);
      assert.equal(path, `/accounts/${ACCOUNT}/analytics_engine/sql`);
      if (authorization !== `Bearer ${TOKEN}`) return { status: 401, text: "Authentication error" };
      own.asked.push(sql);
      try {
        const statement = database.prepare(translated(sql));
        const data = statement.all();
        const columns = statement.columns().map(({ name }) => name);
        const isNumber = (name) => data.every((row) => typeof row[name] === "number" || row[name] === null);
        const meta = columns.map((name) => ({ name, type: isNumber(name) ? "UInt64" : "String" }));
        const written = data.map((row) =>
          Object.fromEntries(columns.map((name) => [name, isNumber(name) ? String(row[name] ?? 0) : row[name]])),
        );
        return { status: 200, text: JSON.stringify({ meta, data: written, rows: data.length }) };
      } catch (error) {
        return { status: 422, text: `${error.message}: ${sql}` };
      }
    },
    /** A server of its own: { url, stop }. */
    async listen() {
      const server = createServer(async (request, response) => {
        let body = "";
        for await (const part of request) body += part;
        const { status, text } = own.answer(request.headers.authorization, request.url, body);
        response.writeHead(status).end(text);
      });
      await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
      const url = `http://127.0.0.1:${server.address().port}`;
      const stop = () => new Promise((resolve) => server.close(resolve).closeAllConnections());
      return { url, stop, env: { CLOUDFLARE_ACCOUNT_ID: ACCOUNT, METRICS_TOKEN: TOKEN, METRICS_API: url } };
    },
  };
  return own;
}

/** A key's digest of which points have the beginning. */
export const EXPIRED = `${"0123456789abcdef".repeat(4)}`;

/** Traffic of an hour before `now` in seconds, with the four incidents that an operator must find. */
export function writeTraffic(api, now) {
  const hour = now - 3600;
  const normal = { route: "/api/{+path}", configuration: "aaaa1111", auth: "api_key" };
  const others = { ...normal, rule: "own", backend: "customer" };
  for (const customer of ["acme", "globex", "initech"])
    api.write({ at: hour, over: 3590, count: 600, customer, ...others, origin: `https://${customer}.example.com` });
  api.write({
    at: hour,
    over: 3590,
    count: 3,
    customer: "globex",
    ...others,
    status: 502,
    reason: "backend_unreachable",
  });
  // One customer's origin dies.
  api.write({
    at: now - 900,
    over: 880,
    count: 150,
    customer: "acme",
    ...others,
    origin: "https://acme.example.com",
    status: 502,
    reason: "backend_unreachable",
    duration: 900,
  });
  // A key expires.
  api.write({
    at: now - 1800,
    over: 1700,
    count: 60,
    route: normal.route,
    configuration: normal.configuration,
    auth: "api_key",
    status: 401,
    reason: "api_key_expired",
    unverified: "wayne",
    key: EXPIRED.slice(0, 16),
  });
  // An issuer withdraws a signing key.
  api.write({
    at: now - 600,
    over: 580,
    count: 80,
    route: normal.route,
    configuration: normal.configuration,
    auth: "corporate",
    status: 401,
    reason: "token_key_unknown",
  });
  // A bad rule is deployed.
  api.write({
    at: now - 300,
    over: 290,
    count: 90,
    customer: "initech",
    ...normal,
    configuration: "bbbb2222",
    rule: "block-beta",
    status: 403,
    reason: "denied_by_rule",
  });
  api.write({ at: now - 300, over: 290, count: 30, customer: "globex", ...others, configuration: "bbbb2222" });
}
