// The one end of every request, whoever answers it: the core, a backend, a limit, or a catch of what nobody foresaw. What
// is told of a request is told here, once. Whoever ends a request throws nothing afterwards, so that no second end follows.

import { isMeasured, writePoint } from "./metrics.js";

/**
 * What its end needs of a request.
 * @typedef {object} Ending
 * @property {string} line the beginning of its log line: what was decided, by request_log.rs, or `openLine`
 * @property {number} [began] when the request came; not known where the gateway itself failed
 * @property {Pick<import("./glue.js").Incoming, "method" | "fields">} [incoming] what came, where it was sent to a backend
 */

/**
 * What only the end of a request knows.
 * @typedef {object} End
 * @property {number} status of the answer
 * @property {string} [reason] why the request was refused or failed
 * @property {string[]} [limits] the limits that refused the request, or that did not answer
 * @property {Call} [called] who was called last; none where nobody was
 * @property {Response} [answer] the backend's, where it is handed on
 * @property {number} [now]
 */

/**
 * The last call of a backend.
 * @typedef {object} Call
 * @property {string} origin as a JSON string
 * @property {number} attempt the number of the attempt
 * @property {number} sentAt when the first attempt began
 */

/** A million: what the share of lines is a part of, as in `trace_context.rs`. */
const MILLION = 1_000_000;

/** Whether the lines of all requests have the details that those of refusals have. */
let tellsDetails = false;
/** Of how many successful requests in a million there is a line. */
let logged = MILLION;

/**
 * @param {boolean} details
 * @param {number} millionths
 */
export function installLog(details, millionths) {
  tellsDetails = details;
  logged = millionths;
}

/**
 * Ends a request: writes its log line, and its point of metrics.
 * @param {Ending} request
 * @param {End} end
 */
export function finish({ line, began, incoming }, { status, reason, limits, called, answer, now = Date.now() }) {
  let text = line;
  if (called !== undefined) text += `,"origin":${called.origin},"attempt":${called.attempt}`;
  if (limits !== undefined) text += `,"limit":${JSON.stringify(limits.join(" "))}`;
  if (reason !== undefined) text += `,"reason":"${reason}"`;
  text += `,"status":${status}`;
  if (began !== undefined) text += `,"duration_ms":${now - began}`;
  if (called !== undefined) text += `,"backend_ms":${now - called.sentAt}`;
  // Asked for only where somebody wants to know: each is a call of the runtime.
  const sent = tellsDetails ? sizeOf(incoming?.fields) : undefined;
  // To a HEAD, it is the size of what is not sent (RFC 9110, section 9.3.2).
  const received = tellsDetails && incoming?.method !== "HEAD" ? sizeOf(answer?.headers) : undefined;
  if (sent !== undefined) text += `,"request_bytes":${sent}`;
  if (received !== undefined) text += `,"response_bytes":${received}`;
  if (logged === MILLION || reason !== undefined || status >= 400) console.log(`${text}}`);
  else if (Math.random() * MILLION < logged) console.log(`${text},"sample":${logged / MILLION}}`);
  if (!isMeasured()) return;
  const duration = began === undefined ? 0 : now - began;
  const backend = called === undefined ? 0 : now - called.sentAt;
  writePoint(text, {
    status,
    duration,
    backend,
    // Clocks of a request that something failed in the middle of may be any.
    waited: Math.max(duration - backend, 0),
    attempts: called?.attempt ?? 0,
    sent,
    received,
  });
}

/**
 * The size of a body, where its head says it.
 * @param {Headers | undefined} headers
 */
function sizeOf(headers) {
  const length = headers?.get("content-length") ?? "";
  return /^[0-9]{1,15}$/.test(length) ? Number(length) : undefined;
}

/**
 * The beginning of the log line of a request of which nothing was decided: `Trace::open` of request_log.rs writes all
 * others.
 * @param {{ time: string, requestId: string, method: string }} request
 */
export const openLine = ({ time, requestId, method }) =>
  JSON.stringify({ event: "request", time, request_id: requestId, method }).slice(0, -1);
