// A stand-in for Workers Analytics Engine: it takes points and answers the SQL API's calls, on SQLite. docs/usage.md says
// what it does not cover.
import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import { addFunctions } from "./functions.mjs";
import { parse } from "./parse.mjs";
import { Refused } from "./refused.mjs";
import { COLUMNS, translate } from "./translate.mjs";

/** @import { IncomingMessage, Server, ServerResponse } from "node:http" */
/** @import { Point, StandInOptions, Type } from "./types.d.ts" */

export const ACCOUNT = "0123456789abcdef0123456789abcdef";
export const TOKEN = "analytics-stand-in-token";
/** Where points are posted as a JSON array. The platform has no such path: its points come from Workers. */
export const INGEST = "/ingest";

/** What the platform takes of one point. */
const MOST = { blobs: 20, doubles: 20, indexes: 1, indexBytes: 96, blobBytes: 16_384 };

export class AnalyticsStandIn {
  #database;
  #insert;
  /** How many points of each data set and index there were since one was kept. @type {Map<string, number>} */
  #skipped = new Map();
  /** @type {Server | undefined} */
  #server;
  #account;
  #now;

  /** @param {StandInOptions} [options] */
  constructor({
    account = ACCOUNT,
    token = TOKEN,
    dataset = "pointsman",
    sampling = 1,
    file = ":memory:",
    now = Date.now,
  } = {}) {
    this.#account = account;
    /** These three may be changed as it goes. */
    this.token = token;
    this.sampling = sampling;
    this.dataset = dataset;
    this.#now = now;
    this.#database = new DatabaseSync(file);
    addFunctions(this.#database, now);
    const names = [...COLUMNS.keys()];
    this.#database.exec(
      `CREATE TABLE IF NOT EXISTS points (${names.join(", ")}); CREATE INDEX IF NOT EXISTS by_time ON points (dataset, timestamp);
       PRAGMA case_sensitive_like = ON`,
    );
    this.#insert = this.#database.prepare(
      `INSERT INTO points (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
    );
  }

  /**
   * Takes a point, as `writeDataPoint` does; `timestamp` is when, in milliseconds since 1970, RFC 3339 or a Date.
   * @param {Point} point
   * @param {number | string | Date} [timestamp]
   * @param {string} [dataset]
   */
  write(point, timestamp = point.timestamp, dataset = this.dataset) {
    const { indexes = [], blobs = [], doubles = [] } = point;
    const bytes = blobs.reduce((sum, blob) => sum + Buffer.byteLength(blob ?? ""), 0);
    const [index = ""] = indexes;
    if (blobs.length > MOST.blobs || doubles.length > MOST.doubles || indexes.length > MOST.indexes)
      throw new TypeError("a point has at most 20 blobs, 20 doubles and one index");
    if (bytes > MOST.blobBytes || Buffer.byteLength(index ?? "") > MOST.indexBytes)
      throw new TypeError("a point has at most 16 KB of blobs and an index of 96 bytes");
    const millis = new Date(timestamp ?? this.#now()).getTime();
    if (Number.isNaN(millis)) throw new TypeError("a point's timestamp is no time");
    if (this.#skips(`${dataset}\n${index}`)) return;
    const twenty = Array.from({ length: MOST.blobs }, (_, at) => at);
    this.#insert.run(
      dataset,
      Math.floor(millis / 1000),
      this.sampling,
      index ?? "",
      ...twenty.map((at) => blobs[at] ?? ""),
      ...twenty.map((at) => doubles[at] ?? 0),
    );
  }

  /** Of each `sampling` points of one index, the first is kept. @param {string} index */
  #skips(index) {
    const before = this.#skipped.get(index) ?? 0;
    this.#skipped.set(index, (before + 1) % this.sampling);
    return before > 0;
  }

  /**
   * Runs a SQL text of the dialect: the answer as `FORMAT JSON` has it.
   * @param {string} sql
   */
  query(sql) {
    const parsed = parse(sql);
    if (parsed === "tables") return answer([{ name: "dataset", type: "String" }], this.#tables());
    const { sql: translated, columns, table } = translate(parsed);
    if (!this.#tables().some(({ dataset }) => dataset === table)) throw new Refused(`unknown table: ${table}`);
    return answer(columns, this.#database.prepare(translated).all());
  }

  #tables() {
    return this.#database.prepare("SELECT DISTINCT dataset FROM points ORDER BY dataset").all();
  }

  /** Forgets all points. */
  clear() {
    this.#database.exec("DELETE FROM points");
    this.#skipped.clear();
  }

  /**
   * Answers a call: the SQL API's, or points for `INGEST`.
   * @param {IncomingMessage} request
   * @param {ServerResponse} response
   */
  async handle(request, response) {
    const said = await this.#said(request, await text(request));
    response.writeHead(said.status, { "content-type": said.type ?? "text/plain; charset=utf-8" });
    response.end(said.body);
  }

  /**
   * @param {IncomingMessage} request
   * @param {string} body
   * @returns {Promise<{ status: number, body: string, type?: string }>}
   */
  async #said(request, body) {
    const url = new URL(request.url ?? "/", "http://stand-in");
    if (request.method !== "POST") return { status: 405, body: "only POST is allowed" };
    if (url.pathname === INGEST) return this.#ingested(body, url.searchParams.get("dataset") ?? undefined);
    const account = /^\/client\/v4\/accounts\/([^/]+)\/analytics_engine\/sql$/.exec(url.pathname)?.[1];
    if (account === undefined) return { status: 404, body: "not found" };
    if (request.headers.authorization !== `Bearer ${this.token}` || account !== this.#account) return UNAUTHORIZED;
    try {
      return { status: 200, body: `${JSON.stringify(this.query(body))}\n`, type: "application/json" };
    } catch (error) {
      return { status: 422, body: `Input: ${error instanceof Error ? error.message : error}` };
    }
  }

  /**
   * @param {string} body
   * @param {string} [dataset]
   */
  #ingested(body, dataset) {
    try {
      const points = JSON.parse(body);
      if (!Array.isArray(points)) throw new TypeError("points come as an array");
      for (const point of points) this.write(point, undefined, dataset);
      return { status: 204, body: "" };
    } catch (error) {
      return { status: 400, body: String(error instanceof Error ? error.message : error) };
    }
  }

  /**
   * Listens on the loopback interface. Resolves to its address, for CLOUDFLARE_API_BASE_URL with `/client/v4` behind.
   * @param {number} [port]
   * @returns {Promise<string>}
   */
  async start(port = 0) {
    const server = createServer((request, response) => {
      this.handle(request, response).catch((error) => response.destroy(error));
    });
    this.#server = server;
    await new Promise((resolve, reject) => {
      server.once("error", reject).listen(port, "127.0.0.1", () => resolve(undefined));
    });
    const address = /** @type {import("node:net").AddressInfo} */ (server.address());
    return `http://127.0.0.1:${address.port}`;
  }

  async stop() {
    const server = this.#server;
    this.#server = undefined;
    if (server) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    this.#database.close();
  }
}

const UNAUTHORIZED = {
  status: 401,
  type: "application/json",
  body: JSON.stringify({
    success: false,
    errors: [{ code: 10_000, message: "Authentication error" }],
    messages: [],
    result: null,
  }),
};

/**
 * As ClickHouse writes it: 64-bit integers are text, since not all readers of JSON have them; what no number is, is null.
 * @type {Record<Type, (value: unknown) => unknown>}
 */
const WRITTEN = {
  String: (value) => String(value ?? ""),
  Float64: (value) => value,
  UInt8: (value) => Number(value ?? 0),
  UInt32: (value) => Number(value ?? 0),
  UInt64: (value) => String(value ?? 0),
  Bool: (value) => Boolean(value),
  DateTime: (value) =>
    new Date(Number(value ?? 0) * 1000).toISOString().slice(0, "YYYY-MM-DDThh:mm:ss".length).replace("T", " "),
  Interval: (value) => String(value),
};

/** @type {(columns: { name: string, type: Type }[], rows: Record<string, unknown>[]) => object} */
function answer(columns, rows) {
  const data = rows.map((row) =>
    Object.fromEntries(columns.map(({ name, type }) => [name, WRITTEN[type](row[name] ?? null)])),
  );
  return { meta: columns, data, rows: data.length };
}
