// The one end of every request, whoever answers it: the core, a backend, a limit, or a catch of what nobody foresaw. What
// is told of a request is told here, once. Whoever ends a request throws nothing afterwards, so that no second end follows.

/**
 * What its end needs of a request.
 * @typedef {object} Ending
 * @property {string} line the beginning of its log line: what was decided, by request_log.rs, or `openLine`
 * @property {number} [began] when the request came; not known where the gateway itself failed
 */

/**
 * What only the end of a request knows.
 * @typedef {object} End
 * @property {number} status of the answer
 * @property {string} [reason] why the request was refused or failed
 * @property {string[]} [limits] the limits that refused the request, or that did not answer
 * @property {Call} [called] who was called last; none where nobody was
 * @property {number} [now]
 */

/**
 * The last call of a backend.
 * @typedef {object} Call
 * @property {string} origin as a JSON string
 * @property {number} attempt the number of the attempt
 * @property {number} sentAt when the first attempt began
 */

/**
 * Ends a request: writes its log line.
 * @param {Ending} request
 * @param {End} end
 */
export function finish({ line, began }, { status, reason, limits, called, now = Date.now() }) {
  let text = line;
  if (called !== undefined) text += `,"origin":${called.origin},"attempt":${called.attempt}`;
  if (limits !== undefined) text += `,"limit":${JSON.stringify(limits.join(" "))}`;
  if (reason !== undefined) text += `,"reason":"${reason}"`;
  text += `,"status":${status}`;
  if (began !== undefined) text += `,"duration_ms":${now - began}`;
  if (called !== undefined) text += `,"backend_ms":${now - called.sentAt}`;
  console.log(`${text}}`);
}

/**
 * The beginning of the log line of a request of which nothing was decided: `Trace::open` of request_log.rs writes all
 * others.
 * @param {{ time: string, requestId: string, method: string }} request
 */
export const openLine = ({ time, requestId, method }) =>
  JSON.stringify({ event: "request", time, request_id: requestId, method }).slice(0, -1);
