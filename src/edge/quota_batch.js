// What this isolate holds of quotas: what it has taken out of them and not used yet, and what follows for a request. Plain
// values only: what belongs to one request must not be waited for by another. Time and what the counter answered are
// arguments; limits.js asks the counter.

/**
 * What a counter granted.
 * @typedef {object} Grant
 * @property {number} granted how many requests, out of those that were asked for
 * @property {number} left how many are left for others
 * @property {number} until when the window ends
 */

/**
 * A quota lets a request pass.
 * @typedef {object} Pass
 * @property {true} passes
 * @property {string} id
 * @property {number} left how many requests are left in the window, as far as is known
 * @property {number} until when the window ends
 */

/**
 * A quota is used up until then.
 * @typedef {{ passes: false, until: number }} Refusal
 */

/**
 * The counter must be asked for `want` requests. Each question ends by `answered` or by `unanswered`.
 * @typedef {object} Question
 * @property {undefined} passes
 * @property {string} id
 * @property {number} want
 * @property {boolean} isBatch whether it asks for others too
 */

/** @typedef {import("./wire.js").Ask & { quota: import("./wire.js").QuotaAsk }} QuotaQuestion */

/** How many callers an isolate holds batches of at most is `most`. */
export function makeQuotas(/** @type {number} */ most) {
  const batches = makeBatches(most);

  /**
   * @returns {Pass}
   * @param {string} id
   * @param {{ left: number, rest: number, until: number }} known
   */
  const pass = (id, { left, rest, until }) => ({ passes: true, id, left: left + rest, until });

  /**
   * @returns {Pass | undefined}
   * @param {string} id
   * @param {number} now
   */
  const takeHeld = (id, now) => (batches.takeOne(id, now) ? pass(id, batches.look(id, now)) : undefined);

  return {
    /**
     * What follows for a request from what is held. One request at a time asks for a batch; those that come meanwhile ask
     * each for itself alone, so that a crowd does not take all that there is into one isolate.
     * @param {Pick<QuotaQuestion, "name" | "key" | "timeout" | "quota">} ask
     * @param {number} now
     * @returns {Pass | Refusal | Question}
     */
    begin({ name, key, timeout, quota }, now) {
      // Another number, which the caller's record may say from one request to the next, is another quota: what was used up
      // may not be any more.
      const id = `${name}:${quota.quota}:${key}`;
      const held = takeHeld(id, now);
      if (held !== undefined) return held;
      const { spent, until } = batches.look(id, now);
      if (spent) return { passes: false, until };
      const isBatch = batches.beginAsking(id, timeout, now);
      return { passes: undefined, id, want: isBatch ? quota.batch : 1, isBatch };
    },

    /**
     * What follows once the counter has answered. What was granted is counted, so it is kept also where the request does
     * not wait any more.
     * @param {Question} question
     * @param {Grant} grant
     * @param {boolean} isAwaited whether the request still waits
     * @param {number} now
     * @returns {Pass | Refusal}
     */
    answered({ id, isBatch }, grant, isAwaited, now) {
      const { granted, left, until } = grant;
      if (isBatch) batches.endAsking(id);
      const own = isAwaited && granted > 0 ? 1 : 0;
      batches.keep(id, grant, granted - own, now);
      if (own === 1) return pass(id, { left: batches.look(id, now).left, rest: left, until });
      // Where the counter has nothing left, somebody may have brought more of it meanwhile than they need.
      return (isAwaited && takeHeld(id, now)) || { passes: false, until };
    },

    /**
     * Ends a question without an answer.
     * @param {Question} question
     */
    unanswered({ id, isBatch }) {
      if (isBatch) batches.endAsking(id);
    },

    /**
     * Takes a pass back that was not used after all.
     * @param {Pass} pass
     * @param {number} now
     */
    giveBack({ id, until }, now) {
      batches.giveBack(id, until, now);
    },

    /**
     * How many requests are held for a caller, and of how many callers: what a test looks at.
     * @param {string} id
     * @param {number} now
     */
    held: (id, now) => batches.look(id, now).left,
    size: () => batches.size(),
  };
}

/** How long a question may stay without an answer: the runtime ends whatever a request left behind before that. */
const LONGEST_ASK = 60_000;
/** How many are looked at to find one that may go; the next who needs room looks at those after them. */
const LOOKED_AT = 64;

/**
 * A batch of one caller.
 * @typedef {{ left: number, rest: number, until: number, spent: boolean, asking: number, pinned: number }} Batch
 */

/**
 * `left` may be used until `until`, and `rest` was left for all when it was last asked; `spent` when nothing was.
 * `asking` is until when somebody asks for a batch, and `pinned` until when units may still come or come back.
 * @returns {Batch}
 */
const blank = () => ({ left: 0, rest: 0, until: Infinity, spent: false, asking: 0, pinned: 0 });

/**
 * The batches of at most `most` callers. A batch that holds something, or to which something may come back, is never
 * given up for another: what is in it was counted. Who finds no room holds nothing and asks for each request alone.
 * @param {number} most
 */
function makeBatches(most) {
  /** @type {Map<string, Batch>} */
  const held = new Map();
  /**
   * The same ids in fixed places: a Map that is deleted from at its beginning gets slow.
   * @type {string[]}
   */
  const places = [];
  let hand = 0;

  /** @type {(batch: Batch | undefined, now: number) => boolean} */
  const mayGo = (batch, now) => batch === undefined || now >= batch.until || (batch.left === 0 && now >= batch.pinned);

  /**
   * Holds a batch, if there is room or another one may go.
   * @param {string} id
   * @param {Batch} batch
   * @param {number} now
   */
  function hold(id, batch, now) {
    if (held.size < most) {
      places.push(id);
      held.set(id, batch);
      return true;
    }
    for (let looked = 0; looked < LOOKED_AT; looked++) {
      const place = hand;
      hand = (hand + 1) % most;
      if (!mayGo(held.get(places[place]), now)) continue;
      held.delete(places[place]);
      places[place] = id;
      held.set(id, batch);
      return true;
    }
    return false;
  }

  /**
   * @param {string} id
   * @param {number} now
   */
  function heldFor(id, now) {
    const batch = held.get(id);
    if (batch !== undefined && now >= batch.until) {
      const { asking, pinned } = batch;
      Object.assign(batch, blank(), { asking, pinned });
    }
    return batch;
  }

  return {
    /**
     * What is known: { left, rest, until, spent }.
     * @param {string} id
     * @param {number} now
     */
    look: (id, now) => heldFor(id, now) ?? blank(),

    /**
     * Takes one unit of what is held, which `giveBack` may bring back.
     * @param {string} id
     * @param {number} now
     */
    takeOne(id, now) {
      const batch = heldFor(id, now);
      if (batch === undefined || batch.left === 0) return false;
      batch.left -= 1;
      batch.pinned = Math.max(batch.pinned, now + LONGEST_ASK);
      return true;
    },

    /**
     * A unit of the window until `until` that was not used after all.
     * @param {string} id
     * @param {number} until
     * @param {number} now
     */
    giveBack(id, until, now) {
      const batch = heldFor(id, now);
      if (batch?.until === until) batch.left += 1;
      else if (batch === undefined && now < until) hold(id, { ...blank(), left: 1, until }, now);
    },

    /**
     * Says whether to ask for a batch, or for one unit alone: only one asks for a batch at a time, and only where there is
     * room to hold what is left of it.
     * @param {string} id
     * @param {number} timeout
     * @param {number} now
     */
    beginAsking(id, timeout, now) {
      let batch = heldFor(id, now);
      if (batch === undefined) {
        batch = blank();
        if (!hold(id, batch, now)) return false;
      }
      batch.pinned = Math.max(batch.pinned, now + LONGEST_ASK);
      if (now < batch.asking) return false;
      batch.asking = now + timeout;
      return true;
    },

    /**
     * Whoever asked for a batch asks no longer.
     * @param {string} id
     */
    endAsking(id) {
      const batch = held.get(id);
      if (batch !== undefined) batch.asking = 0;
    },

    /**
     * Puts `more` of what was granted into the batch.
     * @param {string} id
     * @param {Grant} grant
     * @param {number} more
     * @param {number} now
     */
    keep(id, { granted, left, until }, more, now) {
      if (now >= until) return;
      let batch = heldFor(id, now);
      if (batch === undefined) {
        batch = blank();
        if (!hold(id, batch, now)) return;
      }
      // Out of a window before the one that is known.
      if (batch.until !== Infinity && until < batch.until) return;
      if (until !== batch.until) batch.left = 0;
      batch.left += more;
      batch.rest = left;
      batch.until = until;
      batch.spent = granted === 0;
    },

    size: () => held.size,
  };
}
