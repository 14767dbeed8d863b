// Linux's own profiler over a process of workerd: where its CPU time goes, the runtime's and the kernel's parts included.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { aptInstall, haveApt } from "../../scripts/lib/apt.mjs";
import { Failure } from "../../scripts/lib/failure.mjs";
import { which } from "../../scripts/lib/run.mjs";
import { discard, remove, start } from "./processes.mjs";

/** Samples a second of CPU time. */
const FREQUENCY = 2500;
/** Until perf listens to all threads. */
const ATTACH = 1000;

export async function needPerf() {
  if (which("perf")) return;
  if (!haveApt())
    throw new Failure("no perf, which takes the profile", { advice: ["Install perf (linux-tools), then try again."] });
  console.error("perf, which takes the profile: Debian's package linux-perf (by apt-get)");
  await aptInstall(["linux-perf"], "Taking a profile");
}

/**
 * Samples the process while `work` runs, and hands the stack of each sample to `take`: symbols, the innermost first, and
 * where the innermost is, as perf says it. Gives the microseconds that a sample stands for.
 */
export async function sampled(pid, work, take) {
  const folder = mkdtempSync(join(tmpdir(), "pointsman-perf-"));
  discard(folder);
  const data = join(folder, "perf.data");
  try {
    const record = start(
      "perf",
      ["record", "-e", "cpu-clock", "-F", `${FREQUENCY}`, "-g", "-p", `${pid}`, "-o", data],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    let said = "";
    record.stderr.setEncoding("utf8").on("data", (text) => (said += text));
    await sleep(ATTACH);
    if (record.exitCode !== null) throw new Failure("perf cannot sample a process here", { advice: said.split("\n") });
    await work();
    record.kill("SIGINT");
    await once(record, "exit");
    await read(data, take);
  } finally {
    remove(folder);
  }
  return 1_000_000 / FREQUENCY;
}

/** Removes what the engine wrote for perf, the names of functions that it compiled (`--perf-basic-prof`). */
export const forget = (pid) => rmSync(`/tmp/perf-${pid}.map`, { force: true });

/** Blocks of lines, one line a frame: an address, a symbol, and in brackets where that is. */
async function read(data, take) {
  const script = start("perf", ["script", "-i", data, "-F", "ip,sym,dso", "--no-inline"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let frames = [];
  let place;
  for await (const line of createInterface({ input: script.stdout })) {
    const [, symbol, where] = /^\s*[0-9a-f]+ (.*) \(([^()]*(?:\([^()]*\))?)\)$/.exec(line) ?? [];
    if (symbol !== undefined) {
      if (frames.length === 0) place = where;
      frames.push(symbol);
    } else if (frames.length > 0) {
      take(frames, place);
      frames = [];
    }
  }
  if (frames.length > 0) take(frames, place);
}
