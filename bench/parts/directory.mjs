// What the directory takes of an isolate: its wasm memory, which never shrinks, so that what it has in the end is what it
// had at the worst moment of loading; and the CPU time that loading a shard takes.
import { fileURLToPath } from "node:url";
import { Failure } from "../../scripts/lib/failure.mjs";
import { head } from "../lib/heads.mjs";
import { FLAGS, modules } from "../lib/pointsman.mjs";
import { serveShards, writeShards } from "../lib/shards.mjs";
import { rounded, spread } from "../lib/statistics.mjs";
import { startWorkerd } from "../lib/workerd.mjs";

const SECRET = "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2";
/** Past `max_staleness`, so that the next request polls. */
const AHEAD = 10_000;
/** Requests until everything has to be loaded: each brings some twenty shards. */
const MOST_REQUESTS = 100;
/** Other callers than those that loading was seen by: what the core has decoded of them is kept beside the shards. */
const CALLERS = 20_000;
/** How many keys and customers the CPU time is of. */
const LOADED = 10_000;

const gateway = (memory) => ({
  api_keys: { prefixes: [], checksum: false },
  customers: { claim: "customerId" },
  directory: { memory },
  operator: { status: "/ops/status", secret: SECRET },
  routes: [
    {
      path: "/customer/{+path}",
      auth: ["api_key"],
      rewrite: "/{+path}",
      rules: [{ name: "customer", to: "customer" }],
    },
  ],
});

/** What is asked of one Worker with that many keys and customers. */
async function open({ customers, memory, origin }) {
  const kv = await serveShards(writeShards(customers));
  const main = { name: "directory.js", path: fileURLToPath(new URL("../workers/directory.js", import.meta.url)) };
  const worker = await startWorkerd({
    modules: [main, ...modules(gateway(memory))],
    flags: FLAGS,
    origin: origin.port,
    kvPort: kv.port,
    ledger: true,
  });
  const base = `http://127.0.0.1:${worker.port}`;
  /** Puts the clock forward, and gives the bytes of wasm memory. */
  const report = async (query = "") => Number(await (await fetch(`${base}/?${query}`, { method: "REPORT" })).text());
  const ask = async (path, credential) => {
    const answer = await fetch(base + path, { headers: { authorization: `Bearer ${credential}` } });
    const text = await answer.text();
    if (answer.status !== 200) throw new Failure(`${path} was answered ${answer.status}`, { advice: [text] });
    return text;
  };
  const call = (number) => ask("/customer/x", `key-of-${number}`);
  const directory = async () => JSON.parse(await ask("/ops/status", SECRET)).isolate.directory;
  const stop = () => Promise.all([worker.stop(), kv.stop()]);
  return { worker, report, call, directory, stop };
}

/** Sends requests until every shard is loaded. */
async function loadAll({ call, directory, report }) {
  for (let request = 1; request <= MOST_REQUESTS; request++) {
    await call(request);
    const { shards, bytes } = await directory();
    if (shards.named > 0 && shards.loaded === shards.named) return { shards: shards.named, bytes };
    await report(`ahead=${AHEAD}`);
  }
  throw new Failure(`not all shards are loaded after ${MOST_REQUESTS} requests`);
}

async function memoryOf({ customers, memory, origin, generator, progress }) {
  progress(`memory: ${customers.toLocaleString("en")} customers`);
  const opened = await open({ customers, memory, origin });
  try {
    const before = await opened.report();
    const { shards, bytes } = await loadAll(opened);
    const loaded = await opened.report();
    await opened.report(`ahead=${AHEAD}&anew`);
    await loadAll(opened);
    const anew = await opened.report();
    const credentials = { kind: "directory-key", from: 1, count: Math.min(CALLERS, customers) };
    await generator.run({ port: opened.worker.port, head: head("/customer/x"), credentials, count: credentials.count });
    const used = await opened.report();
    return { customers, memory, shards, bytes, before, loaded, anew, used, resident: opened.worker.resident() };
  } finally {
    await opened.stop();
  }
}

/** Microseconds of CPU that a request takes more which finds another epoch, and so loads everything again. */
async function cpuOf({ origin, rounds, count, progress }) {
  const { worker, report, call, directory, stop } = await open({ customers: LOADED, memory: "32MB", origin });
  const cost = async (query) => {
    const before = worker.cpu();
    for (let request = 0; request < count; request++) {
      await report(query);
      await call(1);
    }
    return (worker.cpu() - before) / count;
  };
  try {
    for (const query of [`ahead=${AHEAD}`, `ahead=${AHEAD}&anew`]) await cost(query);
    const seen = { polls: /** @type {number[]} */ ([]), loads: /** @type {number[]} */ ([]) };
    for (let round = 0; round < rounds; round++) {
      progress(`loading ${LOADED.toLocaleString("en")} keys and customers: round ${round + 1} of ${rounds}`);
      seen.polls.push(await cost(`ahead=${AHEAD}`));
      seen.loads.push(await cost(`ahead=${AHEAD}&anew`));
    }
    const { bytes } = await directory();
    const milliseconds = seen.loads.map((load, round) => (load - seen.polls[round]) / 1000);
    return { customers: LOADED, bytes, rounds, count, milliseconds: rounded(spread(milliseconds), 2) };
  } finally {
    await stop();
  }
}

export async function directory({ origin, generator, sizes, rounds, count, progress }) {
  const points = [];
  for (const size of sizes) points.push(await memoryOf({ ...size, origin, generator, progress }));
  return { points, load: await cpuOf({ origin, rounds, count, progress }) };
}
