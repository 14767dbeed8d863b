// A point of metrics for each request, in the dataset of Workers Analytics Engine that is bound as METRICS. docs/metrics.md
// describes a point; a change of what stands where is a new SCHEMA.

/** The version of what a point holds: its first blob. */
export const SCHEMA = "1";

/** An index may have 96 bytes (Workers Analytics Engine, "Limits"). */
const MOST_INDEX_BYTES = 96;

/** All blobs of a point together may have 16 KB, and a client chooses how long its method is. */
const MOST_CHARACTERS = 256;

/** @type {Pick<AnalyticsEngineDataset, "writeDataPoint"> | undefined} */
let dataset;
let configuration = "";
/** @type {string | undefined} */
let colo;
/**
 * SHA-256 as hexadecimal digits, by the core: WebCrypto has no answer before the request has ended.
 * @type {(text: string) => string}
 */
let digest;

/**
 * Takes the dataset, where there is one.
 * @param {Record<string, unknown>} env
 * @param {string} version of the configuration
 * @param {(text: string) => string} digestOf
 */
export function installMetrics(env, version, digestOf) {
  const bound = /** @type {AnalyticsEngineDataset | undefined} */ (env.METRICS);
  dataset = typeof bound?.writeDataPoint === "function" ? bound : undefined;
  configuration = version;
  digest = digestOf;
  return dataset !== undefined;
}

/**
 * Notes where the isolate runs: the first request says it for all.
 * @param {Request} request
 */
export function noteColo(request) {
  if (dataset === undefined || colo !== undefined) return;
  colo = String(request.cf?.colo ?? "");
}

/**
 * The numbers of a point: those of the request's end, which need not be read out of its line.
 * @typedef {object} Numbers
 * @property {number} status
 * @property {number} duration in milliseconds, as the next two
 * @property {number} backend
 * @property {number} waited
 * @property {number} attempts
 * @property {number} [sent] bytes, as the next one
 * @property {number} [received]
 */

/** Whether points are written: what only they need is not gathered for nobody. */
export const isMeasured = () => dataset !== undefined;

/**
 * Writes the point of a request, of which `line` is the line of the log. Never throws: the request has ended.
 * @param {string} line
 * @param {Numbers} numbers
 */
export function writePoint(line, numbers) {
  try {
    dataset?.writeDataPoint(pointOf(line, numbers));
  } catch {
    // A point that the platform does not take is lost. The log has the request all the same.
  }
}

/**
 * @param {string} line
 * @param {Numbers} numbers
 * @returns {AnalyticsEngineDataPoint}
 */
function pointOf(line, { status, duration, backend, waited, attempts, sent = 0, received = 0 }) {
  const customer = member(line, "customer");
  return {
    indexes: [indexOf(customer)],
    blobs: [
      SCHEMA,
      customer,
      member(line, "route"),
      member(line, "rule"),
      member(line, "variant"),
      member(line, "backend"),
      member(line, "origin"),
      member(line, "key"),
      member(line, "auth"),
      member(line, "reason"),
      `${Math.trunc(status / 100)}xx`,
      colo ?? "",
      configuration,
      member(line, "method"),
      member(line, "unverified_customer"),
    ],
    doubles: [1, status, duration, backend, waited, attempts, sent, received],
  };
}

/**
 * A text in the line; empty where it has none of that name. The line is our own, so that it need not be parsed, which would
 * be a dear call more: a quote within a text is escaped, so what looks like the beginning of a member is one.
 * @param {string} line
 * @param {string} name
 */
function member(line, name) {
  const opening = `,"${name}":"`;
  const at = line.indexOf(opening);
  if (at < 0) return "";
  const from = at + opening.length;
  const end = line.indexOf('"', from);
  const text = line.slice(from, end);
  return (text.includes("\\") ? escaped(line, from) : text).slice(0, MOST_CHARACTERS);
}

/**
 * A text that holds escapes.
 * @param {string} line
 * @param {number} from
 * @returns {string}
 */
function escaped(line, from) {
  let end = from;
  while (line[end] !== '"') end += line[end] === "\\" ? 2 : 1;
  return JSON.parse(line.slice(from - 1, end + 1));
}

/**
 * What a customer's points are sampled by, and read quickest by.
 * @param {string} customer
 */
function indexOf(customer) {
  // No text has more bytes than three times its UTF-16 code units.
  if (customer.length * 3 <= MOST_INDEX_BYTES) return customer;
  const { length } = new TextEncoder().encode(customer);
  return length <= MOST_INDEX_BYTES ? customer : `sha256:${digest(customer)}`;
}
