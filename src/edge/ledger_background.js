// The ledger's work that no caller waits for: what it writes to KV and reads there, and the alarm by which that goes on
// whatever happens.
import { logEvent } from "./log_event.js";

/**
 * What the work is done for: each call is one transaction.
 * @template Job, Outcome
 * @typedef {object} Ledger
 * @property {() => Job[]} jobs what is due now
 * @property {(job: Job, outcome: Outcome) => void} done says what came of it
 * @property {() => number | undefined} nextAlarm when something will be due, in milliseconds; nothing where nothing will
 */

/** @typedef {Pick<DurableObjectStorage, "getAlarm" | "setAlarm" | "deleteAlarm">} Alarms */

/** KV takes no more operations than 1 000 in one invocation, and polls that come meanwhile have a part of them. */
const MOST_OPERATIONS = 800;
/** The platform has six connections for an invocation; what waits for one would use up its time. */
const AT_ONCE = 6;
/** After an end that nobody foresaw the work goes on as long after. */
const FALLBACK_MS = 60_000;
/** Alarms that follow one another at once are an invocation each, and each has a thousand operations of its own. */
const NEXT_MS = 1000;
/** Longer than any one job: a worker that has not been heard of for so long is one no more. */
const LEASE_MS = 30_000;

/**
 * @template Job, Outcome
 * @param {object} parts
 * @param {Ledger<Job, Outcome>} parts.ledger
 * @param {(job: Job) => Promise<Outcome>} parts.carryOut never rejected: a failure is an outcome
 * @param {Alarms} parts.alarms
 * @param {() => number} [parts.clock]
 */
export function makeBackground({ ledger, carryOut, alarms, clock = Date.now }) {
  /** Until when another call does the work. A time and no flag, so that none is left standing. */
  let leasedUntil = 0;

  /** Does what is due, and sets the alarm for what will be. */
  async function work() {
    if (clock() < leasedUntil) return;
    const carried = await carryOutDue();
    const next = ledger.nextAlarm();
    if (carried >= MOST_OPERATIONS) await wakeBy(clock() + NEXT_MS);
    else if (next !== undefined) await wakeBy(Math.max(next, clock() + NEXT_MS));
  }

  async function carryOutDue() {
    let carried = 0;
    try {
      while (carried < MOST_OPERATIONS) {
        const jobs = ledger.jobs().slice(0, MOST_OPERATIONS - carried);
        if (jobs.length === 0) break;
        carried += jobs.length;
        await inTurns(jobs, async (job) => {
          leasedUntil = clock() + LEASE_MS;
          ledger.done(job, await carryOut(job));
        });
      }
    } finally {
      leasedUntil = 0;
    }
    return carried;
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
        await work();
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
        await alarms.setAlarm(clock() + FALLBACK_MS);
        await work();
        if (ledger.nextAlarm() === undefined) await alarms.deleteAlarm();
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
