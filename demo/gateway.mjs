// The built Worker in workerd, by miniflare, with the settings of wrangler.toml and the demo's world outside.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Log, LogLevel, Miniflare } from "miniflare";
import { parse } from "smol-toml";
import { CONFIGURATION, configurationModule } from "../scripts/lib/pointsman.mjs";
import { CONFIG_API_TOKEN } from "./config-api.mjs";
import { JWT_SECRET } from "./issuer.mjs";

/** @import { Readable } from "node:stream" */
/** @import { MiniflareOptions } from "miniflare" */
/** @import { Changeable, GatewayOptions, WranglerSettings } from "./types.d.ts" */

const root = fileURLToPath(new URL("..", import.meta.url));

/** Where `wrangler kv … --local` looks, so that both see the same data, and where `wrangler dev` keeps objects. */
const WRANGLER_STATE = join(root, ".wrangler", "state", "v3");
export const WRANGLER_KV = join(WRANGLER_STATE, "kv");
export const WRANGLER_OBJECTS = join(WRANGLER_STATE, "do");

/** The demo's values of the secrets that wrangler.toml names. */
export const OPERATOR_SECRET = "pso_DemoOperatorSecretIsPublicNotForProduction0_1mpS7r";
export const demoSecrets = { CONFIG_API_TOKEN, JWT_SECRET, OPERATOR_SECRET };

/** @type {() => WranglerSettings} */
export const wranglerSettings = () =>
  /** @type {WranglerSettings} */ (/** @type {unknown} */ (parse(readFileSync(join(root, "wrangler.toml"), "utf8"))));

/**
 * The objects of wrangler.toml. Those of another Worker are not there.
 * @param {WranglerSettings} settings
 */
const objects = ({ durable_objects }) =>
  Object.fromEntries(
    (durable_objects?.bindings ?? [])
      .filter(({ script_name }) => script_name === undefined)
      .map(({ name, class_name }) => [name, { className: class_name, useSQLite: true }]),
  );

/**
 * Starts the Worker that `npm run build` made.
 * @param {GatewayOptions} order
 */
export async function startGateway({
  folder = join(root, "build"),
  world,
  port = 0,
  host = "127.0.0.1",
  persist,
  persistObjects,
  onLog = () => {},
  ...changeable
}) {
  /** @type {(change?: Changeable) => MiniflareOptions} */
  const options = ({ bindings = {}, gateway, overrides = {}, workers = [] } = {}) => {
    const wrangler = wranglerSettings();
    /** @type {Record<string, string | undefined>} */
    const variables = { ...wrangler.vars, ...demoSecrets, ...bindings };
    for (const [name, value] of Object.entries(variables)) if (value === undefined) delete variables[name];
    const alone = {
      name: wrangler.name,
      host,
      port,
      cf: false,
      log: new Log(LogLevel.ERROR),
      modules: [
        { type: "ESModule", path: join(folder, "index.js") },
        { type: "CompiledWasm", path: join(folder, "index_bg.wasm") },
        { type: "CompiledWasm", path: join(folder, "ledger_bg.wasm") },
        {
          type: "ESModule",
          path: join(folder, CONFIGURATION),
          ...(gateway !== undefined && { contents: configurationModule(gateway) }),
        },
      ],
      // Without it the modules' names would start with "..", which workerd refuses.
      modulesRoot: folder,
      compatibilityDate: wrangler.compatibility_date,
      compatibilityFlags: wrangler.compatibility_flags,
      kvNamespaces: Object.fromEntries((wrangler.kv_namespaces ?? []).map(({ binding, id }) => [binding, id])),
      kvPersist: persist ?? false,
      durableObjects: objects(wrangler),
      durableObjectsPersist: persistObjects ?? false,
      outboundService: { external: { address: world.address, http: {} } },
      bindings: variables,
      // Both streams are read to the end: a Worker whose output nobody takes blocks.
      /**
       * @param {Readable} stdout
       * @param {Readable} stderr
       */
      handleRuntimeStdio(stdout, stderr) {
        createInterface(stdout).on("line", (line) => onLog(line, "out"));
        createInterface(stderr).on("line", (line) => onLog(line, "err"));
      },
      ...overrides,
    };
    // Miniflare takes what is for all Workers from the outer object, and what is for one from its own.
    return workers.length > 0 ? { ...alone, workers: [alone, ...workers] } : alone;
  };

  let current = changeable;
  const miniflare = new Miniflare(options(current));
  const url = (await miniflare.ready).origin;
  return {
    url,
    miniflare,
    kv: () => miniflare.getKVNamespace("POINTSMAN_KV"),
    /** Reads wrangler.toml and the build again, with `gateway`, `bindings`, `overrides` and `workers` as given or as they were. */
    async reload(/** @type {Changeable} */ change = {}) {
      current = { ...current, ...change };
      await miniflare.setOptions(options(current));
    },
    stop: () => miniflare.dispose(),
  };
}
