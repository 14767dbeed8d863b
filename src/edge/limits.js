// Asks limits before a request is sent. Which ones, about whom and what follows is decided by the core; here is what
// happens between the question and its answer.
import { waitUntil } from "cloudflare:workers";
import { explain, failures, forward, forwardByPlan } from "./forward.js";

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
  if (failed.length > 0) return refuse(failures.limit_unavailable, failed, {}, [["retry-after", `${RETRY_UNAVAILABLE}`]]);

  const edited = withFields(edits, fields);
  if (plan === "") {
    const called = `,"origin":${JSON.stringify(origin)},"attempt":1`;
    return forward({ ...sending, edits: edited, line: line + called }, url, timeout);
  }
  const [first] = JSON.parse(plan).attempts;
  try {
    begin(first.key, first.timeout);
  } catch {
    // The core that decided is gone, and with it what it knew of origins. The request goes on all the same.
  }
  return forwardByPlan({ ...sending, edits: edited }, plan);

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
    return success ? { name, passes: true } : { name, passes: false, retryAfter, known: `"${name}";r=0;t=${retryAfter}` };
  } catch (error) {
    warn(name, error);
    return { name, closed };
  }
}

/**
 * What this isolate has taken out of quotas and not used yet. `left` may be used until `until`, and `rest` was left for
 * all when it was last asked; `spent` when nothing was. `asking` is until when somebody asks for a batch.
 * Plain values only: what belongs to one request must not be waited for by another.
 */
const leases = new Map();
/** Beyond these, whoever was longest without a new batch loses what is left of theirs. */
const MAX_LEASES = 4096;

const blank = () => ({ left: 0, rest: 0, until: Infinity, spent: false, asking: 0 });

function leaseOf(id, now) {
  let lease = leases.get(id);
  if (lease === undefined) {
    if (leases.size >= MAX_LEASES) leases.delete(leases.keys().next().value);
    lease = blank();
    leases.set(id, lease);
  }
  if (now >= lease.until) Object.assign(lease, blank());
  return lease;
}

/** As askRate, for a quota: from what this isolate holds, else out of the object that counts. */
async function takeOne(env, ask) {
  const { name, closed } = ask;
  const now = Date.now();
  const id = `${name}:${ask.key}`;
  const lease = leaseOf(id, now);
  const wait = () => Math.max(Math.ceil((lease.until - Date.now()) / 1000), 1);
  const refusal = () => ({ name, passes: false, retryAfter: wait(), known: `"${name}";r=0;t=${wait()}` });
  const pass = () => {
    const { until } = lease;
    const giveBack = () => {
      if (lease.until === until) lease.left += 1;
    };
    return { name, passes: true, known: `"${name}";r=${lease.left + lease.rest};t=${wait()}`, giveBack };
  };
  const fromLease = () => {
    if (lease.left === 0) return false;
    lease.left -= 1;
    return true;
  };
  if (fromLease()) return pass();
  if (lease.spent) return refusal();
  try {
    // Where the object has nothing left, somebody may have brought more of it meanwhile than they need.
    return (await takeMore(env, ask, id, lease, now)) || fromLease() ? pass() : refusal();
  } catch (error) {
    warn(name, error);
    return { name, closed };
  }
}

/**
 * Asks the object, and says whether it grants the request. One asks for a batch; those that come meanwhile ask each for
 * its own request alone, so that a crowd does not take all that there is into one isolate.
 */
function takeMore(env, { binding, key, timeout, quota }, id, lease, now) {
  const isFirst = now >= lease.asking;
  if (isFirst) lease.asking = now + timeout;
  const ended = () => {
    if (isFirst) lease.asking = 0;
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
      if (!Number.isInteger(answer?.granted) || !Number.isInteger(answer.until)) throw new Error("an answer that says nothing");
      const own = waiting && answer.granted > 0 ? 1 : 0;
      keep(id, lease, answer, answer.granted - own);
      resolve(own === 1);
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

/** Puts what was granted beside its own request into the lease. */
function keep(id, lease, { granted, left, until }, more) {
  // Out of a window before the one that is known.
  if (lease.until !== Infinity && until < lease.until) return;
  if (until !== lease.until) lease.left = 0;
  lease.left += more;
  lease.rest = left;
  lease.until = until;
  lease.spent = granted === 0;
  leases.delete(id);
  leases.set(id, lease);
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
  return (edits === "" ? "-----\n" : edits) + fields.map(([name, value]) => `${name}\n${value}\n`).join("");
}
