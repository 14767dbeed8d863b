// Bodies of requests on their way to a backend, watched for whether it is the client that breaks them off: a call fails
// with the same words whoever ended it.

/** @import { Incoming, Outgoing } from "./glue.js" */

/** Whichever of a call and its body fails so soon after the other has failed for the same reason: the call's. */
const GRACE = 10;
/** A body up to here counts as whole where its client was sending when the call failed. */
const SHORT = 64 * 1024;
const BODILESS = ["GET", "HEAD"];

/**
 * A body on its way.
 * @typedef {object} Upload
 * @property {() => Promise<boolean>} hasComeWhole whether the client has done its part, asked when the call has failed: all
 *   of its body was taken, or the client was sending the rest of a short one. A client who holds back the rest is waited
 *   for by the pipe, which does not fail then.
 * @property {Outgoing} incoming what is sent in place of the request
 */

/**
 * Puts a pipe of the runtime's between a request and its call, or gives undefined where nothing can break off: there is
 * no body, or an empty one. For GET and HEAD too, since Fetch takes their bodies only with the Request that they came in.
 *
 * `onBreak` is called when the body has failed and the call has not: then the client has broken it off. It says whether
 * the call may be ended, which it may not where its answer was handed on. The pipe keeps the body's length, or its having
 * none. Without it the runtime would also end a chunked body properly that a reset cut off, and a backend would take what
 * came for the whole.
 * @param {Incoming} incoming
 * @param {() => boolean} onBreak
 */
export function openUpload({ request, method, headers, fields }, onBreak) {
  if (BODILESS.includes(method)) return undefined;
  const { body, signal } = request;
  if (body === null) return undefined;
  const length = fields.has("transfer-encoding") ? null : fields.get("content-length");
  const isSized = length !== null && /^\d{1,15}$/.test(length);
  if (isSized && Number(length) === 0) return undefined;
  const pipe = isSized ? new FixedLengthStream(Number(length)) : new IdentityTransformStream();
  // Ended by itself, a pipe without a length would make a whole body of what came: it needs a signal.
  const ender = isSized ? undefined : new AbortController();
  const cut = () => (isSized ? pipe.writable.abort().catch(() => {}) : ender?.abort());
  let isWhole = false;
  let isCut = false;
  /** @type {Upload} */
  const upload = {
    async hasComeWhole() {
      await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, GRACE))]);
      return isWhole || (isCut && isSized && Number(length) <= SHORT && !signal.aborted);
    },
    incoming: { request: { body: pipe.readable }, method, headers, signal: ender?.signal },
  };
  const fails = () => {
    // Ended, the call fails as if the backend had broken off: so not before it is known whose fault it is. An answer
    // that is under way would be cut short, unless nobody is left to hear it.
    if (onBreak() || isSized || signal.aborted) cut();
  };
  const settled = body.pipeTo(pipe.writable, { preventAbort: true }).then(
    () => (isWhole = true),
    () => {
      isCut = true;
      if (signal.aborted) fails();
      else setTimeout(fails, GRACE);
    },
  );
  return upload;
}
