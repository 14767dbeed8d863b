// Answers with a problem (RFC 9457) that is known only when a limit or the backend is asked. Made of data alone: the wasm
// instance that decided on the request may be gone by then.
import { editFields } from "./answer.js";
import { finish } from "./finish.js";
import { decodeFailures } from "./wire.js";

/**
 * The problems, as the core words them, and the shapes that they are written in.
 * @type {ReturnType<typeof decodeFailures>}
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
export function problemAnswer({ edits, requestId }, failure, members) {
  const { type, body } = written(failure, requestId, members, edits.shape);
  const headers = new Headers({
    "content-type": type,
    "cache-control": "no-store",
    "x-request-id": requestId,
  });
  try {
    editFields(headers, edits);
  } catch {
    // What a field cannot hold is left out. The problem must arrive: the end of its request is told.
  }
  return new Response(body, { status: failure.status, headers });
}

/**
 * The media type and the body, as the core's `ErrorShape` has them.
 * @param {import("./wire.js").Failure} failure
 * @param {string} requestId
 * @param {Record<string, unknown> | undefined} members
 * @param {number | undefined} place of the shape
 */
function written({ reason, ...problem }, requestId, members, place) {
  const shape = place === undefined ? undefined : failures.shapes[place];
  if (shape?.body === undefined) {
    const { error, ...alone } = problem;
    const body = { ...alone, ...(shape === undefined ? { error } : {}), ...members, instance: requestId };
    return { type: "application/problem+json", body: JSON.stringify(body) };
  }
  const { status, title, detail, error } = problem;
  /** @type {Record<string, unknown>} */
  const places = { status, code: error.code, type: error.type, title, detail, request_id: requestId };
  return {
    type: shape.content_type ?? "application/json",
    body: shape.body.replace(/\{([a-z_]+)\}/g, (_, /** @type {string} */ name) =>
      Object.hasOwn(places, name) ? `${places[name]}` : "",
    ),
  };
}
