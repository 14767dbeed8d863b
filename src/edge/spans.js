// The gateway's own parts in a request, as spans of the platform's tracing (Workers, "Custom spans"), with OpenTelemetry's
// names. Off unless the configuration asks for them: then each is a call of the runtime, also in a request that the platform
// does not trace.

/**
 * @typedef {object} Span
 * @property {boolean} isTraced
 * @property {(name: string, value: string | number | boolean) => void} setAttribute
 */

/**
 * What the platform offers. A span ends when the promise that `act` returns is settled.
 * @typedef {object} Tracing
 * @property {<T>(name: string, act: (span: Span) => T) => T} enterSpan
 */

/** @typedef {Record<string, string | number | undefined>} Attributes */

/** @type {Tracing | undefined} */
let tracing;

/**
 * Takes the platform's tracing; nothing where it is not wanted, or of another form than this one.
 * @param {unknown} own
 */
export function installSpans(own) {
  const candidate = /** @type {Partial<Tracing> | undefined} */ (own);
  tracing = typeof candidate?.enterSpan === "function" ? /** @type {Tracing} */ (candidate) : undefined;
}

/** Whether there are spans: the usual request makes nothing that only they need. */
export const hasSpans = () => tracing !== undefined;

/**
 * What `act` returns, in a span. Whether there are spans at all is asked before.
 * @template T
 * @param {string} name
 * @param {() => Attributes} attributes asked for only where the request is traced
 * @param {(span: Span) => T} act
 * @returns {T}
 */
function inSpan(name, attributes, act) {
  return /** @type {Tracing} */ (tracing).enterSpan(name, (span) => {
    if (span.isTraced) tell(span, attributes());
    return act(span);
  });
}

/**
 * @param {Span} span
 * @param {Attributes} attributes
 */
function tell(span, attributes) {
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) span.setAttribute(name, value);
}

/** @type {() => Attributes} */
const nothing = () => ({});

/**
 * The part of a request in which it waits to be decided: its credential is looked up or verified, and what hangs on it. There
 * is none where everything is in memory, since that takes no time that the platform's clock tells.
 * @template T
 * @param {Promise<T>} decided
 * @returns {Promise<T>}
 */
export const inAuthenticationSpan = (decided) =>
  tracing === undefined ? decided : inSpan("authenticate", nothing, () => decided);

/**
 * A look-up of a record (OpenTelemetry, "Database client span"). Of the record's name its kind alone is told: the rest names
 * a customer, or is the digest of a key.
 * @template T
 * @param {string} system
 * @param {string} name
 * @param {() => Promise<T>} act
 */
export function inLookUpSpan(system, name, act) {
  if (tracing === undefined) return act();
  const [kind] = name.split(":", 1);
  const attributes = { "db.system.name": system, "db.operation.name": "get", "db.collection.name": kind };
  return inSpan(`get ${kind}`, () => attributes, act);
}

/**
 * A call over HTTP (OpenTelemetry, "HTTP client span"). Of the URL it has the origin alone: path and query may hold secrets.
 * @param {string} method
 * @param {string} url
 * @param {number | undefined} attempt its number, where calls like it may have been made before
 * @param {() => Promise<Response>} call
 */
export function inClientSpan(method, url, attempt, call) {
  if (tracing === undefined) return call();
  const attributes = () => {
    const { protocol, hostname, port } = new URL(url);
    return {
      "http.request.method": method,
      "server.address": hostname,
      "server.port": Number(port) || (protocol === "http:" ? 80 : 443),
      "url.scheme": protocol.slice(0, -1),
      "http.request.resend_count": attempt === undefined || attempt < 2 ? undefined : attempt - 1,
    };
  };
  return inSpan(method, attributes, (span) => (span.isTraced ? told(span, call()) : call()));
}

/**
 * @param {Span} span
 * @param {Promise<Response>} called
 */
async function told(span, called) {
  try {
    const answer = await called;
    span.setAttribute("http.response.status_code", answer.status);
    if (answer.status >= 400) span.setAttribute("error.type", `${answer.status}`);
    return answer;
  } catch (error) {
    // The kind alone: the runtime's words may quote the URL.
    span.setAttribute("error.type", /** @type {object | undefined} */ (error)?.constructor?.name ?? "_OTHER");
    throw error;
  }
}
