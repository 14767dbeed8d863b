// The ledger's work that no caller waits for: what it writes to KV and reads there, and the alarm by which that goes on
// whatever happens.
import { logEvent } from "./log_event.js";

/**
 * What the work is done for: each call is one transaction.
 * @template Job, Report
 * @typedef {object} Ledger
 * @property {() => { jobs: Job[], next: number }} due what is due now, and when something will be, in milliseconds
 * @property {(report: Report) => void} done says what came of a job
 */

/** @typedef {Pick<DurableObjectStorage, "getAlarm" | "setAlarm" | "deleteAlarm">} Alarms */

/**
 * KV takes no more operations than 1 000 in one invocation. One round of jobs goes over this number, and asks that come
 * meanwhile have a part of them.
 */
const MOST_JOBS = 800;
/** The platform has six connections for an invocation; what waits for one would use up its time. */
const AT_ONCE = 6;
/** After an end that nobody foresaw the work goes on as long after. */
const FALLBACK_MS = 60_000;
/** Alarms that follow one another at once are an invocation each, and each has a thousand operations of its own. */
const NEXT_MS = 1000;
/** Longer than any one job: a worker that has not been heard of for so long is one no more. */
const LEASE_MS = 30_000;

/**
 * @template Job, Report
 * @param {object} parts
 * @param {Ledger<Job, Report>} parts.ledger
 * @param {(job: Job) => Promise<Report | undefined>} parts.carryOut is rejected for no failure of KV's. Resolves to nothing
 *   where the ledger is to give the job out again
 * @param {Alarms} parts.alarms
 * @param {() => number} [parts.clock]
 */
export function makeBackground({ ledger, carryOut, alarms, clock = Date.now }) {
  /** Until when another call does the work. A time and no flag, so that none is left standing. */
  let leasedUntil = 0;

  /** Does what is due. Resolves to when to go on; to nothing where another call does the work. */
  async function work() {
    if (clock() < leasedUntil) return undefined;
    try {
      return Math.max(await carryOutDue(), clock() + NEXT_MS);
    } finally {
      leasedUntil = 0;
    }
  }

  async function carryOutDue() {
    for (let carried = 0; ; ) {
      leasedUntil = clock() + LEASE_MS;
      const { jobs, next } = ledger.due();
      if (jobs.length === 0) return next;
      let isToldOfAll = true;
      await inTurns(jobs, async (job) => {
        leasedUntil = clock() + LEASE_MS;
        const report = await carryOut(job);
        if (report === undefined) isToldOfAll = false;
        else ledger.done(report);
      });
      carried += jobs.length;
      // What failed would be given out again at once, and the rest belongs to the next invocation.
      if (!isToldOfAll || carried >= MOST_JOBS) return isToldOfAll ? 0 : next;
    }
  }

  /** @param {number} time */
  async function wakeBy(time) {
    const set = await alarms.getAlarm();
    if (set === null || set > time) await alarms.setAlarm(time);
  }

  return {
    /** What a change or a question has made due, behind the answer. The alarm does it where this fails. */
    async soon() {
      try {
        const next = await work();
        if (next !== undefined) await wakeBy(next);
      } catch (error) {
        logFault("work", error);
      }
    },

    /** Sets the alarm where none is set: one that failed six times is gone, and nobody else would notice. */
    async keepAwake() {
      if ((await alarms.getAlarm()) === null) await alarms.setAlarm(clock() + NEXT_MS);
    },

    /**
     * The alarm's handler. The next alarm is set first, so that neither an exception nor an end of the object in the middle
     * leaves none, and nothing is thrown: the platform would try the same six times, and then never again.
     */
    async alarm() {
      try {
        const fallback = clock() + FALLBACK_MS;
        await alarms.setAlarm(fallback);
        const next = await work();
        if (next === undefined) return;
        // Whoever has set another alarm meanwhile had a reason.
        if ((await alarms.getAlarm()) === fallback) await alarms.setAlarm(next);
        else await wakeBy(next);
      } catch (error) {
        logFault("alarm", error);
      }
    },
  };
}

/**
 * Does something for each, with a few under way at a time. The first exception ends it, when those under way have ended.
 * @template Each
 * @param {Each[]} all
 * @param {(each: Each) => Promise<void>} act
 */
async function inTurns(all, act) {
  const left = all.values();
  /** @type {unknown[]} */
  const faults = [];
  const lane = async () => {
    for (const each of left) {
      if (faults.length > 0) return;
      await act(each).catch((error) => faults.push(error));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  if (faults.length > 0) throw faults[0];
}

/**
 * Never the message: it may quote what a record says.
 * @param {string} during
 * @param {unknown} error
 */
export const logFault = (during, error) =>
  logEvent("error", "ledger_fault", {
    during,
    error_type: /** @type {object | undefined} */ (error)?.constructor?.name,
  });
