// What Linux says of a process: its CPU time and its memory.
import { readdirSync, readFileSync } from "node:fs";

const TICK = 10_000;

/** Microseconds of CPU that all threads of the process have had. */
export function cpuOf(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  const precise = threads.map((thread) => scheduled(`/proc/${pid}/task/${thread}/schedstat`));
  // A thread that ended is not among them any more, but it is in what the process has had in all.
  const { whole } = ticks(pid);
  const sum = precise.reduce((total, nanoseconds) => total + nanoseconds, 0) / 1000;
  return Math.abs(sum - whole) < 3 * TICK ? sum : whole;
}

function scheduled(path) {
  try {
    return Number(readFileSync(path, "utf8").split(" ")[0]);
  } catch {
    return 0;
  }
}

/** utime and stime, which count in hundredths of a second. */
function ticks(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { whole: (Number(fields[11]) + Number(fields[12])) * TICK };
}

/** Resident bytes. */
export function residentOf(pid) {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}
