// The outermost catch: every request is answered and has its line, whatever goes wrong in wasm or in JavaScript.
import { finish, openLine } from "./finish.js";
import { logEvent } from "./log_event.js";

/** The same handler of requests, but one that neither throws nor is rejected. */
export const answerAlways = (handle) => (request, env, ctx) => {
  try {
    const answer = handle(request, env, ctx);
    return answer.then === undefined ? answer : answer.then(undefined, (error) => rescue(request, error));
  } catch (error) {
    return rescue(request, error);
  }
};

/**
 * The end of a request that ended in an exception. It has no other: whoever ends a request throws nothing afterwards. Only
 * the request is used here, since nothing else is known to be whole. The words are those of `Problem::GatewayError`.
 */
function rescue(request, error) {
  const ray = request.headers.get("cf-ray") ?? "";
  const instance = /^[0-9A-Za-z-]{8,64}$/.test(ray) ? ray : crypto.randomUUID();
  const { method } = request;
  const line = openLine({ time: new Date().toISOString(), requestId: instance, method });
  finish({ line }, { status: 500, reason: "internal_error" });
  // Not the message: it may quote what a client or a backend sent.
  logEvent("error", "internal_error", { request_id: instance, error_type: error?.constructor?.name });
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
