// The log lines of what happens beside the ends of requests.

/**
 * @typedef {"info" | "warn" | "error"} Level
 */

/**
 * Writes the line of an event.
 * @param {Level} level
 * @param {string} event
 * @param {Record<string, unknown>} members what is known of it beside
 */
export function logEvent(level, event, members) {
  console.log(JSON.stringify({ event, level, time: new Date().toISOString(), ...members }));
}

/**
 * The same for the core, which says what happened in words.
 * @param {Level} level
 * @param {string} event
 * @param {string} message
 */
export const logMessage = (level, event, message) => logEvent(level, event, { message });
