// The gateway as a library: what the npm package hands to a user's own main module, and what ours (`entry.js`) is made of.
//
// The build resolves `pointsman:core` (the functions that enter the wasm, made of src/edge.rs) and `pointsman:wasm` (the
// wasm itself). After a trap it is these functions that make a new instance before they enter it again.
import { env as bindings } from "cloudflare:workers";
import { fetch, initSync, prepare, scheduled } from "pointsman:core";
import module from "pointsman:wasm";
import { configure } from "./configuration.js";
import { answerAlways } from "./outermost.js";

/** @import { Handle } from "./outermost.js" */

export { Ledger } from "./ledger.js";
export { Quota } from "./quota.js";

initSync({ module });

/**
 * The handlers that the platform calls.
 * @param {string} configuration in checked form, as `pointsman compile` writes it
 * @returns {{ fetch: Handle, scheduled: typeof scheduled }}
 */
export function gateway(configuration) {
  configure(configuration);
  prepareAtOnce();
  return {
    fetch: answerAlways(fetch),
    scheduled: (event, env, ctx) => scheduled(event, env, ctx),
  };
}

/**
 * Reads the configuration while the module is loaded, which the platform does before the first request is there: so no
 * caller waits for that, nor for the compilation of the code that does it. Whatever goes wrong here, the first request
 * does it again, with its own bindings: an exception would keep the Worker from starting at all.
 */
function prepareAtOnce() {
  try {
    // Without any there may be some all the same: the flag disallow_importable_env keeps them from modules.
    if (Object.keys(bindings).length > 0) prepare(bindings);
  } catch (error) {
    console.error("the configuration is read by the first request:", error);
  }
}
