// Sends requests to backends. Where they go, in which order and with which fields is decided by the core; here is what
// happens between the call and its answer, as plain data and promises: the wasm instance that decided may be gone by
// then.

import { discard, editAnswer, isFinal } from "./answer.js";
import { finish } from "./finish.js";
import { logEvent } from "./log_event.js";
import { callOut, NETWORK } from "./outbound.js";
import { endWithProblem, failures, installFailures, problemAnswer } from "./problem.js";
import { dueAttempt, isRepeatable, judgeAttempt } from "./retry.js";
import { setSecrets } from "./secrets.js";
import { assertCaller } from "./sign.js";
import { hasSpans, inClientSpan } from "./spans.js";
import { openUpload } from "./upload.js";
import { ENDED, encodeAttemptReport, forEachField, forEachName } from "./wire.js";

/** @import { Sending } from "./dispatch.js" */
/** @import { Incoming, Outgoing } from "./glue.js" */
/** @import { DueAttempt, Result } from "./retry.js" */
/** @import { Upload } from "./upload.js" */
/** @import { Attempt, Failure, FieldLines, NameLines, Plan } from "./wire.js" */

/**
 * How one call ended, and its answer where there is one.
 * @typedef {Result & { answer?: Response }} Outcome
 */

/** @typedef {(attempt: Attempt, ended: number, wantsAnother: boolean) => boolean} Tell */

/**
 * Tells the core how an attempt ended, and asks whether there may be another.
 * @type {(text: string) => boolean}
 */
let report;

/**
 * @param {string} failuresJson
 * @param {(text: string) => boolean} reportAttempt
 */
export function installForward(failuresJson, reportAttempt) {
  installFailures(failuresJson);
  report = reportAttempt;
}

/** The end of a request whose client did not wait for it. Nobody gets that answer. */
const CLIENT_LEFT = { status: 499, reason: "client_left" };
const answerNobody = () => new Response(null, { status: CLIENT_LEFT.status });

const nothingToDo = () => {};

/** A client that leaves is watched for only when the answer takes longer: the watch itself is dear. */
const WATCH_AFTER = 250;

/**
 * Sends the request and returns the promise of its answer.
 *
 * A backend that is too slow is not aborted but left behind: the runtime drops the call when the
 * answer to the client is through, and a signal for each request would be dear.
 * @param {Sending} sending
 * @param {string} url
 * @param {number} timeout
 * @returns {Promise<Response>}
 */
export function forward(sending, url, timeout) {
  const { incoming, remove, set, edits, origin, began, sentAt } = sending;
  const { request, headers } = incoming;
  const called = { origin, attempt: 1, sentAt };
  let over = false;
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  /**
   * Ends the wait for the answer's head, and the request; false where it was over already.
   * @type {(status: number, reason: string | undefined, now?: number, answer?: Response) => boolean}
   */
  const end = (status, reason, now, answer) => {
    if (over) return false;
    over = true;
    clearTimeout(timer);
    finish(sending, { status, reason, called, now, answer });
    return true;
  };
  /** @type {(failure: Failure) => Response} */
  const fail = (failure) => {
    end(failure.status, failure.reason);
    return problemAnswer(sending, failure);
  };
  return new Promise((resolve) => {
    const expire = () => resolve(fail(failures.timeout));
    const left = () => {
      if (end(CLIENT_LEFT.status, CLIENT_LEFT.reason)) resolve(answerNobody());
    };
    const watch = () => {
      if (request.signal.aborted) return left();
      request.signal.addEventListener("abort", left);
      timer = setTimeout(expire, timeout - WATCH_AFTER);
    };
    timer = timeout > WATCH_AFTER ? setTimeout(watch, WATCH_AFTER) : setTimeout(expire, timeout);
    const failed = () => resolve(fail(failures.unreachable));
    let handedOn = false;
    const broken = () => {
      if (!over && request.signal.aborted) left();
      else if (!over) resolve(fail(failures.broken));
      return !handedOn;
    };
    /** @type {(answer: Response) => void} */
    const answered = (answer) => {
      const { status } = answer;
      if (!isFinal(answer, status)) {
        discard(answer);
        return failed();
      }
      // Too late: the caller was answered.
      if (over) return discard(answer);
      const now = Date.now();
      handedOn = true;
      try {
        resolve(editAnswer(answer, status, edits, now - sentAt, now - began));
        end(status, undefined, now, answer);
      } catch {
        failed();
      }
    };
    try {
      prepare(headers, remove, set);
      const upload = openUpload(incoming, broken);
      // One reaction rather than two: each is a promise of its own.
      send(NETWORK, upload?.incoming ?? incoming, url).then(answered, failed);
    } catch {
      failed();
    }
  });
}

/**
 * Sends the request by a plan: to one origin after the other, as long as those before failed and sending again is safe.
 * A request with a body or of an unsafe method is sent once, to the first. retry.js decides all of that.
 * @param {Sending} sending
 * @param {Plan} plan
 */
export async function forwardByPlan(sending, plan) {
  /** @type {Set<Attempt>} */
  const told = new Set();
  /** @type {Tell} */
  const tell = (attempt, ended, wantsAnother) => {
    told.add(attempt);
    return tellCore(plan, attempt, ended, wantsAnother);
  };
  try {
    return await carryOut(sending, plan, tell);
  } finally {
    // Whatever becomes of the request that tries an origin: others must not wait for it longer than it takes.
    const [first] = plan.attempts;
    if (first.trial && !told.has(first)) tell(first, ENDED.nothing, false);
  }
}

/**
 * @param {Sending} sending
 * @param {Plan} plan
 * @param {Tell} tell
 * @returns {Promise<Response>}
 */
async function carryOut(sending, plan, tell) {
  const { env, incoming, remove, set, edits, requestId, began } = sending;
  const { request, method, headers } = incoming;
  const sentAt = Date.now();
  prepare(headers, remove, set);
  const hasBody = request.body !== null;
  // Only now does a WebSocket's request have its Upgrade again.
  const repeatable = isRepeatable({ method, hasBody, isUpgrade: headers.has("upgrade") });
  // Counting it while it passes would not do: the backend would have acted on its beginning.
  if (plan.needs_size && hasBody) return endWithProblem(sending, failures.unsized);
  const departure = watchClient(request, plan.attempts[0].trial ? 0 : WATCH_AFTER);
  for (let number = 1; ; number++) {
    const startedAt = Date.now();
    const due = dueAttempt(plan, number, startedAt - sentAt);
    const { attempt } = due;
    const called = { origin: JSON.stringify(attempt.origin), attempt: number, sentAt };
    if (attempt.assertion !== undefined && !(await assertCaller(headers, attempt.assertion))) {
      departure.stop();
      return endWithProblem(sending, failures.unsigned, { called });
    }
    const takeOff = attempt.secrets === undefined ? nothingToDo : await setSecrets(headers, attempt);
    if (takeOff === undefined) {
      departure.stop();
      return endWithProblem(sending, failures.unopened, { called });
    }
    const { answer, failed, isWhole } = await tryOnce(env, incoming, due, number, departure.promise);
    takeOff();
    const { ended, wantsAnother, errorType, end } = judgeAttempt(
      plan,
      due,
      { failed, status: answer?.status, isWhole },
      { isRepeatable: repeatable, hasLeft: request.signal.aborted, elapsed: Date.now() - sentAt },
    );
    const isAllowed = ended !== ENDED.nothing && tell(attempt, ended, wantsAnother);
    if (wantsAnother && isAllowed) {
      discard(answer);
      logEvent("warn", "attempt_failed", {
        request_id: requestId,
        origin: attempt.origin,
        attempt: number,
        error_type: errorType,
        duration_ms: Date.now() - startedAt,
      });
      continue;
    }
    departure.stop();
    const now = Date.now();
    if (end === "left") {
      finish(sending, { ...CLIENT_LEFT, called, now });
      return answerNobody();
    }
    if (end !== "answer") return endWithProblem(sending, failures[end], { called, now });
    const given = /** @type {Response} */ (answer);
    const edited = editAnswer(given, given.status, edits, now - sentAt, now - began);
    finish(sending, { status: given.status, called, now, answer: given });
    return edited;
  }
}

/**
 * One call: { answer }, or { failed: "unreachable" | "timeout" | "left" | "broken", isWhole }. An answer that comes too
 * late is let go.
 * @param {Record<string, unknown>} env
 * @param {Incoming} incoming
 * @param {DueAttempt} due
 * @param {number} number
 * @param {Promise<void>} gone
 * @returns {Promise<Outcome>}
 */
function tryOnce(env, incoming, { attempt: { url, binding }, timeout }, number, gone) {
  /** @type {Upload | undefined} */
  let upload;
  return new Promise((resolve) => {
    let over = false;
    /** @type {(outcome: Outcome) => void} */
    const settle = (result) => {
      if (over) return discard(result.answer);
      over = true;
      clearTimeout(timer);
      resolve(result);
    };
    const timer = setTimeout(() => settle({ failed: "timeout" }), timeout);
    gone.then(() => settle({ failed: "left" }));
    let handedOn = false;
    const broken = () => {
      settle({ failed: incoming.request.signal.aborted ? "left" : "broken" });
      return !handedOn;
    };
    const failed = async () => {
      const isWhole = upload === undefined ? !hasUnwatchedBody(incoming) : await upload.hasComeWhole();
      // Where a Worker is called, its own exception comes out here, and a path may be all that it takes.
      settle({ failed: "unreachable", isWhole: isWhole && binding === undefined });
    };
    /** @type {(answer: Response) => void} */
    const answered = (answer) => {
      if (isFinal(answer, answer.status)) {
        handedOn = !over;
        return settle({ answer });
      }
      discard(answer);
      return failed();
    };
    try {
      upload = openUpload(incoming, broken);
      send(
        binding === undefined ? NETWORK : /** @type {Fetcher} */ (env[binding]),
        upload?.incoming ?? incoming,
        url,
        number,
      ).then(answered, failed);
    } catch {
      void failed();
    }
  });
}

/**
 * Of a GET or HEAD: no pipe can be put before it.
 * @type {(incoming: Incoming) => boolean}
 */
const hasUnwatchedBody = ({ request, method }) => (method === "GET" || method === "HEAD") && request.body !== null;

/**
 * Tells the core how an attempt ended: whether there may be another. A core that is gone allows none.
 * @param {Plan} plan
 * @param {Attempt} attempt
 * @param {number} ended
 * @param {boolean} wantsAnother
 */
function tellCore({ breaker, caller }, { key }, ended, wantsAnother) {
  // Of a backend with one origin nothing is noted.
  if (caller === undefined) return false;
  try {
    return report(encodeAttemptReport({ ended, wantsAnother, breaker, caller, key }));
  } catch {
    return false;
  }
}

/**
 * A promise that is settled when the client has left; watching it is dear, so it begins late where it may.
 * @param {Request} request
 * @param {number} after
 */
function watchClient({ signal }, after) {
  /** @type {PromiseWithResolvers<void>} */
  const { promise, resolve } = Promise.withResolvers();
  const leave = () => resolve();
  const timer = setTimeout(() => (signal.aborted ? leave() : signal.addEventListener("abort", leave)), after);
  const stop = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", leave);
  };
  return { promise, stop };
}

/**
 * @param {Headers} headers
 * @param {NameLines} remove
 * @param {FieldLines} set
 */
function prepare(headers, remove, set) {
  forEachName(remove, (name) => headers.delete(name));
  forEachField(set, (name, value) => headers.set(name, value));
}

/**
 * `by` is a service binding or `NETWORK`.
 * @param {Pick<Fetcher, "fetch">} by
 * @param {Outgoing} outgoing
 * @param {string} url
 * @param {number} [attempt] its number
 */
const send = (by, outgoing, url, attempt) =>
  hasSpans() ? inClientSpan(outgoing.method, url, attempt, () => call(by, outgoing, url)) : call(by, outgoing, url);

/**
 * @param {Pick<Fetcher, "fetch">} by
 * @param {Outgoing} outgoing
 * @param {string} url
 */
function call(by, { request, method, headers, signal }, url) {
  const { body } = request;
  // Fetch takes a body for GET and HEAD only with the Request that it came in.
  if (body !== null && (method === "GET" || method === "HEAD")) {
    return callOut(by, new Request(url, /** @type {Request} */ (request)), { headers });
  }
  // Else the request itself is never the init: its `cf` would be copied along, which is dear.
  return callOut(by, url, signal === undefined ? { method, headers, body } : { method, headers, body, signal });
}
