// The Worker with everything that it calls counted: a request with x-count is answered with what it took.
import { begin, end } from "./counting.js";
import worker from "./index.js";

export default {
  /**
   * @param {Request} request
   * @param {unknown} env
   * @param {ExecutionContext} ctx
   */
  async fetch(request, env, ctx) {
    if (!request.headers.has("x-count")) return worker.fetch(request, env, ctx);
    const alike = new Request(request);
    alike.headers.delete("x-count");
    begin();
    const answer = await worker.fetch(alike, env, ctx);
    const counts = end();
    await answer.body?.cancel();
    return new Response(JSON.stringify({ status: answer.status, counts }));
  },
};
