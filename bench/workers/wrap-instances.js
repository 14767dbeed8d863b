// Stands between JavaScript and every wasm instance that is made from now on: imported before the Worker's own module.

/** `wrap(direction, name, function)` gives what takes the place of an imported ("out") or exported ("in") function. */
export function wrapInstances(wrap) {
  const Instance = WebAssembly.Instance;
  const wrapped = (direction, functions) =>
    Object.fromEntries(
      Object.entries(functions).map(([name, value]) => [
        name,
        typeof value === "function" ? wrap(direction, plain(name), value) : value,
      ]),
    );
  WebAssembly.Instance = class extends Instance {
    constructor(module, imports) {
      super(
        module,
        Object.fromEntries(Object.entries(imports).map(([from, functions]) => [from, wrapped("out", functions)])),
      );
      Object.defineProperty(this, "exports", { value: wrapped("in", super.exports) });
    }
  };
}

/** Without the digest that wasm-bindgen puts behind names. */
const plain = (name) => name.replace(/^__(wbg|wbindgen)_/, "").replace(/_*[0-9a-f]{16}$/, "");
