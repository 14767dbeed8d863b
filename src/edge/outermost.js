// The outermost catch: every request is answered and has its line, whatever goes wrong in wasm or in JavaScript.

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
 * The answer and the line of a request that ended in an exception. The line is not written yet: code that writes a line
 * throws nothing afterwards. Only the request is used here, since nothing else is known to be whole. The words are those of
 * `Problem::GatewayError`.
 */
function rescue(request, error) {
  const ray = request.headers.get("cf-ray") ?? "";
  const instance = /^[0-9A-Za-z-]{8,64}$/.test(ray) ? ray : crypto.randomUUID();
  const [time, { method }] = [new Date().toISOString(), request];
  console.log(
    JSON.stringify({ event: "request", time, request_id: instance, method, reason: "internal_error", status: 500 }),
  );
  // Not the message: it may quote what a client or a backend sent.
  console.log(
    JSON.stringify({
      event: "internal_error",
      level: "error",
      time,
      request_id: instance,
      error: error?.constructor?.name,
    }),
  );
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
