// The Worker, and how much memory its wasm instance has: bytes, in answer to the method REPORT, which nobody else uses here.
const METHOD = "REPORT";

/** @type {WebAssembly.Memory} */
let memory;
const Instance = WebAssembly.Instance;
WebAssembly.Instance = class extends Instance {
  /**
   * @param {WebAssembly.Module} module
   * @param {WebAssembly.Imports} imports
   */
  constructor(module, imports) {
    super(module, imports);
    memory = /** @type {WebAssembly.Memory} */ (this.exports.memory);
  }
};
const { default: worker } = await import("./index.js");

export default {
  /**
   * @param {Request} request
   * @param {unknown} env
   * @param {ExecutionContext} ctx
   */
  fetch(request, env, ctx) {
    return request.method === METHOD ? new Response(String(memory.buffer.byteLength)) : worker.fetch(request, env, ctx);
  },
};
