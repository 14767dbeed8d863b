// An API key's entry as the gateway sees it, and the ends that keys are given.
import { customerClaim } from "./configuration.js";
import { checkKey, digestIn } from "./core.js";
import { readObject } from "./json.js";

/** An entry as the gateway would read it now: { digest, text, record?, findings, key, customer }. */
export const readKey = ({ name, text }, configuration, now = Date.now()) => ({
  digest: digestIn(name),
  text,
  record: readObject(text).value,
  ...checkKey(text, customerClaim(configuration), now),
});

/** The end of an old key that its successor takes over, as it is written: the one that it has, where that lies ahead. */
export const endThatLiesAhead = ({ record, key }, now) => (key.expiresAt > now ? record.expiresAt : "");

/** The end that an old key gets when it is rolled: never later than the one it has. */
export const endAfterGrace = ({ record, key }, now, grace) =>
  (key.expiresAt ?? Infinity) <= now + grace ? record.expiresAt : new Date(now + grace).toISOString();
