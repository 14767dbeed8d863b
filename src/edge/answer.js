// A backend's answer on its way to the client: handed on as it came, but for what may not pass and the edits of its route.
import { editOwn, ownEdits } from "./answer-edits.js";

/** @import { Edits } from "./wire.js" */

/** An answer that cannot be handed on as it must be. */
export class UnusableAnswer extends Error {}

/** The subprotocol that a handshake is answered with where the backend chose none (RFC 6455, section 4.2.2). */
const SUBPROTOCOL = "sec-websocket-protocol";

/** @type {(field: [name: string, value: string]) => boolean} */
const isOfHandshake = ([name]) => name === SUBPROTOCOL;

/** Statuses whose answers have no body (Fetch, "null body status"). */
const NULL_BODY = [204, 205, 304];

/** Reason phrases that a Response can be made with; HTTP also knows TAB and bytes above ASCII (RFC 9112, section 4). */
const PLAIN_PHRASE = /^[ -~]*$/;

/**
 * Takes off what the answer's Connection names (RFC 9110, section 7.6.1), keeps shared caches and what speaks for the whole
 * origin out, and makes the route's edits.
 * @param {Response} answer
 * @param {number} status
 * @param {Edits} edits
 * @param {number} backendMs
 * @param {number} totalMs
 */
export function editAnswer(answer, status, edits, backendMs, totalMs) {
  const { headers } = answer;
  const own = ownEdits(headers, edits);
  const { connection, cacheControl, remove, cookies } = own;
  const isOpen = cacheControl !== undefined || remove.length > 0 || cookies !== undefined;
  const { replacesCors, varyOrigin, serverTiming, set } = edits;
  const isEdited = replacesCors || varyOrigin || serverTiming || set.length > 0;
  if (!isEdited && connection === null && !isOpen) return answer;
  // No Response can be made with such a status. It goes back as it is, unless that would tell too much.
  if (status > 599) {
    const tellsOthers = isOpen && (remove.length > 0 || cookies !== undefined || headers.has("cache-control"));
    if (tellsOthers || (replacesCors && [...headers.keys()].some(isOfCors))) throw new UnusableAnswer();
    return answer;
  }
  if (status === 101) {
    const chosen = headers.has(SUBPROTOCOL) ? undefined : set.find(isOfHandshake);
    if (!isOpen && chosen === undefined) return answer;
    const upgraded = new Response(null, { status, headers, webSocket: answer.webSocket });
    editOwn(upgraded.headers, own);
    if (chosen !== undefined) upgraded.headers.set(...chosen);
    return upgraded;
  }
  const bodiless = NULL_BODY.includes(status);
  // Some backends send one all the same; no Response can be made with it.
  if (bodiless) discard(answer);
  const init = PLAIN_PHRASE.test(answer.statusText) ? answer : { status, headers };
  const edited = new Response(bodiless ? null : answer.body, init);
  const fields = edited.headers;
  if (connection !== null) {
    // Looked up among the answer's own: it may name thousands that are not there.
    const listed = new Set(
      connection
        .toLowerCase()
        .split(",")
        .map((name) => name.trim()),
    );
    for (const name of [...new Set(fields.keys())]) if (name === "connection" || listed.has(name)) fields.delete(name);
  }
  // What Connection named may have been what kept caches out.
  editOwn(fields, connection === null ? own : ownEdits(fields, edits));
  editFields(fields, edits);
  if (serverTiming) {
    fields.append("server-timing", `gateway;dur=${totalMs - backendMs}, backend;dur=${backendMs}`);
  }
  return edited;
}

/**
 * Makes the edits of the route.
 * @param {Headers} headers
 * @param {Pick<Edits, "replacesCors" | "varyOrigin" | "set">} edits
 */
export function editFields(headers, { replacesCors, varyOrigin, set }) {
  if (replacesCors) {
    for (const name of [...headers.keys()]) if (isOfCors(name)) headers.delete(name);
  }
  if (varyOrigin) headers.append("vary", "Origin");
  for (const field of set) {
    const [name, value] = field;
    // Of an answer that is no handshake's.
    if (isOfHandshake(field)) continue;
    // Lists: a backend's own limits go on being told beside ours.
    if (name.startsWith("ratelimit")) headers.append(name, value);
    else headers.set(name, value);
  }
}

/**
 * Where a route has a policy, it says all of these, and the backend none.
 * @type {(name: string) => boolean}
 */
const isOfCors = (name) => name.startsWith("access-control-");

/**
 * Whether it is an answer at all: the runtime hands on what a backend sent, also 103, 099 and a 101 that is no WebSocket.
 * @param {Response} answer
 * @param {number} status
 */
export function isFinal(answer, status) {
  return status === 101 ? Boolean(answer.webSocket) : status >= 200 && status <= 999;
}

/**
 * Gives up an answer that nobody gets: unread, its body would hold a connection.
 * @param {Response | undefined} answer
 */
export function discard(answer) {
  answer?.body?.cancel().catch(() => {});
}
