// What an origin answers for, and what it does not. Plain data in and out.
import { ENDED } from "./wire.js";

/** @import { Failed } from "./retry.js" */

/**
 * Judges an attempt. `failed` is "unreachable", "timeout", "left", "broken", or undefined where there is an answer of
 * `status`; `cutShort` says that it had only what others left of the deadline; `isWhole` that the client has done all of
 * its part, so that nothing of it can be why a call failed.
 * @param {{ failed?: Failed, status?: number, cutShort?: boolean, isWhole?: boolean }} attempt
 * @param {number[]} statuses
 */
export function verdict({ failed, status, cutShort, isWhole }, statuses) {
  // Whoever had only what others left of the deadline is not to blame for having been too slow, and nobody is for a
  // client that left or that broke off its own body.
  if (failed === "left" || failed === "broken" || cutShort) return ENDED.nothing;
  if (failed === "unreachable") return isWhole ? ENDED.failed : ENDED.suspected;
  // A slow path and a status are what a caller can ask for.
  if (failed === "timeout" || (status !== undefined && statuses.includes(status))) return ENDED.suspected;
  return ENDED.answered;
}
