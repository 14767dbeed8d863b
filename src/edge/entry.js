import { env as bindings } from "cloudflare:workers";

// The Worker's entry, over worker-build's own (`Stock`), which it takes the place of: the build puts this behind it. That
// one makes an object of a class and three proxies for each request, which is 6 % of what a request costs. They are
// for objects that outlive their wasm instance, and here is none. After a trap it is the generated functions themselves
// that make the instance anew before they enter it again.
function entryOver(Stock) {
  const { fetch, scheduled, prepare } = Stock.prototype;
  prepareWith(prepare);
  return {
    fetch: (request, env, ctx) => {
      try {
        const answer = fetch.call({ env, ctx }, request);
        return answer.then === undefined ? answer : answer.then(undefined, (error) => rescueRequest(request, error));
      } catch (error) {
        return rescueRequest(request, error);
      }
    },
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

/**
 * The outermost catch: the answer and the line of a request that ended in an exception, out of wasm or of JavaScript. Nobody
 * has written its line: whatever does so comes to its end. All that is used here is the request, since nothing else is
 * known to be whole. The words are those of `Problem::GatewayError`.
 */
function rescueRequest(request, error) {
  const ray = request.headers.get("cf-ray") ?? "";
  const instance = /^[0-9A-Za-z-]{8,64}$/.test(ray) ? ray : crypto.randomUUID();
  const [time, { method }] = [new Date().toISOString(), request];
  console.log(JSON.stringify({ event: "request", time, request_id: instance, method, reason: "internal_error", status: 500 }));
  // Not the message: it may quote what a client or a backend sent.
  console.log(JSON.stringify({ event: "internal_error", level: "error", time, request_id: instance, error: error?.constructor?.name }));
  const problem = {
    type: "urn:pointsman:problem:gateway-error",
    title: "Gateway error",
    status: 500,
    detail: "The gateway failed on this request, which may have been carried out.",
    instance,
  };
  const headers = { "content-type": "application/problem+json", "cache-control": "no-store", "x-request-id": instance };
  return new Response(method === "HEAD" ? null : JSON.stringify(problem), { status: 500, headers });
}
