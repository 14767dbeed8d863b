// From a decision to its sending. What was decided crosses as one text, since each string that crosses is dear.
import { explain, failures, forward, forwardByPlan, UnusableAnswer } from "./forward.js";
import { forwardLimited } from "./limits.js";

/**
 * Sends what `survey` made of a request, as the core decided. NUL tells the parts of `text` apart; a plan and an
 * admission are JSON, and empty where there is none. `began` is when the request came, `decided` when it was decided.
 */
export function dispatch(env, incoming, text, timeout, began, decided) {
  const [url, remove, set, edits, line, requestId, plan, admission] = text.split("\0");
  const sending = { env, incoming, remove, set, edits, line, requestId, began, sentAt: decided };
  // It answers by itself whatever happens: no further promise for the request that most requests are.
  if (admission === "" && plan === "") return forward(sending, url, timeout);
  const sent = admission === "" ? forwardByPlan(sending, plan) : forwardLimited(sending, url, timeout, plan, admission);
  return sent.catch((error) => rescue(error, sending));
}

/**
 * The answer and the line of a request that something unforeseen ended. Nothing that writes a request's line throws
 * afterwards, so none was written.
 */
function rescue(error, { edits, line, requestId, began }) {
  const { reason, ...problem } = error instanceof UnusableAnswer ? failures.unreachable : failures.internal;
  const answer = explain(problem, edits, requestId);
  console.log(`${line},"reason":"${reason}","status":${problem.status},"duration_ms":${Date.now() - began}}`);
  if (!(error instanceof UnusableAnswer)) tellFault(error, requestId);
  return answer;
}

/** Where it happened, for whoever mends it. Without the message, which may quote what a client or a backend sent. */
function tellFault(error, requestId) {
  const stack = String(error?.stack ?? "")
    .split("\n")
    .filter((frame) => /^\s+at [\w$.<> ]+\([\w./-]*:\d+:\d+\)$/.test(frame));
  const what = {
    event: "internal_error",
    level: "error",
    request_id: requestId,
    error: error?.constructor?.name,
    stack: stack.map((frame) => frame.trim()),
  };
  console.log(JSON.stringify(what));
}
