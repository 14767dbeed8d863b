// Where the time of a request goes, by V8's profiler: which functions of ours, and which calls of the runtime. The
// profiler slows all down alike, so shares count here and not times.
import { once } from "node:events";
import { WebSocket } from "ws";
import { head } from "../lib/heads.mjs";
import { startGenerator, startOrigin } from "../lib/load.mjs";
import { FLAGS, gateway, modules } from "../lib/pointsman.mjs";
import { startWorkerd } from "../lib/workerd.mjs";

const REQUESTS = 30_000;
/** Microseconds between two samples. */
const INTERVAL = 100;
const SHOWN = 30;

export async function profile({ progress }) {
  const [origin, generator] = [await startOrigin(), startGenerator()];
  const worker = await startWorkerd({ modules: modules(), texts: { GATEWAY: JSON.stringify(gateway) }, flags: FLAGS, limit: true, origin: origin.port, kv: {}, inspector: true });
  try {
    const order = { port: worker.port, head: head("/customer/orders/17?expand=lines"), credentials: { kind: "key", count: 100 } };
    progress("warming up");
    await generator.run({ ...order, count: REQUESTS });
    const session = await inspect(worker.inspectorUrl);
    await session.call("Profiler.enable");
    await session.call("Profiler.setSamplingInterval", { interval: INTERVAL });
    await session.call("Profiler.start");
    progress("under the profiler");
    const before = worker.cpu();
    await generator.run({ ...order, count: REQUESTS });
    const cpu = worker.cpu() - before;
    const { profile } = await session.call("Profiler.stop");
    session.close();
    return { requests: REQUESTS, microseconds: cpu / REQUESTS, rows: shares(profile).slice(0, SHOWN) };
  } finally {
    await Promise.all([worker, origin, generator].map((each) => each.stop()));
  }
}

async function inspect(url) {
  const targets = await (await fetch(new URL("/json", url))).json();
  const socket = new WebSocket(targets.find(({ id }) => id.includes("main")).webSocketDebuggerUrl, { maxPayload: 1 << 28 });
  await once(socket, "open");
  let number = 0;
  const call = (method, params = {}) => {
    const id = ++number;
    socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => {
      socket.on("message", function hear(data) {
        const message = JSON.parse(data);
        if (message.id !== id) return;
        socket.off("message", hear);
        resolve(message.result);
      });
    });
  };
  return { call, close: () => socket.terminate() };
}

/** The share of samples in each function itself, of all samples in which something ran; the most first. */
function shares({ nodes, samples }) {
  const hits = new Map();
  for (const id of samples) hits.set(id, (hits.get(id) ?? 0) + 1);
  const names = new Map();
  let total = 0;
  for (const { id, callFrame } of nodes) {
    const { functionName, url } = callFrame;
    if (functionName === "(idle)") continue;
    const name = `${functionName || "(anonymous)"}${url.startsWith("wasm") ? " (wasm)" : ""}`;
    const count = hits.get(id) ?? 0;
    total += count;
    names.set(name, (names.get(name) ?? 0) + count);
  }
  return [...names]
    .map(([name, count]) => ({ name, share: Number((count / total).toFixed(4)) }))
    .sort((a, b) => b.share - a.share);
}
