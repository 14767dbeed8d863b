// Cold starts: from nothing to the first answer, against the bare pass-through's.
import { head } from "../lib/heads.mjs";
import { peer } from "../lib/peers.mjs";
import { FLAGS, gateway, modules } from "../lib/pointsman.mjs";
import { rounded, spread } from "../lib/statistics.mjs";
import { startWorkerd } from "../lib/workerd.mjs";

/** @import { WorkerSettings } from "../types.d.ts" */

export async function cold({ origin, generator, times, progress }) {
  /** @type {Record<string, Omit<WorkerSettings, "origin">>} */
  const kinds = {
    "pass-through": { modules: await peer("pass-through") },
    hono: { modules: await peer("hono") },
    own: { modules: modules(gateway), flags: FLAGS, limit: true },
  };
  /** @type {Record<string, { cpu: number, answer: number }[]>} */
  const seen = Object.fromEntries(Object.keys(kinds).map((id) => [id, []]));
  for (let time = 0; time < times; time++) {
    for (const [id, settings] of turned(Object.entries(kinds), time)) {
      progress(`cold start ${time + 1} of ${times}: ${id}`);
      seen[id].push(await first({ ...settings, origin: origin.port, kv: {} }, generator));
    }
  }
  const over = (id, what) =>
    rounded(spread(seen[id].map((values, time) => values[what] - seen["pass-through"][time][what])), 1);
  return {
    times,
    passThrough: {
      cpu: rounded(spread(seen["pass-through"].map(({ cpu }) => cpu)), 1),
      answer: rounded(spread(seen["pass-through"].map(({ answer }) => answer)), 1),
    },
    rows: Object.keys(kinds)
      .slice(1)
      .map((id) => ({ id, cpu: over(id, "cpu"), answer: over(id, "answer") })),
  };
}

const turned = (items, by) => [...items.slice(by % items.length), ...items.slice(0, by % items.length)];

/**
 * Milliseconds: of CPU from the start of the process to its first answer, and from the first request to its answer.
 * @param {WorkerSettings} settings
 */
async function first(settings, generator) {
  const worker = await startWorkerd(settings);
  try {
    const { p50 } = await generator.run({
      port: worker.port,
      head: head("/customer/orders/17"),
      credentials: { kind: "key", count: 1 },
      count: 1,
      connections: 1,
    });
    return { cpu: worker.cpu() / 1000, answer: p50 };
  } finally {
    await worker.stop();
  }
}
