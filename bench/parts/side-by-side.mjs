// The Worker beside its peers: CPU time of the process for each request, as a ratio to the bare pass-through.
import { Failure } from "../../scripts/lib/failure.mjs";
import { head } from "../lib/heads.mjs";
import { peer } from "../lib/peers.mjs";
import { FLAGS, gateway, modules } from "../lib/pointsman.mjs";
import { run } from "../lib/rounds.mjs";
import { median, noise, ratio, rounded, spread } from "../lib/statistics.mjs";
import { startWorkerd } from "../lib/workerd.mjs";

/** @import { WorkerSettings } from "../types.d.ts" */

const CALLERS = 100;
const TARGET = "orders/17?expand=lines&page=2";
const BASE = "pass-through";
const CONTROL = "pass-through, again";

const caller = (kind) => ({ kind, count: CALLERS });
const hono = (id, name, kind, title) => ({ id, name, credentials: caller(kind), title });
const own = (id, route, kind, title) => ({ id, route, credentials: caller(kind), title });

const PEERS = [
  {
    id: BASE,
    name: "pass-through",
    credentials: caller("key"),
    title: "bare pass-through: `new Request(url, request)`",
  },
  { id: CONTROL, name: "pass-through", credentials: caller("key"), title: "the same once more, as a control" },
  {
    id: "pass-through, string",
    name: "pass-through-string",
    credentials: caller("key"),
    title: "pass-through without a URL object",
  },
  {
    id: "pass-through, init",
    name: "pass-through-init",
    credentials: caller("key"),
    title: "pass-through by a plain init: the least there is",
  },
  hono("hono, key", "hono", "key", "Hono: API key"),
  hono("hono, token seen", "hono", "token", "Hono + jose: JWT seen before"),
  hono("hono, token new", "hono", "new-token", "Hono + jose: JWT new each time"),
  hono("tuned, key", "hono-tuned", "key", "Hono, tuned: API key"),
  hono("tuned, token seen", "hono-tuned", "token", "Hono + jose, tuned: JWT seen before"),
  hono("tuned, token new", "hono-tuned", "new-token", "Hono + jose, tuned: JWT new each time"),
];
const OWN = [
  own("own, key", "customer", "key", "Pointsman: API key, customer"),
  own("own, token seen", "customer", "token", "Pointsman: JWT seen before, customer"),
  own("own, token new", "customer", "new-token", "Pointsman: JWT new each time, customer"),
  own("own, named", "named", "key", "Pointsman: API key, named backend"),
  own("own, template", "template", "key", "Pointsman: API key, host with a claim in it"),
  own("own, split", "split", "key", "Pointsman: API key, split"),
  own("own, cors", "cors", "key", "Pointsman: API key, CORS"),
  own("own, limit", "limited", "key", "Pointsman: API key, rate limit"),
];
/** Those that are measured with thirty fields too. */
const ALSO_WITH_30 = [
  BASE,
  "hono, key",
  "hono, token seen",
  "tuned, key",
  "tuned, token seen",
  "own, key",
  "own, token seen",
];

/** @typedef {Awaited<ReturnType<typeof run>>} Seen */

/**
 * In several sittings, each with processes of its own: one process is a few per cent quicker than another of the same
 * Worker for as long as it lives, by where its memory happens to lie.
 */
export async function sideBySide({ origin, generator, sittings, rounds, count, warmUp, progress }) {
  const seen = [];
  const each = Math.ceil(rounds / sittings);
  let lanes;
  for (let sitting = 1; sitting <= sittings; sitting++) {
    const tell = (what) => progress(`sitting ${sitting} of ${sittings}: ${what}`);
    const started = await startLanes(origin, tell);
    try {
      if (sitting === 1) await doTheSame(started, generator);
      lanes = started.flatMap((lane) => withFields(lane));
      seen.push(await run(lanes, { generator, rounds: each, count, warmUp, progress: tell }));
    } finally {
      await Promise.all(started.map(({ worker }) => worker.stop()));
    }
  }
  return { sittings, rounds: sittings * each, count, warmUp, ...summary(lanes, joined(seen), noiseOf(seen)) };
}

/**
 * What several runs saw of the same lanes, as if it were one.
 * @type {(sittings: Seen[]) => Seen}
 */
const joined = ([first, ...others]) =>
  Object.fromEntries(
    Object.entries(first).map(([id, values]) => [
      id,
      Object.fromEntries(
        Object.keys(values).map((what) => [what, [first, ...others].flatMap((seen) => seen[id][what])]),
      ),
    ]),
  );

async function startLanes(origin, progress) {
  const lanes = [];
  for (const lane of [...PEERS, ...OWN]) {
    progress(`starting ${lane.id}`);
    const mine = lane.route !== undefined;
    /** @type {Omit<WorkerSettings, "origin">} */
    const settings = mine
      ? { modules: modules(gateway), flags: FLAGS, limit: true }
      : { modules: await peer(lane.name) };
    lanes.push({
      ...lane,
      path: `/${lane.route ?? "customer"}`,
      worker: await startWorkerd({ ...settings, origin: origin.port, kv: {} }),
    });
  }
  return lanes;
}

function withFields({ id, title, worker, path, credentials }) {
  const lane = (fields) => {
    const more = path === "/cors" ? [["origin", "https://app.example.com"]] : [];
    const order = { head: head(`${path}/${TARGET}`, { fields, more }), credentials };
    return {
      id: fields === 12 ? id : `${id}, ${fields} fields`,
      base: fields === 12 ? BASE : `${BASE}, ${fields} fields`,
      title,
      fields,
      worker,
      order,
    };
  };
  return ALSO_WITH_30.includes(id) ? [lane(12), lane(30)] : [lane(12)];
}

const round = (number, digits = 3) => Number(number.toFixed(digits));

/** Of rounds, or of sittings, whichever is more: the luck of a process is the same in all rounds of a sitting. */
function noiseOf(sittings) {
  const controls = sittings.map((seen) => ratio(seen[CONTROL].cpu, seen[BASE].cpu));
  const all = joined(sittings);
  const ofRounds = noise(ratio(all[CONTROL].cpu, all[BASE].cpu), all[CONTROL].cpu.length);
  return round(Math.max(ofRounds, noise(spread(controls.map(({ median }) => median)), sittings.length)));
}

function summary(lanes, seen, mayBeOff) {
  const cpu = (id) => seen[id].cpu;
  const rows = lanes.map(({ id, base, title, fields }) => ({
    id,
    title,
    fields,
    ratio: rounded(ratio(cpu(id), cpu(base))),
    microseconds: round(median(cpu(id)), 1),
    perSecond: Math.round(median(seen[id].perSecond)),
    p50: round(median(seen[id].p50), 2),
    p99: round(median(seen[id].p99), 2),
  }));
  const between = (id, other) => rounded(ratio(cpu(id), cpu(other)));
  const pairs = [
    ["own, key", "hono, key"],
    ["own, token seen", "hono, token seen"],
    ["own, token new", "hono, token new"],
    ["own, key", "tuned, key"],
    ["own, token seen", "tuned, token seen"],
    ["own, token new", "tuned, token new"],
  ].map(([id, other]) => ({ id, other, ratio: between(id, other) }));
  const control = between(CONTROL, BASE);
  const generatorMicroseconds = round(spread(lanes.flatMap(({ id }) => seen[id].own)).median, 1);
  return { control, noise: mayBeOff, generatorMicroseconds, rows, pairs };
}

/** A caller's own fields that must not reach a backend, or not as they are. */
const SPOOFED = [
  ["x-subject", "evil"],
  ["x_customer_id", "evil"],
  ["x-forwarded-for", "evil"],
  ["x-forwarded-host", "evil"],
  ["x-forwarded-proto", "evil"],
  ["x-request-id", "evil"],
  ["x-original-url", "/evil"],
  ["true-client-ip", "evil"],
  ["connection", "x-gone"],
  ["x-gone", "evil"],
  ["via", "1.0 before"],
];

/** A comparison is fair only where backends get the same. So each gateway is asked what its backend got. */
async function doTheSame(lanes, generator) {
  const got = async ({ worker, credentials }) => {
    const order = {
      head: head("/customer/echo/17?x=1", { more: SPOOFED }),
      credentials: { kind: credentials.kind.replace("new-", ""), count: 1 },
    };
    const { odd, body } = await generator.run({
      port: worker.port,
      ...order,
      count: 1,
      connections: 1,
      keepBody: true,
    });
    return (odd ?? body).split("\r\n").sort().join("\n");
  };
  for (const kind of ["key", "token"]) {
    const same = lanes.filter(
      ({ path, name, credentials }) =>
        path === "/customer" && !name?.startsWith("pass") && credentials.kind.endsWith(kind),
    );
    const heads = [];
    for (const lane of [...same].reverse()) heads.push(await got(lane));
    const [expected, ...others] = heads;
    const different = others.find((head) => head !== expected);
    if (different !== undefined) {
      throw new Failure("the gateways do not send the same to backends", {
        advice: ["Pointsman:", ...expected.split("\n"), "", "another:", ...different.split("\n")],
      });
    }
    if (/evil/.test(expected))
      throw new Failure("a caller's own field reached the backend", { advice: expected.split("\n") });
  }
}
