// Raw workerd: one process for each Worker, with nothing around it but an origin and, where it has one, a KV stub.
import { mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Failure } from "../../scripts/lib/failure.mjs";
import { npmBin } from "../../scripts/lib/paths.mjs";
import { cpuOf, residentOf } from "./proc.mjs";
import { discard, end, remove, start } from "./processes.mjs";

/** @import { ChildProcess } from "node:child_process" */
/** @import { Readable } from "node:stream" */
/** @import { WorkerModule, WorkerSettings } from "../types.d.ts" */

const DATE = "2026-07-30";
/** On the real network every request has a `cf` object. Here it comes in with this field. */
export const CF_FIELD = "x-bench-cf";

const file = (name) => fileURLToPath(new URL(`../workers/${name}`, import.meta.url));
export const KV_STUB = { name: "kv.js", path: file("kv.js") };
const RATE_LIMIT = readFileSync(file("rate-limit.js"), "utf8");
const DATASET = readFileSync(file("dataset.js"), "utf8");

const list = (items) => `[${items.join(", ")}]`;
const quoted = (text) => JSON.stringify(text);

/**
 * Starts workerd with one Worker and waits until it listens.
 * @param {WorkerSettings} settings
 */
export async function startWorkerd({
  modules,
  texts = {},
  origin,
  kv,
  kvPort,
  limit = false,
  metrics = false,
  ledger = false,
  flags = [],
  v8Flags = [],
  inspector = false,
}) {
  const folder = mkdtempSync(join(tmpdir(), "pointsman-bench-"));
  discard(folder);
  const embedded = (name, text) => {
    writeFileSync(join(folder, name), text);
    return `embed ${quoted(name)}`;
  };
  const bindings = Object.entries(texts).map(
    ([name, text]) => `(name = ${quoted(name)}, text = ${embedded(`${name}.txt`, text)})`,
  );
  const services = [
    `(name = "main", worker = .main)`,
    `(name = "origin", external = (address = "127.0.0.1:${origin}", http = ()))`,
  ];
  let more = "";
  if (kv || kvPort) bindings.push(`(name = "POINTSMAN_KV", kvNamespace = "kv")`);
  if (ledger) bindings.push(`(name = "LEDGER", durableObjectNamespace = "Ledger")`);
  if (kvPort) services.push(`(name = "kv", external = (address = "127.0.0.1:${kvPort}", http = ()))`);
  if (kv) {
    services.push(`(name = "kv", worker = .kv)`);
    more += worker("kv", {
      modules: [module(folder, KV_STUB)],
      bindings: [`(name = "RULES", json = ${embedded("kv.json", JSON.stringify(kv))})`],
    });
  }
  const extensions = [];
  const wrap = (name, module, text) => {
    bindings.push(`(name = ${quoted(name)}, wrapped = (moduleName = "bench:${module}", innerBindings = []))`);
    extensions.push(
      `(modules = [(name = "bench:${module}", internal = true, esModule = ${embedded(`${module}.js`, text)})])`,
    );
  };
  if (limit) wrap("LIMIT", "rate-limit", RATE_LIMIT);
  if (metrics) wrap("METRICS", "dataset", DATASET);
  writeFileSync(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = ${list(services)},
  sockets = [(name = "http", address = "127.0.0.1:0", http = (cfBlobHeader = ${quoted(CF_FIELD)}), service = "main")],
  extensions = ${list(extensions)},
  v8Flags = ${list(v8Flags.map(quoted))},
);
${worker("main", { modules: modules.map((each) => module(folder, each)), bindings, flags, outbound: "origin", ledger })}${more}`,
  );
  const args = ["serve", "config.capnp", "--control-fd=3", ...(inspector ? ["--inspector-addr=127.0.0.1:0"] : [])];
  const startedAt = performance.now();
  // A Worker whose output nobody takes blocks; the null device takes it at once.
  const child = start(npmBin("workerd"), args, { cwd: folder, stdio: ["ignore", "ignore", "pipe", "pipe"] });
  const stop = async () => {
    await end(child);
    remove(folder);
  };
  try {
    const { port, inspectorPort } = await listening(child, inspector);
    return {
      port,
      pid: child.pid,
      startedAt,
      inspectorUrl: inspectorPort === undefined ? undefined : `http://127.0.0.1:${inspectorPort}`,
      cpu: () => cpuOf(child.pid),
      resident: () => residentOf(child.pid),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * @param {string} folder
 * @param {WorkerModule} module
 */
function module(folder, { name, path, text }) {
  if (path === undefined) writeFileSync(join(folder, name), text);
  else symlinkSync(path, join(folder, name));
  return `(name = ${quoted(name)}, ${name.endsWith(".wasm") ? "wasm" : "esModule"} = embed ${quoted(name)})`;
}

/**
 * @param {string} name
 * @param {{ modules: string[], bindings?: string[], flags?: string[], outbound?: string, ledger?: boolean }} parts
 */
function worker(name, { modules, bindings = [], flags = [], outbound, ledger = false }) {
  return `const ${name} :Workerd.Worker = (
  modules = ${list(modules)},
  bindings = ${list(bindings)},
  compatibilityDate = ${quoted(DATE)},
  compatibilityFlags = ${list(flags.map(quoted))},
  ${ledger ? `durableObjectNamespaces = [(className = "Ledger", uniqueKey = "ledger")], durableObjectStorage = (inMemory = void),` : ""}
  ${outbound ? `globalOutbound = ${quoted(outbound)},` : ""}
);
`;
}

/**
 * Where it listens, by its control messages: lines of JSON.
 * @param {ChildProcess} child
 * @param {boolean} withInspector
 * @returns {Promise<{ port: number, inspectorPort?: number }>}
 */
function listening(child, withInspector) {
  return new Promise((resolve, reject) => {
    /** @type {{ port?: number, inspectorPort?: number }} */
    const ports = {};
    let said = "";
    let rest = "";
    child.stderr?.setEncoding("utf8").on("data", (text) => (said = (said + text).slice(-4000)));
    child.once("error", reject);
    child.once("exit", (code) => reject(new Failure(`workerd ended with ${code}`, { advice: said.split("\n") })));
    /** @type {Readable} */ (child.stdio[3]).setEncoding("utf8").on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const { event, port } = JSON.parse(line);
        if (event === "listen") ports.port = port;
        if (event === "listen-inspector") ports.inspectorPort = port;
      }
      const { port, inspectorPort } = ports;
      if (port && (inspectorPort || !withInspector)) resolve({ port, inspectorPort });
    });
  });
}
