// The Worker, and how much memory its wasm instance has: bytes, in answer to the method REPORT, which nobody else uses here.
const METHOD = "REPORT";

let memory;
const Instance = WebAssembly.Instance;
WebAssembly.Instance = class extends Instance {
  constructor(module, imports) {
    super(module, imports);
    ({ memory } = this.exports);
  }
};
const { default: worker } = await import("./index.js");

export default {
  fetch(request, env, ctx) {
    return request.method === METHOD ? new Response(String(memory.buffer.byteLength)) : worker.fetch(request, env, ctx);
  },
};
