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
