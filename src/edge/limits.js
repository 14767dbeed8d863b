// Asks limits before a request is sent. Which ones, about whom and what follows is decided by the core; here is what
// happens between the question and its answer.
import { explain, failures, forward, forwardByPlan } from "./forward.js";

/** Tells the core that a request is sent to an origin of a plan. */
let begin;

export function installLimits(beginSending) {
  begin = beginSending;
}

/** What a caller is told to wait where a limit's counter is out of order. */
const RETRY_UNAVAILABLE = 5;

/** Sends the request, by a plan where there is one, if every limit of its caller lets it pass. */
export async function forwardLimited(env, request, headers, url, remove, set, timeout, edits, line, requestId, began, plan, admissionJson) {
  const { policy, asks, origin } = JSON.parse(admissionJson);
  const { refused, failed, known } = await admit(env, asks);
  const fields = [["ratelimit-policy", policy], ...(known.length > 0 ? [["ratelimit", known.join(", ")]] : [])];
  if (refused.length > 0) {
    const seconds = Math.max(...refused.map(({ retryAfter }) => retryAfter));
    const names = refused.map(({ name }) => name);
    return refuse(failures.limited, names, { "violated-policies": names }, [...fields, ["retry-after", `${seconds}`]]);
  }
  if (failed.length > 0) return refuse(failures.limit_unavailable, failed, {}, [["retry-after", `${RETRY_UNAVAILABLE}`]]);

  const edited = withFields(edits, fields);
  if (plan === undefined) {
    const called = `,"origin":${JSON.stringify(origin)},"attempt":1`;
    return forward(request, headers, url, remove, set, timeout, edited, line + called, requestId, began);
  }
  const [first] = JSON.parse(plan).attempts;
  begin(first.key, first.timeout);
  return forwardByPlan(env, request, headers, remove, set, edited, line, requestId, began, plan);

  function refuse({ reason, ...problem }, names, members, more) {
    const duration = Date.now() - began;
    console.log(`${line},"limit":${JSON.stringify(names.join(" "))},"reason":"${reason}","status":${problem.status},"duration_ms":${duration}}`);
    return explain({ ...problem, ...members }, withFields(edits, more), requestId);
  }
}

/**
 * What the limits say: `refused` are those that are used up, `failed` the names of those that did not answer and let
 * nobody pass then, `known` what RateLimit says.
 */
async function admit(env, asks) {
  const verdicts = await Promise.all(asks.map((ask) => askRate(env, ask)));
  return {
    refused: verdicts.filter(({ passes }) => passes === false),
    failed: verdicts.filter(({ passes, closed }) => passes === undefined && closed).map(({ name }) => name),
    known: verdicts.filter(({ known }) => known !== undefined).map(({ known }) => known),
  };
}

/** { passes: true | false | undefined }: undefined where the counter did not say. */
async function askRate(env, { name, binding, key, timeout, closed, retry_after: retryAfter }) {
  try {
    const { success } = await within(timeout, () => env[binding].limit({ key }));
    if (typeof success !== "boolean") throw new Error("an answer that says neither yes nor no");
    // When its period ends, the platform does not say: after a whole one it surely has.
    return success ? { name, passes: true } : { name, passes: false, retryAfter, known: `"${name}";r=0;t=${retryAfter}` };
  } catch (error) {
    warn(name, error);
    return { name, closed };
  }
}

/** What `ask` comes to, unless it takes longer than `timeout` milliseconds. */
function within(timeout, ask) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${timeout} ms`)), timeout);
    // In an async function, so that a binding that is not there rejects like one that fails.
    (async () => ask())().then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** One line a limit in this time, in milliseconds: a counter that is out of order fails with every request. */
const WARN_EVERY = 10_000;
const warned = new Map();

function warn(name, error) {
  const now = Date.now();
  if (now - (warned.get(name) ?? 0) < WARN_EVERY) return;
  warned.set(name, now);
  console.log(JSON.stringify({ event: "limit_failed", level: "warn", limit: name, what: String(error?.message ?? error) }));
}

/** `edits` with fields that are set beside; see `apply` in forward.js. */
function withFields(edits, fields) {
  return (edits === "" ? "---\n" : edits) + fields.map(([name, value]) => `${name}\n${value}\n`).join("");
}
