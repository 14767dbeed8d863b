// As much as the Worker can take, for minutes, while origins, KV and the issuer fall ill and recover. What must hold:
//   - nobody sees an error who need not: known callers are answered whatever the sources do, and as long as one origin
//     is well; unknown keys get 401, or 503 while KV is ill;
//   - once it is warm the heap does not keep growing, and requests do not get slower.
import { setTimeout as sleep } from "node:timers/promises";
import { keepsGrowing, openHeapMeter } from "../../tests/workerd/support/heap.mjs";
import { head } from "../lib/heads.mjs";
import { startGenerator, startOrigin } from "../lib/load.mjs";
import { base, FLAGS, modules } from "../lib/pointsman.mjs";
import { median } from "../lib/statistics.mjs";
import { startWorkerd } from "../lib/workerd.mjs";

const WINDOW = 15;
/** Until caches, heap and compiled code have the size that they stay at. */
const WARM_UP = 60;
/** At the end requests may take this much longer than after the warm-up: machines are busy with other things too. */
const SLOWER = 1.5;

const auth = ["api_key", "main"];
const gateway = {
  ...base,
  backends: {
    pair: {
      origins: [{ url: "https://one.example.com" }, { url: "https://two.example.com" }],
      timeout: "1s",
      deadline: "5s",
      failure_statuses: [503],
      failures: 2,
      pause: "250ms",
    },
  },
  routes: [
    { path: "/customer/{+path}", auth, rules: [{ name: "customer", to: "customer" }] },
    { path: "/pair/{+path}", auth, rules: [{ name: "pair", to: "pair" }] },
  ],
};

/** `connections` to the pair of origins are fewer than attempts may be made again in one burst. */
const CALLERS = [
  { who: "known keys", connections: 16, path: "/customer/x", credentials: { kind: "key", count: 100 }, allowed: [200] },
  {
    who: "tokens seen before, two origins",
    connections: 4,
    path: "/pair/x",
    credentials: { kind: "token", count: 100 },
    allowed: [200],
  },
  {
    who: "new tokens",
    connections: 4,
    path: "/customer/x",
    credentials: { kind: "new-token", count: 20_000 },
    allowed: [200],
  },
  {
    who: "unknown keys",
    connections: 4,
    path: "/customer/x",
    credentials: { kind: "key", from: 1_000_000, count: 50_000 },
    allowed: [401, 503],
  },
];

const ILLS = [
  ...["one", "two"].flatMap((who) => ["hang", "reset", "fail"].map((ill) => ({ who, ill }))),
  ...["kv", "issuer"].flatMap((who) => ["hang", "fail"].map((ill) => ({ who, ill }))),
];

export async function load({ minutes, progress }) {
  const world = await startOrigin("world.mjs");
  const worker = await startWorkerd({
    modules: modules(gateway),
    flags: FLAGS,
    origin: world.port,
    kvPort: world.kvPort,
    inspector: true,
  });
  const heap = await openHeapMeter(worker.inspectorUrl ?? "", "main");
  const end = Date.now() + minutes * 60_000;
  const violations = [];
  const violate = (what) => violations.length < 50 && violations.push(what);
  const windows = [];
  const counts = {};

  const call = async ({ who, path, allowed, ...order }) => {
    const generator = startGenerator();
    for (let round = 0; Date.now() < end; round++) {
      const credentials = order.credentials.from
        ? { ...order.credentials, from: order.credentials.from + round * order.credentials.count }
        : order.credentials;
      const seen = await generator.run({
        ...order,
        credentials,
        head: head(path),
        port: worker.port,
        seconds: WINDOW,
        allowed: [],
      });
      for (const [status, count] of Object.entries(seen.statuses)) {
        counts[status] = (counts[status] ?? 0) + count;
        if (!allowed.includes(Number(status))) violate(`${who}: ${count} times ${status}, once ${seen.odd}`);
      }
      if (seen.failed > 0) violate(`${who}: ${seen.failed} connections lost`);
      if (who === "known keys") windows.push({ p50: seen.p50, p99: seen.p99, perSecond: seen.requests / WINDOW });
    }
    await generator.stop();
  };

  /** One is ill at a time, and everybody is well for a while in between. */
  const flap = async () => {
    // First all that is to be known must be learnt.
    await sleep(WINDOW * 1000);
    for (let number = 0; Date.now() < end - 10_000; number++) {
      const { who, ill } = ILLS[(number * 7) % ILLS.length];
      world.tell({ who, ill });
      await sleep(3000);
      world.tell({ who });
      await sleep(3000);
    }
  };

  const memory = [];
  const watch = async () => {
    const warm = Date.now() + WARM_UP * 1000;
    while (Date.now() < end) {
      await sleep(1000);
      const bytes = await heap.read();
      if (Date.now() > warm) memory.push({ heap: bytes, resident: worker.resident() });
      progress(`${JSON.stringify(counts)}, heap ${(bytes / 2 ** 20).toFixed(1)} MiB, ${violations.length} violations`);
    }
  };

  try {
    await Promise.all([flap(), watch(), ...CALLERS.map(call)]);
  } finally {
    heap.close();
    await Promise.all([worker.stop(), world.stop()]);
  }
  if (keepsGrowing(memory.map(({ heap }) => heap))) violate("the heap keeps growing");
  const times = slower(windows);
  if (times > SLOWER) violate(`the p99 of known keys is ${times.toFixed(2)} times what it was`);
  return {
    minutes,
    counts,
    windows: windows.length,
    perSecond: Math.round(median(windows.map(({ perSecond }) => perSecond))),
    p50: median(windows.map(({ p50 }) => p50)),
    p99: median(windows.map(({ p99 }) => p99)),
    slower: times,
    memory: range(memory),
    violations,
  };
}

/** The p99 of the last third of all windows over that of the first third after the warm-up; 1 where there are too few. */
function slower(windows) {
  const warm = windows.slice(Math.ceil(WARM_UP / WINDOW)).map(({ p99 }) => p99);
  const third = Math.floor(warm.length / 3);
  return third < 2 ? 1 : median(warm.slice(-third)) / median(warm.slice(0, third));
}

function range(memory) {
  const of = (what) => memory.map((each) => each[what]);
  const quarter = Math.max(Math.floor(memory.length / 4), 1);
  const growth = (values) =>
    values.length < 8 ? undefined : median(values.slice(-quarter)) - median(values.slice(0, quarter));
  return {
    heap: Math.max(...of("heap"), 0),
    heapGrowth: growth(of("heap")),
    resident: Math.max(...of("resident"), 0),
    residentGrowth: growth(of("resident")),
  };
}
