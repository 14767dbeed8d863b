// KV that fails on demand: the gateway's binding is a second Worker, which asks here what is to become of each call
// before it makes it of a real namespace. workerd turns calls of a service binding into RPC.
export const STORE_WORKER = "store";
export const STORE_BINDING = "NAMESPACE";

/** Options of the gateway's Worker, in place of its namespace. */
export const viaStoreWorker = {
  kvNamespaces: {},
  serviceBindings: { POINTSMAN_KV: { name: STORE_WORKER, entrypoint: "Store" } },
};

const SCRIPT = `
import { WorkerEntrypoint } from "cloudflare:workers";

export class Store extends WorkerEntrypoint {
  async #admit(method, keys) {
    const answer = await this.env.FAULTS.fetch("http://faults/", { method: "POST", body: JSON.stringify({ method, keys }) });
    if (!answer.ok) throw new Error(await answer.text());
  }
  async get(key, options) {
    await this.#admit("get", [key].flat());
    return this.env.${STORE_BINDING}.get(key, options);
  }
  async put(key, value) {
    await this.#admit("put", [key]);
    return this.env.${STORE_BINDING}.put(key, value);
  }
}

export default { fetch: () => new Response() };
`;

/**
 * The faults, none at first. `calls` notes each call that arrived: { method, keys }. A fault is for the calls of `only`
 * (all of them by default) until `mend()`, which also lets go what hangs.
 */
export function createFaultyStore() {
  const calls = [];
  let fault = async () => {};
  let mended = Promise.withResolvers();
  const set = (only, act) => {
    fault = async (call) => (only(call) ? act(call) : undefined);
  };
  const all = () => true;
  return {
    calls,
    /** How many calls of this method had a key that begins so. */
    count: (method, prefix) =>
      calls.filter((call) => call.method === method && call.keys.some((key) => key.startsWith(prefix))).length,
    clear: () => calls.splice(0),
    fail: (only = all) => set(only, () => new Error("KV is out of order")),
    hang: (only = all) => set(only, () => mended.promise),
    slow: (milliseconds, only = all) => set(only, () => new Promise((resolve) => setTimeout(resolve, milliseconds))),
    mend() {
      fault = async () => {};
      mended.resolve();
      mended = Promise.withResolvers();
    },
    worker: {
      name: STORE_WORKER,
      modules: true,
      script: SCRIPT,
      compatibilityDate: "2026-07-30",
      kvNamespaces: { [STORE_BINDING]: "faulty" },
      serviceBindings: {
        async FAULTS(request) {
          const call = await request.json();
          calls.push(call);
          const error = await fault(call);
          return error ? new Response(error.message, { status: 500 }) : new Response();
        },
      },
    },
  };
}
