// Asks limits before a request is sent. Which ones, about whom and what follows is decided by the core; here is what
// happens between the question and its answer.
import { waitUntil } from "cloudflare:workers";
import { forward, forwardByPlan } from "./forward.js";
import { logEvent } from "./log_event.js";
import { endWithProblem, failures } from "./problem.js";
import { makeQuotas } from "./quota_batch.js";
import { encodeAttemptStart } from "./wire.js";

/** @import { Sending } from "./dispatch.js" */
/** @import { Quota } from "./quota.js" */
/** @import { Grant, Pass, Question, QuotaQuestion, Refusal } from "./quota_batch.js" */
/** @import { Admission, Ask, Edits, Failure, Plan } from "./wire.js" */

/** @typedef {[name: string, value: string][]} FieldPairs */

/**
 * What one limit says. Without `passes` its counter did not answer.
 * @typedef {object} Verdict
 * @property {string} name of the limit
 * @property {boolean} [passes]
 * @property {boolean} [closed] whether the request is refused where the counter did not answer
 * @property {number} [retryAfter] seconds
 * @property {string} [known] its item of RateLimit
 * @property {() => void} [giveBack] gives back what was taken out of a quota
 */

/**
 * Tells the core that a request is sent to an origin of a plan.
 * @type {(text: string) => void}
 */
let begin;

/** @param {(text: string) => void} beginSending */
export function installLimits(beginSending) {
  begin = beginSending;
}

/** What a caller is told to wait where a limit's counter is out of order. */
const RETRY_UNAVAILABLE = 5;

/**
 * Sends the request, by a plan where there is one, if every limit of its caller lets it pass.
 * @param {Sending} sending
 * @param {string} url
 * @param {number} timeout
 * @param {Plan | undefined} plan
 * @param {Admission} admission
 * @returns {Promise<Response>}
 */
export async function forwardLimited(sending, url, timeout, plan, { policy, asks }) {
  const { env, edits } = sending;
  const { refused, failed, known } = await admit(env, asks);
  /** @type {FieldPairs} */
  const fields = [["ratelimit-policy", policy]];
  if (known.length > 0) fields.push(["ratelimit", known.join(", ")]);
  if (refused.length > 0) {
    const seconds = Math.max(...refused.map(({ retryAfter = RETRY_UNAVAILABLE }) => retryAfter));
    const names = refused.map(({ name }) => name);
    return refuse(failures.limited, names, { "violated-policies": names }, [...fields, ["retry-after", `${seconds}`]]);
  }
  if (failed.length > 0)
    return refuse(failures.limit_unavailable, failed, {}, [["retry-after", `${RETRY_UNAVAILABLE}`]]);

  const edited = withFields(edits, fields);
  if (plan === undefined) return forward({ ...sending, edits: edited, sentAt: Date.now() }, url, timeout);
  const {
    attempts: [first],
    caller,
  } = plan;
  try {
    if (caller !== undefined) begin(encodeAttemptStart({ timeout: first.timeout, caller, key: first.key }));
  } catch {
    // The core that decided is gone, and with it what it knew of origins. The request goes on all the same.
  }
  return forwardByPlan({ ...sending, edits: edited }, plan);

  /**
   * @param {Failure} failure
   * @param {string[]} limits
   * @param {Record<string, unknown>} members
   * @param {FieldPairs} more
   */
  function refuse(failure, limits, members, more) {
    return endWithProblem({ ...sending, edits: withFields(edits, more) }, failure, { limits }, members);
  }
}

/**
 * @param {Ask} ask
 * @returns {ask is QuotaQuestion}
 */
const isOfQuota = (ask) => ask.quota !== undefined;

/**
 * What the limits say: `refused` are those that are used up, `failed` the names of those that did not answer and let
 * nobody pass then, `known` what RateLimit says.
 * @param {Record<string, unknown>} env
 * @param {Ask[]} asks
 */
async function admit(env, asks) {
  const rates = asks.filter((ask) => !isOfQuota(ask));
  const verdicts = await Promise.all(rates.map((ask) => askRate(env, ask)));
  /** @type {(verdict: Verdict) => boolean} */
  const isOut = ({ passes, closed }) => passes === false || (passes === undefined && closed === true);
  // What a rate limit refuses is taken out of no quota, and what one quota refuses is given back to the others.
  if (!verdicts.some(isOut)) {
    const quotas = asks.filter(isOfQuota);
    const taken = await Promise.all(quotas.map((ask) => askQuota(env, ask)));
    if (taken.some(isOut)) for (const { giveBack } of taken) giveBack?.();
    verdicts.push(...taken);
  }
  return {
    refused: verdicts.filter(({ passes }) => passes === false),
    failed: verdicts.filter(({ passes, closed }) => passes === undefined && closed).map(({ name }) => name),
    known: verdicts.filter(({ known }) => known !== undefined).map(({ known }) => known),
  };
}

/**
 * Asks a rate limit.
 * @param {Record<string, unknown>} env
 * @param {Ask} ask
 * @returns {Promise<Verdict>}
 */
async function askRate(env, { name, binding, key, timeout, closed, retry_after: retryAfter }) {
  try {
    const { success } = await within(timeout, () => /** @type {RateLimit} */ (env[binding]).limit({ key }));
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
const quotas = makeQuotas(MAX_BATCHES);

/**
 * As askRate, for a quota: from what this isolate holds, else out of the object that counts.
 * @param {Record<string, unknown>} env
 * @param {QuotaQuestion} ask
 * @returns {Promise<Verdict>}
 */
async function askQuota(env, ask) {
  const { name, closed } = ask;
  const now = Date.now();
  /** @type {(verdict: Pass | Refusal) => Verdict} */
  const said = (verdict) => {
    const wait = Math.max(Math.ceil((verdict.until - Date.now()) / 1000), 1);
    if (!verdict.passes) return { name, passes: false, retryAfter: wait, known: `"${name}";r=0;t=${wait}` };
    const giveBack = () => quotas.giveBack(verdict, Date.now());
    return { name, passes: true, known: `"${name}";r=${verdict.left};t=${wait}`, giveBack };
  };
  const begun = quotas.begin(ask, now);
  if (begun.passes !== undefined) return said(begun);
  try {
    return said(await askObject(env, ask, begun, now));
  } catch (error) {
    warn(name, error);
    return { name, closed };
  }
}

/**
 * Asks the object that counts a quota, and says whether it lets the request pass.
 * @param {Record<string, unknown>} env
 * @param {QuotaQuestion} ask
 * @param {Question} question
 * @param {number} now
 * @returns {Promise<Pass | Refusal>}
 */
function askObject(env, { binding, key, timeout, quota }, question, now) {
  return new Promise((resolve, reject) => {
    let isAwaited = true;
    const timer = setTimeout(() => {
      isAwaited = false;
      reject(new Error(`no answer within ${timeout} ms`));
    }, timeout);
    /** @type {(grant: Grant) => void} */
    const answered = (grant) => {
      clearTimeout(timer);
      if (!Number.isInteger(grant?.granted) || !Number.isInteger(grant.until))
        throw new Error("an answer that says nothing");
      resolve(quotas.answered(question, grant, isAwaited, Date.now()));
    };
    /** @type {(error: unknown) => void} */
    const failed = (error) => {
      clearTimeout(timer);
      quotas.unanswered(question);
      reject(error);
    };
    const take = async () => {
      const objects = /** @type {DurableObjectNamespace<Quota>} */ (env[binding]);
      return objects.get(objects.idFromName(key)).take(quota, question.want, now);
    };
    // What was granted is counted, so it is kept also where the client has left or the answer came too late.
    waitUntil(take().then(answered).catch(failed));
  });
}

/**
 * What `ask` comes to, unless it takes longer than `timeout` milliseconds.
 * @template T
 * @param {number} timeout
 * @param {() => Promise<T>} ask
 * @returns {Promise<T>}
 */
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
/** @type {Map<string, number>} */
const warned = new Map();

/**
 * @param {string} name
 * @param {unknown} error
 */
function warn(name, error) {
  const now = Date.now();
  if (now - (warned.get(name) ?? 0) < WARN_EVERY) return;
  warned.set(name, now);
  logEvent("warn", "limit_failed", {
    limit: name,
    message: String(/** @type {Partial<Error> | undefined} */ (error)?.message ?? error),
  });
}

/**
 * `edits` with fields that are set beside.
 * @type {(edits: Edits, fields: FieldPairs) => Edits}
 */
const withFields = (edits, fields) => ({ ...edits, set: [...edits.set, ...fields] });
