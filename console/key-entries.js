// An API key's entry as the gateway sees it, and the ends that keys are given.
import { customerClaim } from "./configuration.js";
import { checkKey, digestIn } from "./core.js";
import { readObject } from "./json.js";

/** @import { Configuration, KeyEntry, StoredText, UsableKeyEntry } from "./types.d.ts" */

/**
 * An entry as the gateway would read it now.
 * @type {(entry: StoredText, configuration: Configuration, now?: number) => KeyEntry}
 */
export const readKey = ({ name, text }, configuration, now = Date.now()) => ({
  digest: digestIn(name),
  text,
  record: readObject(text).value,
  ...checkKey(text, customerClaim(configuration), now),
});

/**
 * Whether the gateway can use an entry.
 * @param {KeyEntry} entry
 * @returns {entry is UsableKeyEntry}
 */
export const isUsable = (entry) => entry.key !== null;

/**
 * The end of an old key that its successor takes over, as it is written: the one that it has, where that lies ahead.
 * @type {(entry: UsableKeyEntry, now: number) => string}
 */
export const endThatLiesAhead = ({ record, key }, now) => ((key.expiresAt ?? 0) > now && record.expiresAt) || "";

/**
 * The end that an old key gets when it is rolled: never later than the one it has.
 * @type {(entry: UsableKeyEntry, now: number, grace: number) => string}
 */
export const endAfterGrace = ({ record, key }, now, grace) =>
  ((key.expiresAt ?? Infinity) <= now + grace && record.expiresAt) || new Date(now + grace).toISOString();
