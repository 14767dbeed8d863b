// The built Worker's ledger in workerd: the shipped object, with a clock that tests put forward and a KV that tests break.
import assert from "node:assert/strict";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Log, LogLevel, Miniflare } from "miniflare";
import { CONFIGURATION, checkedForm, configurationModule } from "../../../scripts/lib/pointsman.mjs";
import { gatewayJson, path } from "./files.mjs";

const folder = process.env.POINTSMAN_BUILD ?? path("build");

const TOML = `
[api_keys]
prefixes = ["sk"]
[customers]
[backends.shared]
url = "\${SHARED_BACKEND_URL}"
[[routes]]
path = "/{+path}"
auth = ["api_key"]
rules = [{ name = "all", to = "shared" }]
`;

/**
 * The Worker's main module with a ledger that can be handled from outside. The object and all that it calls are the built
 * ones.
 */
const MAIN = `
let instances = 0;
const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(...given) {
    super(...given);
    instances += 1;
  }
};
// Only now: the Worker's own instance is made while its module is loaded.
const { default: worker, Ledger: Shipped } = await import("./index.js");

const real = Date.now.bind(Date);
let ahead = 0;
Date.now = () => real() + ahead;

/** Operations of KV that fail now, and those that were asked for. */
const faults = new Set();
const asked = [];
const breakable = (kv) => new Proxy(kv, {
  get: (target, name) => (...given) => {
    asked.push([name, typeof given[0] === "string" ? given[0] : JSON.stringify(given[0] ?? null)]);
    if (faults.has(name)) return Promise.reject(new Error("KV failed: " + given[0]));
    return target[name](...given);
  },
});

export class Ledger extends Shipped {
  constructor(ctx, env) {
    super(ctx, { ...env, POINTSMAN_KV: breakable(env.POINTSMAN_KV) });
  }
  async advance(milliseconds) { ahead += milliseconds; return Date.now(); }
  async instances() { return instances; }
  async ring() { await this.alarm(); }
  async alarmAt() { return this.ctx.storage.getAlarm(); }
  async dropAlarm() { await this.ctx.storage.deleteAlarm(); }
  async break(...names) { faults.clear(); names.forEach((name) => faults.add(name)); }
  async asked() { return asked.splice(0); }
  async end() { this.ctx.abort("the test ends this object"); }
  /** SQLite fails when something is written; the wasm is in the middle of something then. */
  async breakDatabase() {
    this.ctx.storage.sql.exec(
      "CREATE TRIGGER broken BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'broken'); END");
  }
  async mendDatabase() { this.ctx.storage.sql.exec("DROP TRIGGER broken"); }
  async entries() { return this.ctx.storage.sql.exec("SELECT count(*) AS n FROM entries").one().n; }
}
export default worker;
`;

/**
 * Starts the Worker with that ledger over a KV of its own. Databases are kept in `persist` where it is given.
 *   faults  operations of KV that fail, in the object that is started next too: { names: Set }
 */
export async function openLedger({ persist, toml = TOML } = {}) {
  const form = checkedForm(gatewayJson(toml));
  const lines = [];
  const options = (number) => ({
    name: "pointsman",
    cf: false,
    log: new Log(LogLevel.ERROR),
    modules: [
      { type: "ESModule", path: join(folder, "main.js"), contents: MAIN },
      { type: "ESModule", path: join(folder, "index.js") },
      { type: "CompiledWasm", path: join(folder, "index_bg.wasm") },
      { type: "CompiledWasm", path: join(folder, "ledger_bg.wasm") },
      { type: "ESModule", path: join(folder, CONFIGURATION), contents: configurationModule(form) },
    ],
    modulesRoot: folder,
    compatibilityDate: "2026-07-30",
    compatibilityFlags: ["global_fetch_strictly_public", "enable_request_signal"],
    kvNamespaces: { POINTSMAN_KV: "ledger-kv" },
    durableObjects: { LEDGER: { className: "Ledger", useSQLite: true } },
    bindings: { ALLOW_HTTP: "never", SHARED_BACKEND_URL: "https://shared.example.com", STARTED: String(number) },
    ...(persist && { kvPersist: join(persist, "kv"), durableObjectsPersist: join(persist, "do") }),
    handleRuntimeStdio(stdout, stderr) {
      for (const stream of [stdout, stderr])
        createInterface(stream).on("line", (line) => line.startsWith("{") && lines.push(JSON.parse(line)));
    },
  });
  let number = 0;
  const miniflare = new Miniflare(options(number));
  await miniflare.ready;
  const kv = () => miniflare.getKVNamespace("POINTSMAN_KV");
  return {
    miniflare,
    /** Lines of its log. */
    lines,
    kv,
    /** The object, as another isolate calls it. */
    async object() {
      const objects = await miniflare.getDurableObjectNamespace("LEDGER");
      return objects.get(objects.idFromName("ledger"));
    },
    /** The whole runtime begins anew; databases stay where they are persisted. */
    async restart() {
      number += 1;
      await miniflare.setOptions(options(number));
    },
    stop: () => miniflare.dispose(),
  };
}

/** Reads numbers and bytes one after the other. */
function reader(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const skip = (count) => {
    at += count;
    return at - count;
  };
  return {
    isAtEnd: () => at === bytes.length,
    u8: () => bytes[skip(1)],
    u16: () => view.getUint16(skip(2)),
    u32: () => view.getUint32(skip(4)),
    u64: () => Number(view.getBigUint64(skip(8))),
    hex: (count) => Buffer.from(bytes.slice(at, skip(count) + count)).toString("hex"),
    text: (count) => Buffer.from(bytes.slice(at, skip(count) + count)).toString(),
    /** LEB128. */
    varint() {
      for (let value = 0, scale = 1; ; scale *= 128) {
        const byte = bytes[skip(1)];
        value += (byte & 0x7f) * scale;
        if (byte < 0x80) return value;
      }
    },
  };
}

const KINDS = ["key", "customer", "token"];

/** The end of a head or a segment. */
function changesOf(read) {
  const first = read.u64();
  const changes = Array.from({ length: read.varint() }, () => {
    const byte = read.u8();
    const change = { kind: KINDS[byte >> 4], digest: read.hex(16) };
    if ((byte & 3) === 3) return { ...change, row: null };
    const expires = byte & 8 ? { expires: read.varint() } : {};
    return { ...change, ...expires, row: read.text(read.varint()) };
  });
  assert.ok(read.isAtEnd());
  return { first, changes };
}

/** Reads a segment. */
export function readSegment(bytes) {
  const read = reader(bytes);
  assert.equal(read.text(3), "PL\u0001");
  return { epoch: read.hex(16), ...changesOf(read) };
}

/** Reads a head as crates/pointsman-core/src/directory/log.rs writes it. */
export function readHead(bytes) {
  const read = reader(bytes);
  const shard = () => ({ revision: read.u64(), hash: read.hex(16), size: read.u32() });
  assert.equal(read.text(3), "PH\u0001");
  const head = { epoch: read.hex(16), revision: read.u64(), asOf: read.u64(), pace: read.u16() };
  const [flags, prefixBits] = [read.u8(), read.u8()];
  const tokens = flags & 4 ? shard() : undefined;
  const shards = flags & 8 ? Array.from({ length: 1 << prefixBits }, shard) : [];
  const log = changesOf(read);
  const complete = { keys: Boolean(flags & 1), customers: Boolean(flags & 2) };
  return { ...head, complete, prefixBits, tokens, shards, ...log };
}
