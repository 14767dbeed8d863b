// Counts what a request costs in calls: over the boundary of wasm in both directions, and of the runtime.
import { env } from "cloudflare:workers";
import { wrapInstances } from "./wrap-instances.js";

/** @type {Record<string, Record<string, number>>} */
let counts = {};
/** Nothing is counted between requests. */
let on = false;

/**
 * @param {string} kind
 * @param {string} name
 */
function count(kind, name) {
  if (!on) return;
  counts[kind] ??= {};
  const of = counts[kind];
  of[name] = (of[name] ?? 0) + 1;
}

export function begin() {
  counts = {};
  on = true;
}

export function end() {
  on = false;
  return counts;
}

wrapInstances((direction, name, call) => (...given) => {
  count(direction, name);
  return call(...given);
});

/**
 * Counts the calls of a method, or the readings of a property.
 * @param {object} object
 * @param {string} property
 * @param {string} name
 */
function watch(object, property, name) {
  const described = describe(object, property);
  const kind = described.get ? "get" : "value";
  const inner = described[kind];
  /**
   * @this {unknown}
   * @param {unknown[]} given
   */
  const outer = function (...given) {
    count("runtime", name);
    return inner.apply(this, given);
  };
  Object.defineProperty(object, property, { ...described, [kind]: outer });
}

/**
 * Where it stands may be further up.
 * @param {object} object
 * @param {string} property
 * @returns {PropertyDescriptor}
 */
function describe(object, property) {
  return Object.getOwnPropertyDescriptor(object, property) ?? describe(Object.getPrototypeOf(object), property);
}

for (const method of ["get", "set", "has", "append", "delete", "keys", "entries"])
  watch(Headers.prototype, method, `Headers.${method}`);
for (const property of ["url", "method", "headers", "body", "cf", "signal"])
  watch(Request.prototype, property, `Request.${property}`);
for (const property of ["status", "headers", "body", "webSocket"])
  watch(Response.prototype, property, `Response.${property}`);
for (const name of ["fetch", "setTimeout", "clearTimeout"]) watch(globalThis, name, name);
watch(console, "log", "console.log");
watch(Date, "now", "Date.now");
watch(TextDecoder.prototype, "decode", "TextDecoder.decode");
watch(TextEncoder.prototype, "encode", "TextEncoder.encode");
watch(TextEncoder.prototype, "encodeInto", "TextEncoder.encodeInto");
for (const method of ["parse", "stringify"]) watch(JSON, method, `JSON.${method}`);
for (const method of ["verify", "digest", "importKey"])
  watch(SubtleCrypto.prototype, method, `crypto.subtle.${method}`);
// Where a dataset is bound. It is the same object for everybody who asks for the binding.
const { METRICS } = /** @type {{ METRICS?: AnalyticsEngineDataset }} */ (env);
if (METRICS !== undefined) watch(METRICS, "writeDataPoint", "writeDataPoint");
const globals = /** @type {Record<string, new (...given: unknown[]) => object>} */ (
  /** @type {unknown} */ (globalThis)
);
for (const name of ["Headers", "Request", "Response", "URL", "Promise"]) {
  globals[name] = new Proxy(globals[name], {
    construct(target, given, newTarget) {
      count("runtime", `new ${name}`);
      return Reflect.construct(target, given, newTarget);
    },
  });
}
