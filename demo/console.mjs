// The console beside the gateway of the demo, as wrangler.toml's [env.console] has it: one namespace, and the gateway as
// a service.
import { join } from "node:path";
import { wranglerSettings } from "./gateway.mjs";

/** @import { WorkerOptions } from "miniflare" */

/** Public, as all of the demo's secrets: it has the form of a minted one, and its digits say what it is. */
export const CONSOLE_SECRET = "pso_DemoConsoleSecretIsPublicNotForProduction00_2rcpdd";
export const CONSOLE = "console";

/**
 * Options of the console's Worker, for `workers` of startGateway. `folder`: where the core for it was built; `script`: of
 * bundleConsole() for that folder. Port 0 takes a free one.
 * @param {Partial<WorkerOptions> & { folder: string, script: string, port?: number, bindings?: object, serviceBindings?: object }} options
 * @returns {WorkerOptions}
 */
export function consoleWorker({ folder, script, port = 0, bindings = {}, serviceBindings = {}, ...more }) {
  const { name, compatibility_date, kv_namespaces = [], env } = wranglerSettings();
  return {
    name: CONSOLE,
    modules: [
      { type: "ESModule", path: join(folder, "console.js"), contents: script },
      { type: "CompiledWasm", path: join(folder, "index_bg.wasm") },
    ],
    // Without it the modules' names would start with "..", which workerd refuses.
    modulesRoot: folder,
    compatibilityDate: compatibility_date,
    compatibilityFlags: env.console.compatibility_flags,
    kvNamespaces: Object.fromEntries(kv_namespaces.map(({ binding, id }) => [binding, id])),
    serviceBindings: { GATEWAY: name, ...serviceBindings },
    bindings: { ...env.console.vars, CONSOLE_SECRET, ...bindings },
    unsafeDirectSockets: [{ host: "127.0.0.1", port }],
    ...more,
  };
}
