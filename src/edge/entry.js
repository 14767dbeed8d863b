import { env as bindings } from "cloudflare:workers";

// The Worker's entry, over worker-build's own (`Stock`), which it takes the place of: the build puts this behind it. That
// one makes an object of a class and three proxies for each request, which is 6 % of what a request costs. They are
// for objects that outlive their wasm instance, and here is none. After a trap it is the generated functions themselves
// that make the instance anew before they enter it again.
function entryOver(Stock) {
  const { fetch, scheduled, prepare } = Stock.prototype;
  prepareWith(prepare);
  return {
    fetch: (request, env, ctx) => fetch.call({ env, ctx }, request),
    scheduled: (event, env, ctx) => scheduled.call({ env, ctx }, event),
  };
}

/**
 * Reads the configuration while the module is loaded, which the platform does before the first request is there: so no
 * caller waits for that, nor for the compilation of the code that does it. Whatever goes wrong here, the first request
 * does it again, with its own bindings: an exception would keep the Worker from starting at all.
 */
function prepareWith(prepare) {
  try {
    // Without any there may be some all the same: the flag disallow_importable_env keeps them from modules.
    if (Object.keys(bindings).length > 0) prepare(bindings);
  } catch (error) {
    console.error("the configuration is read by the first request:", error);
  }
}
