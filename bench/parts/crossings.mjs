// What a request takes in calls: over the boundary between JavaScript and wasm, and of the runtime. Counts, so the same
// on every machine.
import { fileURLToPath } from "node:url";
import { Failure } from "../../scripts/lib/failure.mjs";
import { head } from "../lib/heads.mjs";
import { startGenerator, startOrigin } from "../lib/load.mjs";
import { FLAGS, gateway, modules } from "../lib/pointsman.mjs";
import { startWorkerd } from "../lib/workerd.mjs";

/** @typedef {{ path: string, kind: string, more?: [name: string, value: string][] }} Kind */

/** @type {Record<string, Kind>} */
const KINDS = {
  "API key, customer": { path: "/customer/x", kind: "key" },
  "API key, named backend": { path: "/named/x", kind: "key" },
  "API key, host with a claim in it": { path: "/template/x", kind: "key" },
  "API key, split": { path: "/split/x", kind: "key" },
  "API key, CORS": { path: "/cors/x", kind: "key", more: [["origin", "https://app.example.com"]] },
  "JWT seen before, customer": { path: "/customer/x", kind: "token" },
  "JWT new each time, customer": { path: "/customer/x", kind: "new-token" },
};

const file = (name) => ({ name, path: fileURLToPath(new URL(`../workers/${name}`, import.meta.url)) });

/**
 * { kind: { total: { out, in, runtime }, out: { name: count }, in, runtime } }
 * @param {{ metrics?: boolean, configuration?: object }} [order] whether a dataset is bound, and another configuration
 */
export async function crossings({ metrics = false, configuration = gateway } = {}) {
  const [origin, generator] = [await startOrigin(), startGenerator()];
  const instrumented = [file("counted.js"), file("counting.js"), file("wrap-instances.js"), ...modules(configuration)];
  const worker = await startWorkerd({
    modules: instrumented,
    flags: FLAGS,
    limit: true,
    metrics,
    origin: origin.port,
    kv: {},
  });
  try {
    const counted = {};
    for (const [name, kind] of Object.entries(KINDS)) counted[name] = await warmCount(worker, generator, kind);
    return counted;
  } finally {
    await Promise.all([worker, origin, generator].map((each) => each.stop()));
  }
}

/**
 * @param {Awaited<ReturnType<typeof startWorkerd>>} worker
 * @param {ReturnType<typeof startGenerator>} generator
 * @param {Kind} kind
 */
async function warmCount(worker, generator, { path, kind, more = [] }) {
  /** @type {(extra: [name: string, value: string][]) => Promise<string | undefined>} */
  const ask = async (extra) => {
    const order = { head: head(path, { more: [...more, ...extra] }), credentials: { kind, count: 1 } };
    return (await generator.run({ port: worker.port, ...order, count: 1, connections: 1, keepBody: true })).body;
  };
  for (let time = 0; time < 2; time++) await ask([]);
  const [first, second] = [await ask([["x-count", "1"]]), await ask([["x-count", "1"]])];
  if (first === undefined || first !== second)
    throw new Failure("the same request took other calls the second time", { advice: [`${first}`, `${second}`] });
  const { status, counts } = JSON.parse(first);
  if (status !== 200) throw new Failure(`a counted request was answered ${status}`);
  return {
    total: Object.fromEntries(Object.entries(counts).map(([of, names]) => [of, sum(names)])),
    ...sorted(counts),
  };
}

/** @type {(names: Record<string, number>) => number} */
const sum = (names) => Object.values(names).reduce((total, count) => total + count, 0);
const sorted = (counts) =>
  Object.fromEntries(
    Object.entries(counts).map(([of, names]) => [
      of,
      Object.fromEntries(Object.entries(names).sort(([a], [b]) => (a < b ? -1 : 1))),
    ]),
  );
