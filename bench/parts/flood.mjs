// An isolate that meets more and more callers, each with a key and a customer of its own: what a caller who is known
// costs then, and what it takes of memory: its wasm memory, which holds all that the core remembers and never shrinks,
// and its process, which holds the stub for KV too. Beside it an isolate that meets only its hundred callers.
import { fileURLToPath } from "node:url";
import { head } from "../lib/heads.mjs";
import { FLAGS, gateway, modules } from "../lib/pointsman.mjs";
import { noise, ratio, rounded } from "../lib/statistics.mjs";
import { startWorkerd } from "../lib/workerd.mjs";

const HOT = 100;
const BATCH = 10_000;
const MEASURED = 800;

export async function flood({ origin, generator, steps, rounds, progress }) {
  const told = [
    { name: "memory.js", path: fileURLToPath(new URL("../workers/memory.js", import.meta.url)) },
    ...modules(gateway),
  ];
  const start = () =>
    startWorkerd({
      modules: told,
      flags: FLAGS,
      limit: true,
      origin: origin.port,
      kv: {},
    });
  const [calm, control, flooded] = [await start(), await start(), await start()];
  const order = { head: head("/customer/orders/17?expand=lines") };
  const hot = { ...order, credentials: { kind: "key", count: HOT } };
  const send = (worker, count) => generator.run({ ...hot, port: worker.port, count });
  const cost = async (worker) => {
    const before = worker.cpu();
    await send(worker, MEASURED);
    return (worker.cpu() - before) / MEASURED;
  };
  const memory = async (worker) => {
    const answer = await fetch(`http://127.0.0.1:${worker.port}/`, { method: "REPORT" });
    return { resident: worker.resident(), wasm: Number(await answer.text()) };
  };
  /** Callers number `from` to `to`, with the hot ones in between so that they stay. */
  const meet = async (from, to) => {
    for (let at = from; at < to; at += BATCH) {
      progress(`${at.toLocaleString("en")} of ${steps.at(-1).toLocaleString("en")} callers`);
      const count = Math.min(BATCH, to - at);
      await generator.run({ ...order, credentials: { kind: "key", from: at, count }, port: flooded.port, count });
      await send(flooded, HOT);
    }
  };
  try {
    for (const worker of [calm, control, flooded]) await send(worker, 3 * MEASURED);
    const points = [];
    const controls = [];
    let met = HOT;
    for (const step of steps) {
      await meet(met, step);
      met = step;
      /** @type {Record<"calm" | "control" | "flooded", number[]>} */
      const seen = { calm: [], control: [], flooded: [] };
      await send(flooded, MEASURED);
      for (let round = 0; round < rounds; round++) {
        progress(`${step.toLocaleString("en")} callers: round ${round + 1} of ${rounds}`);
        seen.calm.push(await cost(calm));
        seen.flooded.push(await cost(flooded));
        seen.control.push(await cost(control));
      }
      controls.push(...seen.control.map((value, round) => value / seen.calm[round]));
      points.push({ size: step, ratio: rounded(ratio(seen.flooded, seen.calm)), ...(await memory(flooded)) });
    }
    const same = rounded(
      ratio(
        controls,
        controls.map(() => 1),
      ),
    );
    return {
      rounds,
      count: MEASURED,
      control: same,
      noise: Number(noise(same, rounds).toFixed(3)),
      points,
      calm: await memory(calm),
    };
  } finally {
    await Promise.all([calm, control, flooded].map((worker) => worker.stop()));
  }
}
