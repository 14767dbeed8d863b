// Isolates of the built Worker that follow one ledger, in workerd: each with its own memory, KV and a ledger in common. The
// backend answers with where it was called.
import { join } from "node:path";
import { Log, LogLevel, Miniflare, Response } from "miniflare";
import { CONFIGURATION, checkedForm, configurationModule } from "../../../scripts/lib/pointsman.mjs";
import { gatewayJson, path } from "./files.mjs";

const folder = process.env.POINTSMAN_BUILD ?? path("build");
const LEDGER_WORKER = "isolate-0";
/** In place of a number: an isolate that has no ledger. */
export const UNBOUND = "unbound";

const CONFIG_API = "config.example.com";
const CLOUDFLARE_API = "api.cloudflare.com";

/** Answers with the URL that was called. */
const ECHO = `export default { fetch: (request) => new Response(request.url) };`;

/**
 * Starts some isolates with a configuration given as TOML. `configApi` answers with the text that a path of
 * CONFIG_API has, or with a whole answer; `analytics` answers the SQL API.
 * @param {{ toml: string, isolates?: number, bindings?: Record<string, string>,
 *   configApi?: (path: string) => string | Response,
 *   analytics?: (sql: string, authorization: string | null) => object }} options
 */
export async function openIsolates({ toml, isolates = 2, bindings = {}, configApi, analytics }) {
  const outside = async (request) => {
    const { url } = request;
    const { hostname, pathname } = new URL(url);
    if (analytics !== undefined && hostname === CLOUDFLARE_API)
      return Response.json(analytics(await request.text(), request.headers.get("authorization")));
    const said = hostname === CONFIG_API && configApi !== undefined ? configApi(pathname) : url;
    return typeof said === "string" ? new Response(said) : said;
  };
  const form = configurationModule(checkedForm(gatewayJson(toml)));
  const worker = (index) => ({
    name: `isolate-${index}`,
    routes: [`isolate-${index}.example.com/*`],
    modules: [
      { type: "ESModule", path: join(folder, "index.js") },
      { type: "CompiledWasm", path: join(folder, "index_bg.wasm") },
      { type: "CompiledWasm", path: join(folder, "ledger_bg.wasm") },
      { type: "ESModule", path: join(folder, CONFIGURATION), contents: form },
    ],
    modulesRoot: folder,
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    compatibilityDate: "2026-07-30",
    compatibilityFlags: ["global_fetch_strictly_public", "enable_request_signal"],
    kvNamespaces: { POINTSMAN_KV: "directory-kv" },
    ...(index !== UNBOUND && {
      durableObjects: {
        LEDGER:
          index === 0
            ? { className: "Ledger", useSQLite: true }
            : { className: "Ledger", scriptName: LEDGER_WORKER, useSQLite: true },
      },
    }),
    bindings: { ALLOW_HTTP: "never", ...bindings },
    outboundService: configApi === undefined && analytics === undefined ? "echo" : outside,
  });
  const workers = [...Array.from({ length: isolates }, (_, index) => worker(index)), worker(UNBOUND)];
  const miniflare = new Miniflare({
    cf: false,
    log: new Log(LogLevel.ERROR),
    handleRuntimeStdio(stdout, stderr) {
      if (process.env.POINTSMAN_SHOW) {
        stdout.pipe(process.stderr);
        stderr.pipe(process.stderr);
      } else {
        stdout.resume();
        stderr.resume();
      }
    },
    workers: [...workers, { name: "echo", modules: true, script: ECHO, compatibilityDate: "2026-07-30" }],
  });
  await miniflare.ready;
  const namespace = await miniflare.getDurableObjectNamespace("LEDGER", LEDGER_WORKER);
  return {
    kv: () => miniflare.getKVNamespace("POINTSMAN_KV", LEDGER_WORKER),
    ledger: namespace.get(namespace.idFromName("ledger")),
    /** What an isolate answers: the status, and where the backend was called or why nobody was. */
    async ask(index, credential, { path: target = "/hybrid/x", ...init } = {}) {
      const headers = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
      const url = `https://isolate-${index}.example.com${target}`;
      const answer = await miniflare.dispatchFetch(url, { ...init, headers: { ...headers, ...init.headers } });
      return { status: answer.status, text: await answer.text(), headers: answer.headers };
    },
    /** Runs the scheduled refresh of the first isolate to its end. */
    async refresh() {
      const worker = await miniflare.getWorker(LEDGER_WORKER);
      return (await worker.scheduled({ cron: "* * * * *" })).outcome;
    },
    /** Where an isolate answers over HTTP. */
    origin: async (index) => (await miniflare.unsafeGetDirectURL(`isolate-${index}`)).origin,
    stop: () => miniflare.dispose(),
  };
}
