// How soon a change counts, in words.

/** @import { Configuration, Records } from "./types.d.ts" */

/** How long KV takes to carry a change everywhere, by its own documentation, in milliseconds. */
const KV_PROPAGATION = 60_000;
/** How long the ledger takes to believe what stands in KV; where isolates follow it slowly, it lists KV rarely. */
const PASSES = { usual: 300_000, slow: 900_000, slowFrom: 30_000 };
const FRESH = { keys: "60s", customers: "5m" };
const MAX_STALENESS = "10s";

/** @type {Record<string, number>} */
const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A span of the configuration in milliseconds; undefined where it is none, such as a variable's name.
 * @param {string} text
 */
export function millisIn(text) {
  const [, number, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
  return unit === undefined ? undefined : Number(number) * UNITS[unit];
}

/**
 * 90000 as “1 minute 30 seconds”.
 * @param {number} milliseconds
 */
export function spoken(milliseconds) {
  let rest = Math.ceil(milliseconds / 1000);
  const parts = [];
  for (const [unit, seconds] of /** @type {const} */ ([
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
    ["second", 1],
  ])) {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    if (count > 0) parts.push(`${count} ${unit}${count === 1 ? "" : "s"}`);
  }
  return parts.join(" ") || "0 seconds";
}

const SAID_BY_CHECK = "the time that pointsman check prints";
/** @param {number | undefined} milliseconds */
const within = (milliseconds) => (milliseconds === undefined ? SAID_BY_CHECK : spoken(milliseconds));
/** @param {Configuration} configuration */
const maxStaleness = (configuration) => millisIn(configuration.directory?.max_staleness ?? MAX_STALENESS);

/**
 * How soon a change counts everywhere, as a sentence.
 * @param {Configuration} configuration
 * @param {"keys" | "customers"} of
 * @param {Pick<Records, "kind" | "isSwitchedOff">} records where it was made
 */
export function howSoon(configuration, of, { kind, isSwitchedOff }) {
  const ledger = maxStaleness(configuration);
  if (kind === "ledger") return `This counts everywhere within ${within(ledger)}.`;
  const written = of === "keys" ? configuration.api_keys?.fresh : configuration.customers?.fresh;
  const fresh = millisIn(written ?? FRESH[of]);
  const kv = within(fresh === undefined ? undefined : KV_PROPAGATION + fresh);
  if (isSwitchedOff) return `The ledger is switched off, so this went to KV: it counts everywhere within about ${kv}.`;
  const passes = ledger !== undefined && ledger >= PASSES.slowFrom ? PASSES.slow : PASSES.usual;
  const byPasses = within(ledger === undefined ? undefined : ledger + passes);
  return `This went to KV, and counts everywhere within about ${kv}; where the gateway follows a ledger, which has to find it in KV, within ${byPasses}.`;
}

/**
 * How soon a new key works, as a sentence.
 * @param {Configuration} configuration
 * @param {Pick<Records, "kind">} records
 */
export const howSoonItWorks = (configuration, { kind }) =>
  kind === "ledger"
    ? `The key works at its first request, a second from now at the latest; where a flood of wrong keys comes in, within ${within(maxStaleness(configuration))}.`
    : "The key works as soon as KV has carried it to the place where it is used: mostly at once, sometimes after a minute or more.";
