// Stands between JavaScript and every wasm instance that is made from now on: imported before the Worker's own module.

/** @typedef {(...given: unknown[]) => unknown} Call */

/**
 * `wrap(direction, name, function)` gives what takes the place of an imported ("out") or exported ("in") function.
 * @param {(direction: "in" | "out", name: string, call: Call) => Call} wrap
 */
export function wrapInstances(wrap) {
  const Instance = WebAssembly.Instance;
  /** @type {(direction: "in" | "out", functions: WebAssembly.ModuleImports | WebAssembly.Exports) => WebAssembly.ModuleImports} */
  const wrapped = (direction, functions) =>
    Object.fromEntries(
      Object.entries(functions).map(([name, value]) => [
        name,
        typeof value === "function" ? wrap(direction, plain(name), /** @type {Call} */ (value)) : value,
      ]),
    );
  WebAssembly.Instance = class extends Instance {
    /**
     * @param {WebAssembly.Module} module
     * @param {WebAssembly.Imports} imports
     */
    constructor(module, imports) {
      super(
        module,
        Object.fromEntries(Object.entries(imports).map(([from, functions]) => [from, wrapped("out", functions)])),
      );
      Object.defineProperty(this, "exports", { value: wrapped("in", this.exports) });
    }
  };
}

/**
 * Without the digest that wasm-bindgen puts behind names.
 * @type {(name: string) => string}
 */
const plain = (name) => name.replace(/^__(wbg|wbindgen)_/, "").replace(/_*[0-9a-f]{16}$/, "");
