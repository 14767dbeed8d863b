// Slows down who guesses the secret. It is this isolate's own view, so it bounds nothing for certain: the secret's
// length does.
import { network } from "./core.js";

const WRONG_ALLOWED = 5;
const WINDOW = 5 * 60_000;
const MOST_CALLERS = 1000;

/**
 * Maps and sets keep the order in which things came.
 * @param {Map<string, unknown> | Set<string>} held
 */
function deleteOldest(held) {
  for (const oldest of held.keys()) {
    held.delete(oldest);
    return;
  }
}

export function createThrottle() {
  /** @type {Map<string, { since: number, count: number }>} */
  const wrong = new Map();
  return {
    /**
     * Milliseconds until this caller may try again; 0 where it may now.
     * @param {string} address
     * @param {number} now
     */
    wait(address, now) {
      const seen = wrong.get(network(address));
      return seen && seen.count >= WRONG_ALLOWED && now < seen.since + WINDOW ? seen.since + WINDOW - now : 0;
    },
    /**
     * Notes a wrong secret.
     * @param {string} address
     * @param {number} now
     */
    note(address, now) {
      const caller = network(address);
      const seen = wrong.get(caller);
      const current = seen && now < seen.since + WINDOW ? { ...seen, count: seen.count + 1 } : { since: now, count: 1 };
      wrong.delete(caller);
      wrong.set(caller, current);
      if (wrong.size > MOST_CALLERS) deleteOldest(wrong);
    },
  };
}

/**
 * Forms that may be sent once: a second sending of one would mint a second key. Bounded, and this isolate's own.
 * @returns {(id: string) => boolean}
 */
export function createOnce() {
  /** @type {Set<string>} */
  const used = new Set();
  return (id) => {
    if (used.has(id)) return false;
    used.add(id);
    if (used.size > MOST_CALLERS) deleteOldest(used);
    return true;
  };
}
