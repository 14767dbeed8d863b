// Rounds: in each, every lane gets the same load, one lane after the other and each round in another order. What is
// compared is what was measured in the same round, so that a machine that is slow for a while is slow for all.

/** @import { Lane } from "../types.d.ts" */
/** @import { startGenerator } from "./load.mjs" */

/** Until the engine has compiled what is called often. */
const WARM_UP = 4000;
const WARM_UP_AGAIN = 1000;

/**
 * A lane is { id, worker, order }: a process of workerd, and what the generator sends it.
 * Before the first round each process gets `warmUp` requests; those of a further lane of the same process are few.
 * Gives { id: { cpu: [microseconds a request, …], perSecond: […], p50: […], p99: […] } }.
 * @param {Lane[]} lanes
 * @param {{ generator: ReturnType<typeof startGenerator>, rounds: number, count: number, warmUp?: number, progress: (text: string) => void }} extent
 */
export async function run(lanes, { generator, rounds, count, warmUp = WARM_UP, progress }) {
  /** @type {Record<string, Record<string, number[]>>} */
  const seen = Object.fromEntries(lanes.map(({ id }) => [id, { cpu: [], perSecond: [], p50: [], p99: [], own: [] }]));
  const warm = new Set();
  for (const lane of lanes) {
    progress(`warming up: ${lane.id}`);
    await once(generator, lane, warm.has(lane.worker) ? WARM_UP_AGAIN : warmUp);
    warm.add(lane.worker);
  }
  for (let round = 0; round < rounds; round++) {
    for (const lane of order(lanes, round)) {
      progress(`round ${round + 1} of ${rounds}: ${lane.id}`);
      const before = lane.worker.cpu();
      const { requests, milliseconds, p50, p99, cpu } = await once(generator, lane, count);
      const into = seen[lane.id];
      into.cpu.push((lane.worker.cpu() - before) / requests);
      into.perSecond.push((requests / milliseconds) * 1000);
      into.p50.push(p50);
      into.p99.push(p99);
      into.own.push(cpu / requests);
    }
  }
  return seen;
}

/** Begins elsewhere in each round, and goes the other way in every second one. */
function order(lanes, round) {
  const from = (round * 5) % lanes.length;
  const turned = [...lanes.slice(from), ...lanes.slice(0, from)];
  return round % 2 === 0 ? turned : turned.reverse();
}

const once = (generator, { worker, order }, count) => {
  const credentials = order.credentials && {
    ...order.credentials,
    count: order.credentials.kind === "new-token" ? count : order.credentials.count,
  };
  return generator.run({ ...order, credentials, port: worker.port, count });
};
