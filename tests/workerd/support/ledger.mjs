// The built Worker's ledger in workerd: the shipped object, with a clock that tests put forward and a KV that tests break.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CONFIGURATION, configurationModule } from "../../../scripts/lib/pointsman.mjs";
import { path } from "./files.mjs";

const folder = process.env.POINTSMAN_BUILD ?? path("build");

/**
 * The Worker's main module with a ledger that can be handled from outside. The object and all that it calls are the built
 * ones.
 */
const MAIN = `
import worker, { Ledger as Shipped, Quota } from "./index.js";

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

export { Quota };
export class Ledger extends Shipped {
  constructor(ctx, env) {
    super(ctx, { ...env, POINTSMAN_KV: breakable(env.POINTSMAN_KV) });
  }
  async advance(milliseconds) { ahead += milliseconds; return Date.now(); }
  async ring() { await this.alarm(); }
  async alarmAt() { return this.ctx.storage.getAlarm(); }
  async dropAlarm() { await this.ctx.storage.deleteAlarm(); }
  async break(...names) { faults.clear(); names.forEach((name) => faults.add(name)); }
  async asked() { return asked.splice(0); }
  async end() { this.ctx.abort("the test ends this object"); }
  async entries() { return this.ctx.storage.sql.exec("SELECT count(*) AS n FROM entries").one().n; }
}
export default worker;
`;

/** Options of a Worker with that main module. */
export const ledgerModules = ({ main = MAIN } = {}) => [
  { type: "ESModule", path: join(folder, "main.js"), contents: main },
  { type: "ESModule", path: join(folder, "index.js") },
  { type: "CompiledWasm", path: join(folder, "index_bg.wasm") },
  { type: "CompiledWasm", path: join(folder, "ledger_bg.wasm") },
  {
    type: "ESModule",
    path: join(folder, CONFIGURATION),
    contents: configurationModule(JSON.parse(readFileSync(path("build/gateway.json"), "utf8"))),
  },
];
