// From a decision to its sending.
import { UnusableAnswer } from "./answer.js";
import { forward, forwardByPlan } from "./forward.js";
import { forwardLimited } from "./limits.js";
import { logEvent } from "./log_event.js";
import { endWithProblem, failures } from "./problem.js";
import { decodeDispatch } from "./wire.js";

/** @import { Incoming } from "./glue.js" */

/**
 * A request that is sent to a backend.
 * @typedef {object} Sending
 * @property {Record<string, unknown>} env the Worker's bindings
 * @property {Incoming} incoming what `survey` made of the request
 * @property {import("./wire.js").NameLines} remove
 * @property {import("./wire.js").FieldLines} set
 * @property {import("./wire.js").Edits} edits
 * @property {string} line the beginning of its log line
 * @property {string} requestId
 * @property {string} origin the one origin that is called, as a JSON string; empty where there is a plan
 * @property {number} began when the request came
 * @property {number} sentAt when it was decided, or when its limits let it pass
 */

/**
 * Sends what `survey` made of a request, as the core decided and `text` says. `began` is when the request came, `decided`
 * when it was decided.
 * @param {Record<string, unknown>} env
 * @param {Incoming} incoming
 * @param {string} text
 * @param {number} timeout
 * @param {number} began
 * @param {number} decided
 * @returns {Promise<Response>}
 */
export function dispatch(env, incoming, text, timeout, began, decided) {
  const { url, remove, set, edits, line, requestId, origin, plan, admission } = decodeDispatch(text);
  const sending = { env, incoming, remove, set, edits, line, requestId, origin, began, sentAt: decided };
  if (admission !== undefined)
    return forwardLimited(sending, url, timeout, plan, admission).catch((error) => rescue(error, sending));
  if (plan !== undefined) return forwardByPlan(sending, plan).catch((error) => rescue(error, sending));
  // It answers by itself whatever happens: no further promise for the request that most requests are.
  return forward(sending, url, timeout);
}

/**
 * The end of a request that something unforeseen ended. It has no other: whoever ends a request throws nothing afterwards.
 * @param {unknown} error
 * @param {Sending} sending
 */
function rescue(error, sending) {
  if (error instanceof UnusableAnswer) return endWithProblem(sending, failures.unreachable);
  const answer = endWithProblem(sending, failures.internal);
  tellFault(error, sending.requestId);
  return answer;
}

/**
 * Where it happened, for whoever mends it. Without the message, which may quote what a client or a backend sent.
 * @param {unknown} error
 * @param {string} requestId
 */
function tellFault(error, requestId) {
  const fault = /** @type {Partial<Error> | undefined} */ (error);
  const stack = String(fault?.stack ?? "")
    .split("\n")
    .filter((frame) => /^\s+at [\w$.<> ]+\([\w./-]*:\d+:\d+\)$/.test(frame));
  logEvent("error", "internal_error", {
    request_id: requestId,
    error_type: fault?.constructor?.name,
    stack: stack.map((frame) => frame.trim()),
  });
}
