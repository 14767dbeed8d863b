// From a decision to its sending. What was decided crosses as one text, since each string that crosses is dear.
import { forward, forwardByPlan } from "./forward.js";
import { forwardLimited } from "./limits.js";

/**
 * Sends what `survey` made of a request, as the core decided. NUL tells the parts of `text` apart; a plan and an
 * admission are JSON, and empty where there is none.
 */
export function dispatch(env, incoming, text, timeout, began) {
  const [url, remove, set, edits, line, requestId, plan, admission] = text.split("\0");
  const sending = { env, incoming, remove, set, edits, line, requestId, began };
  if (admission !== "") return forwardLimited(sending, url, timeout, plan, admission);
  return plan === "" ? forward(sending, url, timeout) : forwardByPlan(sending, plan);
}
