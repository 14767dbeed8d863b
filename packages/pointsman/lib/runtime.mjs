// The gateway in workerd, on this machine, with the bindings of wrangler's file.
import { join } from "node:path";
import { MODULES_ROOT } from "./bundle.mjs";
import { MODULE, moduleOf } from "./compile.mjs";
import { Failure } from "./failure.mjs";

/** @import { IncomingMessage, ServerResponse } from "node:http" */
/** @import { Miniflare } from "miniflare" */
/** @import { Module } from "./bundle.mjs" */
/** @import { Tools } from "./project.mjs" */

/**
 * What a run of the gateway is made of. All of it may change while it runs.
 * @typedef {object} Running
 * @property {Module[]} modules
 * @property {string} form the configuration
 * @property {Record<string, unknown>} worker the options that wrangler makes of its file
 * @property {object[]} beside other Workers, which bindings name
 * @property {Record<string, string>} variables over those of `worker`
 * @property {(request: IncomingMessage, response: ServerResponse) => void} [outside] gets all calls outward, in place of the network
 */

/** Where wrangler keeps it, so that `wrangler kv … --local` and `pointsman … --local` see the same. */
export const wranglerState = (/** @type {string} */ root) => join(root, ".wrangler", "state", "v3");

/**
 * @param {{ tools: Tools, port: number, host: string, persist?: string, onLine: (line: string, level: string) => void }} place
 *   `persist` is a folder for what bindings hold; in memory where there is none
 * @param {Running} first
 */
export async function startRuntime({ tools, port, host, persist, onLine }, first) {
  const { Miniflare, Log, LogLevel, convertV4MiniflareOptions } =
    /** @type {typeof import("miniflare") & { convertV4MiniflareOptions?: (options: object) => object }} */ (
      tools.miniflare()
    );

  /** @param {Running} running */
  const options = ({ modules, form, worker, beside, variables, outside }) => {
    const gateway = {
      ...worker,
      name: worker.name ?? "gateway",
      modules: [...modules, { type: "ESModule", path: join(MODULES_ROOT, MODULE), contents: moduleOf(form) }],
      // Without it the modules' names would start with "..", which workerd refuses.
      modulesRoot: MODULES_ROOT,
      bindings: { ...Object(worker.bindings), ...variables },
      ...(outside !== undefined && { outboundService: { node: outside } }),
    };
    const all = {
      host,
      port,
      cf: false,
      log: new Log(LogLevel.ERROR),
      logRequests: false,
      ...(persist !== undefined && { resourcePersistencePath: persist }),
      /** @param {{ level: string, message: string }} log */
      handleStructuredLogs: ({ level, message }) => onLine(message, level),
      workers: [gateway, ...beside],
    };
    return /** @type {import("miniflare").MiniflareOptions} */ (convertV4MiniflareOptions?.(all) ?? all);
  };

  let current = first;
  /** @type {Miniflare} */
  let miniflare;
  try {
    miniflare = new Miniflare(options(current));
    await miniflare.ready;
  } catch (error) {
    throw new Failure(`workerd does not start: ${/** @type {Error} */ (error).message}`, {
      advice: [`This is wrangler ${tools.version()}; the package knows ${KNOWN_WRANGLER}.`],
    });
  }
  return {
    /** Where it answers. */
    url: (await miniflare.ready).origin,
    miniflare,
    /** The names of the classes' bindings: those that this Worker has itself. */
    get objects() {
      const { durableObjects = {} } = /** @type {{ durableObjects?: object }} */ (current.worker);
      return Object.keys(durableObjects);
    },
    /**
     * Goes on with these in place of what they were. What bindings hold stays.
     * @param {Partial<Running>} [change]
     */
    async reload(change = {}) {
      const next = { ...current, ...change };
      try {
        await miniflare.setOptions(options(next));
        current = next;
      } catch (error) {
        // A main module that throws while it is loaded, say. The runtime has ended by then.
        await miniflare.setOptions(options(current));
        throw new Failure(`workerd does not take it: ${/** @type {Error} */ (error).message}`);
      }
    },
    stop: () => miniflare.dispose(),
  };
}

/** @typedef {Awaited<ReturnType<typeof startRuntime>>} Runtime */

/** Which wrangler the tests of the package run with. */
export const KNOWN_WRANGLER = "4.164.0";
