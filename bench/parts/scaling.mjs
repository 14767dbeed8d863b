// What a request costs when there is more of something: rules, routes, claims.
import { furtherClaims } from "../lib/callers.mjs";
import { head } from "../lib/heads.mjs";
import { base, FLAGS, gateway, modules, withRoutes, withRules } from "../lib/pointsman.mjs";
import { run } from "../lib/rounds.mjs";
import { noise, ratio, rounded } from "../lib/statistics.mjs";
import { startWorkerd } from "../lib/workerd.mjs";

const CALLERS = 20;
/** Claims that a caller has anyway: in the stub's records, and in the tokens. */
const USUAL = 5;

const key = { kind: "key", count: CALLERS };
const SERIES = [
  {
    what: "rules before the one that matches",
    of: "rules",
    sizes: [1, 50, 500],
    settings: (count) => ({ gateway: withRules(count) }),
  },
  {
    what: "routes beside the one that is asked for",
    of: "routes",
    sizes: [1, 100, 1000],
    settings: (count) => ({ gateway: withRoutes(count) }),
  },
  {
    what: "claims in a key's record",
    of: "claims of a key",
    sizes: [5, 50, 200],
    settings: (count) => ({ gateway, kv: { claims: furtherClaims(count - USUAL) } }),
  },
  {
    what: "claims in a token seen before",
    of: "claims of a token",
    sizes: [5, 50, 200],
    settings: (count) => ({
      gateway,
      credentials: { kind: "token", count: CALLERS, claims: furtherClaims(count - USUAL) },
    }),
  },
];

export async function scaling({ origin, generator, rounds, count, progress }) {
  const lanes = [];
  try {
    for (const { of, sizes, settings } of SERIES) {
      for (const size of sizes) lanes.push(await lane(`${size} ${of}`, settings(size), origin, progress));
    }
    const [first] = SERIES;
    const [smallest] = first.sizes;
    const control = `${smallest} ${first.of}, again`;
    lanes.push(await lane(control, first.settings(smallest), origin, progress));
    const seen = await run(lanes, { generator, rounds, count, progress });
    const against = (id, other) => rounded(ratio(seen[id].cpu, seen[other].cpu));
    const series = SERIES.map(({ what, of, sizes }) => ({
      what,
      of,
      points: sizes.map((size) => ({ size, ratio: against(`${size} ${of}`, `${sizes[0]} ${of}`) })),
    }));
    const same = against(control, `${smallest} ${first.of}`);
    return { rounds, count, control: same, noise: Number(noise(same, rounds).toFixed(3)), series };
  } finally {
    await Promise.all(lanes.map(({ worker }) => worker.stop()));
  }
}

async function lane(id, { gateway = base, kv = {}, credentials = key }, origin, progress) {
  progress(`starting ${id}`);
  const worker = await startWorkerd({
    modules: modules(gateway),
    flags: FLAGS,
    limit: true,
    origin: origin.port,
    kv,
  });
  return { id, worker, order: { head: head("/customer/orders/17?expand=lines"), credentials } };
}
