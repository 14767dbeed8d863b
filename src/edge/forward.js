// Sends requests to backends. Where they go, in which order and with which fields is decided by the core; here is what
// happens between the call and its answer, as plain data and promises: the wasm instance that decided may be gone by
// then.

import { editOwn, ownEdits } from "./answer-edits.js";
import { callOut, NETWORK } from "./outbound.js";
import { assertCaller } from "./sign.js";
import { openUpload } from "./upload.js";
import { ENDED, verdict } from "./verdict.js";

/** The problems for backends that do not answer, as the core words them. */
export let failures;
/** Tells the core how an attempt ended, and asks whether there may be another. */
let report;

export function installForward(failuresJson, reportAttempt) {
  failures = JSON.parse(failuresJson);
  report = reportAttempt;
}

/** Statuses whose answers have no body (Fetch, "null body status"). */
const NULL_BODY = [204, 205, 304];

/** A client that leaves is watched for only when the answer takes longer: the watch itself is dear. */
const WATCH_AFTER = 250;

/**
 * Sends the request and returns the promise of its answer. `remove` and `set` of a sending are lines; `edits` is
 * empty where the answer is handed on as it came, which keeps the usual case free of a new Response.
 *
 * A backend that is too slow is not aborted but left behind: the runtime drops the call when the
 * answer to the client is through, and a signal for each request would be dear.
 */
export function forward({ incoming, remove, set, edits, line, requestId, began, sentAt }, url, timeout) {
  const { request, headers } = incoming;
  let over = false;
  let timer;
  /** Ends the wait for the answer's head and writes the line; false where it was over already. */
  const end = (status, reason, now = Date.now()) => {
    if (over) return false;
    over = true;
    clearTimeout(timer);
    console.log(`${line}${reason},"status":${status},"duration_ms":${now - began},"backend_ms":${now - sentAt}}`);
    return true;
  };
  const fail = ({ reason, ...problem }) => {
    end(problem.status, `,"reason":"${reason}"`);
    return explain(problem, edits, requestId);
  };
  return new Promise((resolve) => {
    const expire = () => resolve(fail(failures.timeout));
    const left = () => {
      if (end(499, ',"reason":"client_left"')) resolve(new Response(null, { status: 499 }));
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
    const answered = (answer) => {
      const { status } = answer;
      if (!isFinal(answer, status)) {
        letGo(answer);
        return failed();
      }
      // Too late: the caller was answered.
      if (over) return letGo(answer);
      const now = Date.now();
      handedOn = true;
      try {
        resolve(finish(answer, status, edits, now - sentAt, now - began));
        end(status, "", now);
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

/** Methods that may be sent again where nothing came of them (RFC 9110, section 9.2.1), if they bring no body. */
const SAFE = ["GET", "HEAD", "OPTIONS"];

/**
 * Sends the request by a plan: to one origin after the other, as long as those before failed and sending again is safe.
 * A request with a body or of an unsafe method is sent once, to the first.
 */
export async function forwardByPlan(sending, planJson) {
  const plan = JSON.parse(planJson);
  try {
    return await carryOut(sending, plan);
  } finally {
    // Whatever becomes of the request that tries an origin: others must not wait for it longer than it takes.
    const [first] = plan.attempts;
    if (first.trial && !first.told) tell(first, plan, ENDED.nothing, false);
  }
}

async function carryOut({ env, incoming, remove, set, edits, line, requestId, began }, plan) {
  const { request, headers } = incoming;
  const sentAt = Date.now();
  prepare(headers, remove, set);
  // Only now does a WebSocket's request have its Upgrade again.
  const repeats = SAFE.includes(incoming.method) && request.body === null && !headers.has("upgrade");
  // Counting it while it passes would not do: the backend would have acted on its beginning.
  if (plan.needs_size && request.body !== null) {
    const { reason, ...problem } = failures.unsized;
    console.log(`${line},"reason":"${reason}","status":${problem.status},"duration_ms":${Date.now() - began}}`);
    return explain(problem, edits, requestId);
  }
  const departure = watchClient(request, plan.attempts[0].trial ? 0 : WATCH_AFTER);
  let number = 0;
  const end = (status, reason, origin) => {
    departure.stop();
    const now = Date.now();
    const where = `,"origin":${JSON.stringify(origin)},"attempt":${number}`;
    console.log(
      `${line}${where}${reason},"status":${status},"duration_ms":${now - began},"backend_ms":${now - sentAt}}`,
    );
  };
  for (const attempt of plan.attempts) {
    number += 1;
    const left = plan.deadline - (Date.now() - sentAt);
    const startedAt = Date.now();
    if (attempt.assertion !== undefined && !(await assertCaller(headers, attempt.assertion))) {
      const { reason, ...problem } = failures.unsigned;
      end(problem.status, `,"reason":"${reason}"`, attempt.origin);
      return explain(problem, edits, requestId);
    }
    const result = await tryOnce(env, incoming, attempt, Math.min(attempt.timeout, left), departure.promise);
    const { answer } = result;
    // A client that breaks off its own body makes the call fail, and leaves at the same time.
    const failed = result.failed === "unreachable" && request.signal.aborted ? "left" : result.failed;
    if (failed === "left") {
      end(499, ',"reason":"client_left"', attempt.origin);
      return new Response(null, { status: 499 });
    }
    const bad = failed ?? (plan.statuses.includes(answer.status) ? `status ${answer.status}` : undefined);
    const inTime = Date.now() - sentAt < plan.deadline;
    const another = bad !== undefined && repeats && inTime && number < plan.attempts.length;
    const cutShort = failed === "timeout" && number > 1 && left < attempt.timeout;
    const ended = verdict({ failed, status: answer?.status, cutShort, isWhole: result.isWhole }, plan.statuses);
    const again = ended !== ENDED.nothing && tell(attempt, plan, ended, another);
    if (another && again) {
      letGo(answer);
      const what = {
        event: "attempt_failed",
        level: "warn",
        request_id: requestId,
        origin: attempt.origin,
        attempt: number,
        why: bad,
        ms: Date.now() - startedAt,
      };
      console.log(JSON.stringify(what));
      continue;
    }
    if (failed !== undefined) {
      const { reason, ...problem } = failures[failed];
      end(problem.status, `,"reason":"${reason}"`, attempt.origin);
      return explain(problem, edits, requestId);
    }
    const now = Date.now();
    const finished = finish(answer, answer.status, edits, now - sentAt, now - began);
    end(answer.status, "", attempt.origin);
    return finished;
  }
}

/**
 * One call: { answer }, or { failed: "unreachable" | "timeout" | "left" | "broken", isWhole }. An answer that comes too
 * late is let go.
 */
function tryOnce(env, incoming, { url, binding }, timeout, gone) {
  let upload;
  return new Promise((resolve) => {
    let over = false;
    const settle = (result) => {
      if (over) return letGo(result.answer);
      over = true;
      clearTimeout(timer);
      resolve(result);
    };
    const timer = setTimeout(() => settle({ failed: "timeout" }), Math.max(timeout, 0));
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
    const answered = (answer) => {
      if (isFinal(answer, answer.status)) {
        handedOn = !over;
        return settle({ answer });
      }
      letGo(answer);
      return failed();
    };
    try {
      upload = openUpload(incoming, broken);
      send(binding === undefined ? NETWORK : env[binding], upload?.incoming ?? incoming, url).then(answered, failed);
    } catch {
      void failed();
    }
  });
}

/** Of a GET or HEAD: no pipe can be put before it. */
const hasUnwatchedBody = ({ request, method }) => (method === "GET" || method === "HEAD") && request.body !== null;

/** Whether there may be another attempt. A core that is gone is told nothing, and allows none. */
function tell(attempt, { breaker: [failures, ratio, pause], caller }, ended, wantsAnother) {
  attempt.told = true;
  // Of a backend with one origin nothing is noted.
  if (caller === undefined) return false;
  try {
    return report(attempt.key, caller, ended, wantsAnother, failures, ratio, pause);
  } catch {
    return false;
  }
}

/** A promise that is settled when the client has left; watching it is dear, so it begins late where it may. */
function watchClient({ signal }, after) {
  let timer;
  let leave;
  const promise = new Promise((resolve) => {
    leave = () => resolve();
    timer = setTimeout(() => (signal.aborted ? leave() : signal.addEventListener("abort", leave)), after);
  });
  const stop = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", leave);
  };
  return { promise, stop };
}

/** Whether it is an answer at all: the runtime hands on what a backend sent, also 103, 099 and a 101 that is no WebSocket. */
function isFinal(answer, status) {
  return status === 101 ? Boolean(answer.webSocket) : status >= 200 && status <= 999;
}

/** An answer that nobody gets: unread, its body would hold a connection. */
function letGo(answer) {
  answer?.body?.cancel().catch(() => {});
}

function prepare(headers, remove, set) {
  if (remove !== "") for (const name of remove.split("\n")) headers.delete(name);
  const fields = set.split("\n");
  for (let i = 0; i + 1 < fields.length; i += 2) headers.set(fields[i], fields[i + 1]);
}

/** `by` is a service binding or `NETWORK`. */
function send(by, { request, method, headers, signal }, url) {
  const { body } = request;
  // Fetch takes a body for GET and HEAD only with the Request that it came in.
  if (body !== null && (method === "GET" || method === "HEAD")) {
    return callOut(by, new Request(url, request), { headers });
  }
  // Else the request itself is never the init: its `cf` would be copied along, which is dear.
  return callOut(by, url, signal === undefined ? { method, headers, body } : { method, headers, body, signal });
}

/** An answer that cannot be handed on as it must be. */
export class UnusableAnswer extends Error {}

/** How long edits are that hold flags and nothing else. */
const CONDITIONAL = "-----\n".length;

/** Reason phrases that a Response can be made with; HTTP also knows TAB and bytes above ASCII (RFC 9112, section 4). */
const PLAIN_PHRASE = /^[ -~]*$/;

/**
 * Takes off what the answer's Connection names (RFC 9110, section 7.6.1), keeps shared caches and what speaks for the whole
 * origin out, and makes the route's edits.
 */
function finish(answer, status, edits, backendMs, totalMs) {
  const { headers } = answer;
  const own = ownEdits(headers, edits);
  const { connection, cacheControl, remove, cookies } = own;
  const isOpen = cacheControl !== undefined || remove.length > 0 || cookies !== undefined;
  const isOrdinary = edits === "" || (edits.length === CONDITIONAL && edits.startsWith("---"));
  if (isOrdinary && connection === null && !isOpen) return answer;
  // No Response can be made with such a status. It goes back as it is, unless that would tell too much.
  if (status > 599) {
    const tellsOthers = isOpen && (remove.length > 0 || cookies !== undefined || headers.has("cache-control"));
    if (tellsOthers || (edits.startsWith("c") && [...headers.keys()].some(isOfCors))) throw new UnusableAnswer();
    return answer;
  }
  if (status === 101) {
    if (!isOpen) return answer;
    const upgraded = new Response(null, { status, headers, webSocket: answer.webSocket });
    editOwn(upgraded.headers, own);
    return upgraded;
  }
  const bodiless = NULL_BODY.includes(status);
  // Some backends send one all the same; no Response can be made with it.
  if (bodiless) letGo(answer);
  const init = PLAIN_PHRASE.test(answer.statusText) ? answer : { status, headers };
  const edited = new Response(bodiless ? null : answer.body, init);
  const fields = edited.headers;
  if (connection !== null) {
    // Looked up among the answer's own: it may name thousands that are not there.
    const listed = new Set(
      connection
        .toLowerCase()
        .split(",")
        .map((name) => name.trim()),
    );
    for (const name of [...new Set(fields.keys())]) if (name === "connection" || listed.has(name)) fields.delete(name);
  }
  // What Connection named may have been what kept caches out.
  editOwn(fields, connection === null ? own : ownEdits(fields, edits));
  apply(fields, edits);
  if (edits.startsWith("t", 2)) {
    fields.append("server-timing", `gateway;dur=${totalMs - backendMs}, backend;dur=${backendMs}`);
  }
  return edited;
}

/** Where a route has a policy, it says all of these, and the backend none. */
const isOfCors = (name) => name.startsWith("access-control-");

/**
 * `edits` is five flags (replace CORS, vary, timing, privacy, isolation) and then lines of names and values. Privacy is `s`
 * where what may be shared becomes private, and `p` where all does that is not closed to shared caches.
 */
function apply(headers, edits) {
  if (edits === "") return;
  const lines = edits.split("\n");
  if (edits.startsWith("c")) {
    for (const name of [...headers.keys()]) if (isOfCors(name)) headers.delete(name);
  }
  if (edits.startsWith("v", 1)) headers.append("vary", "Origin");
  for (let i = 1; i + 1 < lines.length; i += 2) {
    // Lists: a backend's own limits go on being told beside ours.
    if (lines[i].startsWith("ratelimit")) headers.append(lines[i], lines[i + 1]);
    else headers.set(lines[i], lines[i + 1]);
  }
}

/** Made of data alone: the wasm instance that sent the request may be gone when its answer fails. Never throws. */
export function explain(problem, edits, requestId) {
  const headers = new Headers({
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-request-id": requestId,
  });
  try {
    apply(headers, edits);
  } catch {
    // What a field cannot hold is left out. The problem must arrive: its line is written.
  }
  return new Response(JSON.stringify({ ...problem, instance: requestId }), { status: problem.status, headers });
}
