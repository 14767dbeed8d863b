// The outermost catch: every request is answered and has its line, whatever goes wrong in wasm or in JavaScript.
import { finish, openLine } from "./finish.js";
import { logEvent } from "./log_event.js";

/** @typedef {(request: Request, env: object, ctx: ExecutionContext) => Response | Promise<Response>} Handle */

/**
 * The same handler of requests, but one that neither throws nor is rejected.
 * @type {(handle: Handle) => Handle}
 */
export const answerAlways = (handle) => (request, env, ctx) => {
  try {
    const answer = handle(request, env, ctx);
    return isPromise(answer) ? answer.then(undefined, (error) => rescue(request, error)) : answer;
  } catch (error) {
    return rescue(request, error);
  }
};

/**
 * @param {Response | Promise<Response>} answer
 * @returns {answer is Promise<Response>}
 */
const isPromise = (answer) => /** @type {Partial<Promise<Response>>} */ (answer).then !== undefined;

/**
 * The end of a request that ended in an exception. It has no other: whoever ends a request throws nothing afterwards. Only
 * the request is used here, since nothing else is known to be whole. The words are those of `Problem::GatewayError`.
 * @param {Request} request
 * @param {unknown} error
 */
function rescue(request, error) {
  const ray = request.headers.get("cf-ray") ?? "";
  const instance = /^[0-9A-Za-z-]{8,64}$/.test(ray) ? ray : crypto.randomUUID();
  const { method } = request;
  const line = openLine({ time: new Date().toISOString(), requestId: instance, method });
  finish({ line }, { status: 500, reason: "internal_error" });
  // Not the message: it may quote what a client or a backend sent.
  logEvent("error", "internal_error", {
    request_id: instance,
    error_type: /** @type {object | undefined} */ (error)?.constructor?.name,
  });
  const detail = "The gateway failed on this request, which may have been carried out.";
  const problem = {
    type: "urn:pointsman:problem:gateway-error",
    title: "Gateway error",
    status: 500,
    detail,
    error: { code: "gateway-error", message: detail, type: "api_error" },
    instance,
  };
  const headers = { "content-type": "application/problem+json", "cache-control": "no-store", "x-request-id": instance };
  return new Response(method === "HEAD" ? null : JSON.stringify(problem), { status: 500, headers });
}
