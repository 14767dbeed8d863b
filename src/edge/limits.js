// Asks limits before a request is sent. Which ones, about whom and what follows is decided by the core; here is what
// happens between the question and its answer.
import { waitUntil } from "cloudflare:workers";
import { explain, failures, forward, forwardByPlan } from "./forward.js";
import { makeBatches } from "./quota_batch.js";

/** Tells the core that a request is sent to an origin of a plan. */
let begin;

export function installLimits(beginSending) {
  begin = beginSending;
}

/** What a caller is told to wait where a limit's counter is out of order. */
const RETRY_UNAVAILABLE = 5;

/** Sends the request, by a plan where there is one, if every limit of its caller lets it pass. */
export async function forwardLimited(sending, url, timeout, plan, admissionJson) {
  const { env, edits, line, requestId, began } = sending;
  const { policy, asks, origin } = JSON.parse(admissionJson);
  const { refused, failed, known } = await admit(env, asks);
  const fields = [["ratelimit-policy", policy], ...(known.length > 0 ? [["ratelimit", known.join(", ")]] : [])];
  if (refused.length > 0) {
    const seconds = Math.max(...refused.map(({ retryAfter }) => retryAfter));
    const names = refused.map(({ name }) => name);
    return refuse(failures.limited, names, { "violated-policies": names }, [...fields, ["retry-after", `${seconds}`]]);
  }
  if (failed.length > 0)
    return refuse(failures.limit_unavailable, failed, {}, [["retry-after", `${RETRY_UNAVAILABLE}`]]);

  const edited = withFields(edits, fields);
  if (plan === "") {
    const called = `,"origin":${JSON.stringify(origin)},"attempt":1`;
    return forward({ ...sending, edits: edited, line: line + called, sentAt: Date.now() }, url, timeout);
  }
  const {
    attempts: [first],
    caller,
  } = JSON.parse(plan);
  try {
    if (caller !== undefined) begin(first.key, caller, first.timeout);
  } catch {
    // The core that decided is gone, and with it what it knew of origins. The request goes on all the same.
  }
  return forwardByPlan({ ...sending, edits: edited }, plan);

  function refuse({ reason, ...problem }, names, members, more) {
    const duration = Date.now() - began;
    console.log(
      `${line},"limit":${JSON.stringify(names.join(" "))},"reason":"${reason}","status":${problem.status},"duration_ms":${duration}}`,
    );
    return explain({ ...problem, ...members }, withFields(edits, more), requestId);
  }
}

/**
 * What the limits say: `refused` are those that are used up, `failed` the names of those that did not answer and let
 * nobody pass then, `known` what RateLimit says.
 */
async function admit(env, asks) {
  const rates = asks.filter(({ quota }) => quota === undefined);
  const verdicts = await Promise.all(rates.map((ask) => askRate(env, ask)));
  const isOut = ({ passes, closed }) => passes === false || (passes === undefined && closed);
  // What a rate limit refuses is taken out of no quota, and what one quota refuses is given back to the others.
  if (!verdicts.some(isOut)) {
    const quotas = asks.filter(({ quota }) => quota !== undefined);
    const taken = await Promise.all(quotas.map((ask) => takeOne(env, ask)));
    if (taken.some(isOut)) for (const { giveBack } of taken) giveBack?.();
    verdicts.push(...taken);
  }
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
    return success
      ? { name, passes: true }
      : { name, passes: false, retryAfter, known: `"${name}";r=0;t=${retryAfter}` };
  } catch (error) {
    warn(name, error);
    return { name, closed };
  }
}

/** Callers whose batches are held. */
const MAX_BATCHES = 4096;
const batches = makeBatches(MAX_BATCHES);

/** As askRate, for a quota: from what this isolate holds, else out of the object that counts. */
async function takeOne(env, ask) {
  const { name, closed } = ask;
  const now = Date.now();
  const id = `${name}:${ask.key}`;
  const wait = (until) => Math.max(Math.ceil((until - Date.now()) / 1000), 1);
  const refusal = ({ until }) => ({
    name,
    passes: false,
    retryAfter: wait(until),
    known: `"${name}";r=0;t=${wait(until)}`,
  });
  const pass = ({ left, rest, until }) => {
    const giveBack = () => batches.giveBack(id, until, Date.now());
    return { name, passes: true, known: `"${name}";r=${left + rest};t=${wait(until)}`, giveBack };
  };
  if (batches.takeOne(id, now)) return pass(batches.look(id, now));
  const before = batches.look(id, now);
  if (before.spent) return refusal(before);
  try {
    const answer = await takeMore(env, ask, id, now);
    const { left } = batches.look(id, Date.now());
    if (answer.isGranted) return pass({ left, rest: answer.left, until: answer.until });
    // Where the object has nothing left, somebody may have brought more of it meanwhile than they need.
    return batches.takeOne(id, Date.now()) ? pass(batches.look(id, Date.now())) : refusal(answer);
  } catch (error) {
    warn(name, error);
    return { name, closed };
  }
}

/**
 * Asks the object, and says whether it grants the request. One asks for a batch; those that come meanwhile ask each for
 * its own request alone, so that a crowd does not take all that there is into one isolate.
 */
function takeMore(env, { binding, key, timeout, quota }, id, now) {
  const isFirst = batches.beginAsking(id, timeout, now);
  const ended = () => {
    if (isFirst) batches.endAsking(id);
  };
  return new Promise((resolve, reject) => {
    let waiting = true;
    const timer = setTimeout(() => {
      waiting = false;
      reject(new Error(`no answer within ${timeout} ms`));
    }, timeout);
    const granted = (answer) => {
      clearTimeout(timer);
      ended();
      if (!Number.isInteger(answer?.granted) || !Number.isInteger(answer.until))
        throw new Error("an answer that says nothing");
      const own = waiting && answer.granted > 0 ? 1 : 0;
      batches.keep(id, answer, answer.granted - own, Date.now());
      resolve({ isGranted: own === 1, left: answer.left, until: answer.until });
    };
    const failed = (error) => {
      clearTimeout(timer);
      ended();
      reject(error);
    };
    const ask = async () => {
      const objects = env[binding];
      return objects.get(objects.idFromName(key)).take(quota, isFirst ? quota.batch : 1, now);
    };
    // What was granted is counted, so it is kept also where the client has left or the answer came too late.
    waitUntil(ask().then(granted).catch(failed));
  });
}

/** What `ask` comes to, unless it takes longer than `timeout` milliseconds. */
function within(timeout, ask) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${timeout} ms`)), timeout);
    // In an async function, so that a binding that is not there rejects like one that fails.
    (async () => ask())()
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}

/** One line a limit in this time, in milliseconds: a counter that is out of order fails with every request. */
const WARN_EVERY = 10_000;
const warned = new Map();

function warn(name, error) {
  const now = Date.now();
  if (now - (warned.get(name) ?? 0) < WARN_EVERY) return;
  warned.set(name, now);
  console.log(
    JSON.stringify({ event: "limit_failed", level: "warn", limit: name, what: String(error?.message ?? error) }),
  );
}

/** `edits` with fields that are set beside; see `apply` in forward.js. */
function withFields(edits, fields) {
  return (edits === "" ? "-----\n" : edits) + fields.map(([name, value]) => `${name}\n${value}\n`).join("");
}
