// One line in the log for each change: who did what to which KV entry. Never a key, a value or a secret.

/**
 * `entry` is a KV name; a key's name holds its digest only.
 * @type {(who: string, action: string, entry: string) => void}
 */
export const audit = (who, action, entry) =>
  console.log(JSON.stringify({ event: "console_change", who, action, entry }));

/** @type {(event: string, more?: object) => void} */
export const notice = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));
