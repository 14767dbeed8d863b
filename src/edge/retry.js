// What becomes of a request with a plan between its attempts: which origin is asked, how long it may take, whether another
// is asked after it, and what the end of the request is. Plain data in and out, and time is an argument: forward.js acts.
import { verdict } from "./verdict.js";
import { ENDED } from "./wire.js";

/** Methods that may be sent again where nothing came of them (RFC 9110, section 9.2.1), if they bring no body. */
const SAFE = ["GET", "HEAD", "OPTIONS"];

/**
 * Whether a request may be sent a second time. Whatever an origin did before it failed must be harmless to do again.
 * @param {{ method: string, hasBody: boolean, isUpgrade: boolean }} request
 */
export const isRepeatable = ({ method, hasBody, isUpgrade }) => SAFE.includes(method) && !hasBody && !isUpgrade;

/**
 * An attempt that is due.
 * @typedef {object} DueAttempt
 * @property {import("./wire.js").Attempt} attempt
 * @property {number} number the first is 1
 * @property {number} timeout milliseconds until the origin must have answered with a head
 * @property {boolean} isShortened whether attempts before it left it less than its own time
 */

/**
 * The attempt of this number, `elapsed` milliseconds after the first began.
 * @param {import("./wire.js").Plan} plan
 * @param {number} number
 * @param {number} elapsed
 * @returns {DueAttempt}
 */
export function dueAttempt({ attempts, deadline }, number, elapsed) {
  const attempt = attempts[number - 1];
  const left = Math.max(deadline - elapsed, 0);
  return {
    attempt,
    number,
    timeout: Math.min(attempt.timeout, left),
    isShortened: number > 1 && left < attempt.timeout,
  };
}

/** @typedef {"unreachable" | "timeout" | "left" | "broken"} Failed */

/**
 * What an attempt came to.
 * @typedef {object} Result
 * @property {Failed} [failed] none where there is an answer
 * @property {number} [status] of the answer
 * @property {boolean} [isWhole] whether the client has done all of its part, so that nothing of it can be why a call failed
 */

/**
 * What follows an attempt.
 * @typedef {object} Judgement
 * @property {number} ended one of `ENDED`: what the core is told, unless it is `ENDED.nothing`
 * @property {boolean} wantsAnother whether the next origin is asked, if the core allows it
 * @property {string | undefined} errorType why the attempt failed, for the log; none where it did not
 * @property {"answer" | "left" | "unreachable" | "timeout" | "broken"} end what the end of the request is, where no other
 *   attempt follows: its answer, a client that left, or a failure
 */

/**
 * Judges an attempt that has ended, `elapsed` milliseconds after the first began.
 * @param {import("./wire.js").Plan} plan
 * @param {DueAttempt} due
 * @param {Result} result
 * @param {{ isRepeatable: boolean, hasLeft: boolean, elapsed: number }} request `hasLeft`: whether its client has
 * @returns {Judgement}
 */
export function judgeAttempt(plan, due, result, request) {
  const { status, isWhole } = result;
  // A client that breaks off its own body makes the call fail, and leaves at the same time.
  const failed = result.failed === "unreachable" && request.hasLeft ? "left" : result.failed;
  const errorType = failed ?? (status !== undefined && plan.statuses.includes(status) ? `status ${status}` : undefined);
  const isCutShort = failed === "timeout" && due.isShortened;
  const ended = verdict({ failed, status, cutShort: isCutShort, isWhole }, plan.statuses);
  const hasNext = due.number < plan.attempts.length && request.elapsed < plan.deadline;
  return {
    ended,
    // Where the origin is not to blame, the next one would fare no better.
    wantsAnother: errorType !== undefined && ended !== ENDED.nothing && request.isRepeatable && hasNext,
    errorType,
    end: failed ?? "answer",
  };
}
