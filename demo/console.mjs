// The console beside the gateway of the demo, as wrangler.toml's [env.console] has it: one namespace, and the gateway as
// a service.
import { wranglerSettings } from "./gateway.mjs";

/** @import { WorkerOptions } from "miniflare" */

/** Public, as all of the demo's secrets: it has the form of a minted one, and its digits say what it is. */
export const CONSOLE_SECRET = "pso_DemoConsoleSecretIsPublicNotForProduction00_2rcpdd";
export const CONSOLE = "console";

/**
 * Options of the console's Worker, for `workers` of startGateway. `script`: of bundleConsole(). Port 0 takes a free one.
 * @param {Partial<WorkerOptions> & { script: string, port?: number, bindings?: object, serviceBindings?: object }} options
 * @returns {WorkerOptions}
 */
export function consoleWorker({ script, port = 0, bindings = {}, serviceBindings = {}, ...more }) {
  const { name, compatibility_date, kv_namespaces = [], env } = wranglerSettings();
  return {
    name: CONSOLE,
    modules: true,
    script,
    compatibilityDate: compatibility_date,
    compatibilityFlags: env.console.compatibility_flags,
    kvNamespaces: Object.fromEntries(kv_namespaces.map(({ binding, id }) => [binding, id])),
    serviceBindings: { GATEWAY: name, ...serviceBindings },
    bindings: { ...env.console.vars, CONSOLE_SECRET, ...bindings },
    unsafeDirectSockets: [{ host: "127.0.0.1", port }],
    ...more,
  };
}
