// The Worker with a ledger that says what it is told to, a clock that can be put forward, and how much memory its wasm
// instance has. The method REPORT, which nobody else uses here, asks for that memory; its query puts the clock forward
// (`ahead`, in milliseconds) and has the ledger begin another epoch (`anew`), so that everything is loaded again.
import { DurableObject } from "cloudflare:workers";

const METHOD = "REPORT";
/** Where in a head its epoch stands, and when the ledger wrote it. */
const EPOCH_AT = 3;
const AS_OF_AT = 27;

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

let ahead = 0;
let epoch = 1;
const clock = Date.now;
Date.now = () => clock() + ahead;

const { default: worker } = await import("./index.js");

/** @type {ArrayBuffer | null} */
let head = null;

/** @extends {DurableObject<{ POINTSMAN_KV: KVNamespace }>} */
export class Ledger extends DurableObject {
  async poll() {
    head ??= await this.env.POINTSMAN_KV.get("head", "arrayBuffer");
    if (head === null) throw new Error("there is no head");
    const bytes = new Uint8Array(head.slice(0));
    const view = new DataView(bytes.buffer);
    view.setUint32(EPOCH_AT, epoch);
    view.setBigUint64(AS_OF_AT, BigInt(Date.now()));
    return bytes;
  }
}

export default {
  /**
   * @param {Request} request
   * @param {unknown} env
   * @param {ExecutionContext} ctx
   */
  fetch(request, env, ctx) {
    if (request.method !== METHOD) return worker.fetch(request, env, ctx);
    const { searchParams } = new URL(request.url);
    ahead += Number(searchParams.get("ahead") ?? 0);
    if (searchParams.has("anew")) epoch += 1;
    return new Response(String(memory.buffer.byteLength));
  },
};
