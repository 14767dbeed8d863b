// npm run bench: what Pointsman costs, beside what else one could write, on raw workerd. `-- --help` says more.
import { existsSync } from "node:fs";
import { Failure, main } from "../scripts/lib/failure.mjs";
import { underModernNode } from "../scripts/lib/modern-node.mjs";
import { inRoot } from "../scripts/lib/paths.mjs";
import { judge } from "./budgets.mjs";
import { machine } from "./lib/machine.mjs";
import { endAll } from "./lib/processes.mjs";
import { clear, progress } from "./lib/progress.mjs";
import { options, USAGE } from "./options.mjs";
import { changes } from "./parts/instructions.mjs";
import { keep, kept, sections, writeCounts, writeReport } from "./report/files.mjs";

await main(async () => {
  const wanted = options(process.argv.slice(2));
  if (wanted.help) return console.log(USAGE.join("\n"));
  if (wanted.report) return writeReport(kept());
  if (wanted.build) {
    const { ensureTools } = await import("../scripts/lib/ensure.mjs");
    const { buildWorker } = await import("../scripts/lib/worker-build.mjs");
    await ensureTools();
    if (ofWorker(wanted)) await buildWorker();
    if (wanted.parts.has("cli")) await buildCommandLine();
  }
  await underModernNode();
  if (ofWorker(wanted) && !existsSync(inRoot("build", "index.js")))
    throw new Failure("build/ is missing", { advice: ["npm run build, or leave --no-build out"] });

  // Only now: what it imports may need the packages that were just fetched, and the newer Node.
  const { measure } = await import("./measure.mjs");
  const seen = await measure(wanted, progress()).finally(async () => {
    clear();
    await endAll();
  });
  const on = { date: new Date().toISOString().slice(0, 10), ...machine() };
  const wrong = [...missedBudgets(seen), ...otherCounts(seen, wanted), ...(seen.load?.violations ?? [])];
  if (wanted.accept) {
    writeCounts(seen);
    writeReport(kept());
  }
  if (!wanted.quick) keep(seen, on);
  print(seen, on, wanted);
  if (wrong.length > 0) throw new Failure("not all is as it should be", { advice: wrong });
});

/** Whether anything but the command line is measured. */
function ofWorker({ parts }) {
  return [...parts].some((part) => part !== "cli");
}

/** The command line both ways. */
async function buildCommandLine() {
  const { ensureCliTools } = await import("../scripts/lib/ensure.mjs");
  const { buildCli } = await import("../scripts/lib/cli-build.mjs");
  const { must } = await import("../scripts/lib/run.mjs");
  await ensureCliTools();
  await buildCli();
  await must("compiling the command line", "cargo", ["build", "--release", "--package", "pointsman-cli"]);
}

function missedBudgets(seen) {
  return judge(seen)
    .filter(({ verdict }) => verdict === "missed")
    .map(({ title }) => `budget missed: ${title}`);
}

/** Counts that are not what was written down, unless they are to be written down now. */
function otherCounts({ crossings, instructions }, { accept }) {
  if (accept) return [];
  const wrong = [];
  if (crossings && JSON.stringify(crossings) !== JSON.stringify(kept().crossings))
    wrong.push("requests take other calls than bench/crossings.json says; see it with --accept and git diff");
  if (instructions) {
    const { judged, why, changed } = changes(instructions, kept().instructions);
    if (!judged) console.error(`instructions are not judged: ${why}`);
    wrong.push(...changed.map((change) => `instructions of ${change}`));
  }
  return wrong;
}

function print(seen, on, { json, quick }) {
  if (json) return console.log(JSON.stringify({ on, ...seen }, null, 2));
  console.log(`\n${Object.values(on).join(", ")}`);
  for (const section of Object.values(sections(seen))) if (section) console.log(`\n${section}`);
  const { noise, generatorMicroseconds } = seen["side-by-side"] ?? {};
  if (noise !== undefined) {
    const share = (noise * 100).toFixed(1);
    console.log(
      `\nNoise: ± ${share} %, by the pass-through against itself. The load came from bench/lib/generator.mjs, which took ${generatorMicroseconds} µs of CPU a request in a process of its own.`,
    );
  }
  console.log(
    quick
      ? "\nA quick run: bench/results.json and docs/performance.md are as they were."
      : "\nWritten: bench/results.json, docs/performance.md, docs/performance.svg",
  );
  return undefined;
}
