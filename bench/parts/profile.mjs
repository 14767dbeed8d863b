// Where the CPU time of a request goes, in our Worker and beside it in the pass-throughs and the tuned peer: the kernel's
// part, the runtime's, and our own code's. The profiler slows all down, so what counts is what stands beside what.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { head } from "../lib/heads.mjs";
import { startGenerator, startOrigin } from "../lib/load.mjs";
import { peer } from "../lib/peers.mjs";
import { forget, needPerf, sampled } from "../lib/perf.mjs";
import { FLAGS, folder, gateway, modules } from "../lib/pointsman.mjs";
import { startWorkerd } from "../lib/workerd.mjs";

const REQUESTS = 8000;
/** Each Worker has several turns: the machine is quicker at one time than at another. */
const TURNS = 4;
/** How many of our own functions are named. */
const SHOWN = 14;

/** @type {{ id: string, peer?: string }[]} */
const WORKERS = [
  { id: "pass-through", peer: "pass-through" },
  { id: "plain init", peer: "pass-through-init" },
  { id: "tuned", peer: "hono-tuned" },
  { id: "own" },
];

const any =
  (pattern) =>
  ({ frames }) =>
    frames.some((frame) => pattern.test(frame));
const inner =
  (pattern) =>
  ({ frames }) =>
    pattern.test(frames[0]);

/**
 * What a sample is counted as: the first that fits.
 * @type {[name: string, fits: (sample: { frames: string[], place: string | undefined }) => boolean][]}
 */
const KINDS = [
  ["the kernel: sockets, waiting", ({ place }) => place === "[kernel.kallsyms]"],
  ["garbage collection", any(/Heap::CollectGarbage|cppgc::internal::|Heap::Allocate.*Slow/)],
  ["the log line", any(/Worker::handleLog|formatLog|formatWithOptions/)],
  ["the timer", any(/setTimeout|clearTimeout|TimeoutManager|TimerImpl/)],
  ["fetch: making the call", any(/api::fetchImpl|RequestInitializerDict/)],
  ["fields: reading, copying, setting", any(/workerd::api::Headers::(?!~)|KeyIterator|3api7Headers/)],
  ["code in wasm", inner(/wasm/)],
  [
    "code in JavaScript, and the engine for both",
    inner(/^(JS|py|LazyCompile|Script|Function):|^Builtins_|^v8::|^\[unknown\]$/),
  ],
  ["HTTP: reading and writing messages", any(/kj::(\(anonymous namespace\)::)?Http|kj::Url/)],
  ["taking objects apart", any(/~|dispose|[Dd]estr[ou]/)],
  ["event loop, promises, the rest of the runtime", () => true],
];

/** { requests, microseconds: { worker: … }, kinds: [{ name, microseconds: { worker: … } }], functions: [{ name, microseconds }] } */
export async function profile({ progress }) {
  await needPerf();
  const [origin, generator] = [await startOrigin(), startGenerator()];
  const seen = Object.fromEntries(WORKERS.map(({ id }) => [id, { kinds: new Map(), functions: new Map() }]));
  const workers = [];
  try {
    for (const worker of WORKERS) workers.push({ ...worker, process: await startOne(worker, origin) });
    const order = { head: head("/customer/orders/17?expand=lines&page=2"), credentials: { kind: "key", count: 100 } };
    for (const { id, process } of workers) {
      progress(`warming up: ${id}`);
      await generator.run({ ...order, port: process.port, count: 2 * REQUESTS });
    }
    for (let turn = 0; turn < TURNS; turn++) {
      for (const { id, process } of workers) {
        progress(`turn ${turn + 1} of ${TURNS}: ${id}`);
        await watch(process, () => generator.run({ ...order, port: process.port, count: REQUESTS }), seen[id]);
      }
    }
  } finally {
    await Promise.all([origin, generator, ...workers.map(({ process }) => process)].map((each) => each.stop()));
    for (const { process } of workers) forget(process.pid);
  }
  return summary(seen);
}

/**
 * @param {{ peer?: string }} worker
 * @param {{ port: number }} origin
 */
async function startOne({ peer: name }, origin) {
  const own = { modules: modules(gateway), flags: FLAGS, limit: true };
  // So that perf knows what the engine compiles by its names.
  return startWorkerd({
    ...(name ? { modules: await peer(name) } : own),
    origin: origin.port,
    kv: {},
    v8Flags: ["--perf-basic-prof"],
  });
}

async function watch({ pid }, work, { kinds, functions }) {
  const counts = { kinds: new Map(), functions: new Map() };
  const add = (to, name, number = 1) => to.set(name, (to.get(name) ?? 0) + number);
  const each = await sampled(pid, work, (frames, place) => {
    const [kind] = KINDS.find(([, fits]) => fits({ frames, place })) ?? KINDS[KINDS.length - 1];
    add(counts.kinds, kind);
    const own = /^(?:JS|py):.*?wasm-function\[(\d+)\]/.exec(frames[0])?.[1];
    if (own !== undefined) add(counts.functions, Number(own));
  });
  for (const [name, number] of counts.kinds) add(kinds, name, number * each);
  for (const [name, number] of counts.functions) add(functions, name, number * each);
}

function summary(seen) {
  const perRequest = (microseconds = 0) => Number((microseconds / (REQUESTS * TURNS)).toFixed(1));
  const of = (pick) => Object.fromEntries(Object.entries(seen).map(([id, counts]) => [id, pick(counts)]));
  const total = ({ kinds }) => perRequest([...kinds.values()].reduce((sum, each) => sum + each, 0));
  const names = functionNames();
  return {
    requests: REQUESTS * TURNS,
    microseconds: of(total),
    kinds: KINDS.map(([name]) => ({ name, microseconds: of(({ kinds }) => perRequest(kinds.get(name))) })),
    functions: [...seen.own.functions]
      .sort(([, one], [, other]) => other - one)
      .slice(0, SHOWN)
      .map(([number, microseconds]) => ({
        name: names.get(number) ?? `function ${number}`,
        microseconds: Number((microseconds / (REQUESTS * TURNS)).toFixed(2)),
      })),
  };
}

/** The names that the build took out of the wasm, without their hashes. */
function functionNames() {
  const lines = readFileSync(join(folder(), "function-names.txt"), "utf8").trimEnd().split("\n");
  return new Map(
    lines.map((line) => [Number.parseInt(line, 10), line.slice(line.indexOf(" ") + 1).replace(/::h[0-9a-f]{16}$/, "")]),
  );
}
