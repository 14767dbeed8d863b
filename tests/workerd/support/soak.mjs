// A steady load of mixed requests over origins that come and go, and what must hold all the while:
//   - an unsafe request arrives at most once, and exactly once where its caller was told so;
//   - a safe one is answered as long as one origin is well;
//   - once it is warm, the Worker's heap does not keep growing.
import { setTimeout as sleep } from "node:timers/promises";
import { keepsGrowing, openHeapMeter } from "./heap.mjs";
import { BEHAVIOURS, openOriginsGateway } from "./origins.mjs";

const NAMES = ["first", "second", "third"];
const TIMEOUT = 1000;
/**
 * At most this many safe requests at once: fewer than may be sent again in a burst, whatever the budget of retries has
 * left from before.
 */
const SAFE_CALLERS = 5;
const UNSAFE_CALLERS = 4;
/** Between two requests of one caller. */
const REST = 8;
const SAFE = ["GET", "HEAD", "OPTIONS"];
const UNSAFE = [["POST", "body"], ["PUT", "body"], ["PATCH", "body"], ["DELETE"], ["GET", "body"]];
const FAILURES = [503, 502, 504];
/** A process that stands still this long may take a healthy origin over its timeout. */
const STALL = 400;
const SAMPLE_EVERY = 1000;
/** Until the heap has the size that it stays at. A shorter run says nothing of memory. */
const WARM_UP = 60_000;

const backend = {
  origins: NAMES.map((origin) => ({ origin })),
  timeout: `${TIMEOUT}ms`,
  deadline: "5s",
  failure_statuses: [503],
  failures: 2,
  pause: "250ms",
};

const ILLS = {
  dead: { begin: (origin) => origin.die(), end: (origin) => origin.live() },
  hanging: { begin: (origin) => origin.be(BEHAVIOURS.hang) },
  resetting: { begin: (origin) => origin.be(BEHAVIOURS.reset) },
  unavailable: { begin: (origin) => origin.be(BEHAVIOURS.status(503)) },
};

const megabytes = (bytes) => `${(bytes / 1024 / 1024).toFixed(1)} MB`;

/** Runs for so long and gives { violations, summary }; `onProgress` gets a line every half a minute. */
export async function runSoak({ seconds, onProgress = () => {} }) {
  const gateway = await openOriginsGateway({ backends: { soak: backend } }, { overrides: { inspectorPort: 0 } });
  const heap = await openHeapMeter(await gateway.miniflare.getInspectorURL(), "pointsman");
  const origins = Object.values(gateway.origins);
  const violations = [];
  const violate = (what) => violations.length < 50 && violations.push(what);
  const counts = { safe: 0, unsafe: 0, told: 0, changes: 0, excused: 0 };
  const end = Date.now() + seconds * 1000;

  /** How often each unsafe request arrived, by its id; and what its caller was told: a status, or nothing yet. */
  const arrived = new Map();
  for (const origin of origins) {
    origin.onArrival = (record) => {
      const id = record.headers["x-soak-id"];
      if (id !== undefined) arrived.set(id, (arrived.get(id) ?? 0) + 1);
    };
  }
  let lastStall = 0;
  let beat = Date.now();
  const pulse = setInterval(() => {
    if (Date.now() - beat > STALL) lastStall = Date.now();
    beat = Date.now();
  }, 50);

  /** One origin changes at a time, and at least one is always well for longer than any request takes. */
  const flap = async () => {
    const ill = new Map();
    while (Date.now() < end) {
      await sleep(TIMEOUT + 400 * Math.random());
      const recovers = ill.size === 2 || (ill.size === 1 && Math.random() < 0.5);
      counts.changes += 1;
      if (recovers) {
        const [origin, end] = ill.entries().next().value;
        await end?.(origin);
        origin.be(BEHAVIOURS.ok);
        ill.delete(origin);
        // Nobody else may fall ill before whoever is under way has had time to come to this one.
        await sleep(2 * TIMEOUT);
      } else {
        const well = origins.filter((origin) => !ill.has(origin));
        const origin = well[Math.floor(Math.random() * well.length)];
        const { begin, end } = Object.values(ILLS)[Math.floor(Math.random() * Object.values(ILLS).length)];
        await begin(origin);
        ill.set(origin, end);
      }
    }
  };

  let number = 0;
  const send = async (request) => {
    try {
      return (await gateway.send({ target: "/soak/x", ...request })).status;
    } catch (error) {
      return error.message;
    }
  };
  const safeCaller = async () => {
    while (Date.now() < end) {
      const began = Date.now();
      const method = SAFE[number++ % SAFE.length];
      const status = await send({ method });
      counts.safe += 1;
      if (status !== 200) {
        if (lastStall >= began) counts.excused += 1;
        else violate(`${method} was answered ${status} after ${Date.now() - began} ms, with an origin up`);
      }
      await sleep(REST);
    }
  };
  const unsafeCaller = async () => {
    while (Date.now() < end) {
      const id = `soak-${number++}`;
      const [method, body] = UNSAFE[number % UNSAFE.length];
      const status = await send({ method, body, headers: [["X-Soak-Id", id]] });
      const times = arrived.get(id) ?? 0;
      arrived.delete(id);
      counts.unsafe += 1;
      const told = FAILURES.includes(status);
      counts.told += told ? 1 : 0;
      if (!told && status !== 200) violate(`${method} ${id} ended with ${status}`);
      if (times > 1) violate(`${method} ${id} arrived ${times} times, answered ${status}`);
      if (times === 0 && status === 200) violate(`${method} ${id} never arrived, and its caller was told 200`);
      await sleep(REST);
    }
  };
  const memory = [];
  const watch = async () => {
    const warm = Date.now() + WARM_UP;
    let reportAt = Date.now() + 30_000;
    while (Date.now() < end) {
      await sleep(SAMPLE_EVERY);
      for (const origin of origins) origin.seen.length = 0;
      gateway.log.clear();
      const bytes = await heap.read();
      if (Date.now() > warm) memory.push(bytes);
      if (Date.now() > reportAt) {
        reportAt += 30_000;
        onProgress(`${JSON.stringify(counts)}, heap ${megabytes(bytes)}, ${violations.length} violations`);
      }
    }
  };

  try {
    const callers = [
      ...Array.from({ length: SAFE_CALLERS }, safeCaller),
      ...Array.from({ length: UNSAFE_CALLERS }, unsafeCaller),
    ];
    await Promise.all([flap(), watch(), ...callers]);
    // What arrives after its caller was told would be a second sending.
    await sleep(TIMEOUT);
    if (arrived.size > 0)
      violate(`${arrived.size} requests arrived after their callers were answered: ${[...arrived.keys()].slice(0, 5)}`);
    if (keepsGrowing(memory)) violate(`the Worker's heap keeps growing: ${memory.map(megabytes).join(" ")}`);
  } finally {
    clearInterval(pulse);
    heap.close();
    await gateway.stop();
  }
  const range =
    memory.length > 0 ? `, a heap of ${megabytes(Math.min(...memory))} to ${megabytes(Math.max(...memory))}` : "";
  const summary = `${seconds} s: ${counts.safe} safe requests, ${counts.unsafe} unsafe (${counts.told} told of a failure), ${counts.changes} changes of origins, ${counts.excused} excused by stalls of this process${range}`;
  return { violations, summary };
}
