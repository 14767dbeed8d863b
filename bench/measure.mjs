// Runs the parts that were asked for, one after the other.
import { startGenerator, startOrigin } from "./lib/load.mjs";
import { apply } from "./parts/apply.mjs";
import { cli } from "./parts/cli.mjs";
import { cold } from "./parts/cold.mjs";
import { crossings } from "./parts/crossings.mjs";
import { diff } from "./parts/diff.mjs";
import { directory } from "./parts/directory.mjs";
import { flood } from "./parts/flood.mjs";
import { instructions } from "./parts/instructions.mjs";
import { load } from "./parts/load.mjs";
import { packaged } from "./parts/package.mjs";
import { profile } from "./parts/profile.mjs";
import { scaling } from "./parts/scaling.mjs";
import { sideBySide } from "./parts/side-by-side.mjs";
import { size } from "./parts/size.mjs";

/** Keys and as many customers, with what `[directory] memory` is set to for them. */
const SIZES = [
  { customers: 100_000, memory: "32MB" },
  { customers: 1_000_000, memory: "64MB" },
];
/**
 * How much of everything: all but the load takes some three quarters of an hour, or two minutes where it is quick. Many
 * short rounds say more than a few long ones: what is compared lies nearer together in time.
 */
const FULL = {
  "side-by-side": { sittings: 2, rounds: 120, count: 500, warmUp: 50_000 },
  scaling: { rounds: 60, count: 400 },
  flood: { rounds: 30, steps: [100, 1000, 10_000, 100_000, 1_000_000] },
  cold: { times: 15 },
  cli: { rounds: 15, count: 5 },
  package: { rounds: 3, saves: 10 },
  directory: { rounds: 40, count: 20, sizes: SIZES },
};
const QUICK = {
  "side-by-side": { sittings: 1, rounds: 5, count: 500, warmUp: 4000 },
  scaling: { rounds: 5, count: 300 },
  flood: { rounds: 3, steps: [100, 1000, 10_000] },
  cold: { times: 3 },
  cli: { rounds: 3, count: 3 },
  package: { rounds: 1, saves: 4 },
  directory: { rounds: 3, count: 10, sizes: SIZES.slice(0, 1) },
};

export async function measure({ parts, quick, rounds, minutes, callers: given, warmUp }, progress) {
  const callers = given ?? 1_000_000;
  const extent = (part) => {
    const usual = (quick ? QUICK : FULL)[part];
    const last = usual.steps && Math.max(usual.steps[0], Math.min(callers, usual.steps.at(-1)));
    const steps = usual.steps && [...usual.steps.filter((step) => step < last), last];
    return {
      ...usual,
      ...(steps && { steps }),
      ...(rounds && part !== "cold" && { rounds }),
      ...(warmUp && part === "side-by-side" && { warmUp }),
    };
  };
  const seen = {};
  if (parts.has("size")) seen.size = size();
  if (parts.has("cli")) seen.cli = cli({ progress, ...extent("cli") });
  if (parts.has("package")) seen.package = await packaged({ progress, ...extent("package") });

  const measured = { "side-by-side": sideBySide, scaling, flood, cold, directory };
  const wanted = Object.entries(measured).filter(([part]) => parts.has(part));
  if (wanted.length > 0) {
    const origin = await startOrigin();
    const generator = startGenerator();
    for (const [part, run] of wanted) {
      progress(part);
      seen[part] = await run({ origin, generator, progress, ...extent(part) });
    }
    await Promise.all([origin.stop(), generator.stop()]);
  }
  if (parts.has("diff")) {
    progress("diff");
    seen.diff = await diff({
      callers: quick ? Math.min(callers, 10_000) : callers,
      rounds: rounds ?? (quick ? 1 : 3),
      progress,
    });
  }
  if (parts.has("apply")) {
    progress("apply");
    seen.apply = await apply({ callers: quick ? 2_000 : (given ?? 100_000), progress });
  }
  if (parts.has("crossings")) seen.crossings = await crossings();
  if (parts.has("profile")) seen.profile = await profile({ progress });
  if (parts.has("instructions")) seen.instructions = await instructions({ progress });
  if (parts.has("load")) seen.load = await load({ minutes, progress });
  return seen;
}
