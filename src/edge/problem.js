// Answers with a problem (RFC 9457) that is known only when a limit or the backend is asked. Made of data alone: the wasm
// instance that decided on the request may be gone by then.
import { editFields } from "./answer.js";
import { finish } from "./finish.js";
import { decodeFailures } from "./wire.js";

/**
 * The problems, as the core words them.
 * @type {Record<import("./wire.js").FailureName, import("./wire.js").Failure>}
 */
export let failures;

export function installFailures(/** @type {string} */ json) {
  failures = decodeFailures(json);
}

/**
 * Ends a request with a problem.
 * @param {import("./dispatch.js").Sending} sending
 * @param {import("./wire.js").Failure} failure
 * @param {Partial<import("./finish.js").End>} [end]
 * @param {Record<string, unknown>} [members] of the problem, beside those that every one has
 */
export function endWithProblem(sending, failure, end, members) {
  finish(sending, { ...end, status: failure.status, reason: failure.reason });
  return problemAnswer(sending, failure, members);
}

/**
 * The answer alone. Never throws.
 * @param {Pick<import("./dispatch.js").Sending, "edits" | "requestId">} sending
 * @param {import("./wire.js").Failure} failure
 * @param {Record<string, unknown>} [members]
 */
export function problemAnswer({ edits, requestId }, { reason, ...problem }, members) {
  const headers = new Headers({
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-request-id": requestId,
  });
  try {
    editFields(headers, edits);
  } catch {
    // What a field cannot hold is left out. The problem must arrive: the end of its request is told.
  }
  const body = JSON.stringify({ ...problem, ...members, instance: requestId });
  return new Response(body, { status: problem.status, headers });
}
