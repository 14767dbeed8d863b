// The modules that only the build resolves: see scripts/lib/worker-build.mjs.

/** The functions that enter the wasm, as wasm-bindgen makes them of src/edge.rs. */
declare module "pointsman:core" {
  /** Makes the instance. */
  export function initSync(source: { module: WebAssembly.Module }): unknown;
  /** Reads the configuration. Throws where the bindings do not hold what the configuration needs. */
  export function prepare(env: object): void;
  /** Answers a request: at once where everything is in memory. */
  export function fetch(request: Request, env: object, ctx: ExecutionContext): Response | Promise<Response>;
  /** Refreshes what the configuration says is refreshed by a schedule. */
  export function scheduled(event: ScheduledController, env: object, ctx: ExecutionContext): Promise<void>;
}

/** The compiled core. */
declare module "pointsman:wasm" {
  const module: WebAssembly.Module;
  export default module;
}

/** The configuration in checked form, as JSON text. */
declare module "pointsman:configuration" {
  const form: string;
  export default form;
}

/** The ledger's logic, as wasm-bindgen makes it of crates/pointsman-ledger-wasm. */
declare module "pointsman:ledger" {
  /** Makes the first instance. */
  export function initSync(source: { module: WebAssembly.Module }): unknown;
  /** Makes another instance in its place. */
  export function __wbg_reset_state(): void;

  /** A ledger over the database of one object. Times are milliseconds since 1970. */
  export class Ledger {
    constructor(entries: import("./ledger_storage.js").Entries, settings: string, now: number, random: Uint8Array);
    /** Answers a request, which is JSON, by what `ledger_frames.js` reads. */
    call(request: string, bytes: Uint8Array | undefined, now: number, random: Uint8Array): Uint8Array;
  }
}

/** The description of the management API, as schemas/api.openapi.json has it. */
declare module "pointsman:api" {
  const description: string;
  export default description;
}

/** The ledger's wasm, compiled. */
declare module "pointsman:ledger-wasm" {
  const module: WebAssembly.Module;
  export default module;
}
