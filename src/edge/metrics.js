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
 * Writes the point of a request, of which `line` is the line of the log. Never throws: the request has ended.
 * @param {string} line
 * @param {number} waitedMs
 */
export function writePoint(line, waitedMs) {
  if (dataset === undefined) return;
  try {
    dataset.writeDataPoint(pointOf(JSON.parse(line), waitedMs));
  } catch {
    // A point that the platform does not take is lost. The log has the request all the same.
  }
}

/** @type {(text: unknown) => string} */
const blob = (text) => (typeof text === "string" ? text.slice(0, MOST_CHARACTERS) : "");

/** @type {(number: unknown) => number} */
const double = (number) => (typeof number === "number" ? number : 0);

/**
 * @param {Record<string, unknown>} line
 * @param {number} waitedMs
 * @returns {AnalyticsEngineDataPoint}
 */
function pointOf(line, waitedMs) {
  const { customer, status } = line;
  return {
    indexes: [indexOf(blob(customer))],
    blobs: [
      SCHEMA,
      blob(customer),
      blob(line.route),
      blob(line.rule),
      blob(line.variant),
      blob(line.backend),
      blob(line.origin),
      blob(line.key),
      blob(line.auth),
      blob(line.reason),
      `${Math.trunc(double(status) / 100)}xx`,
      colo ?? "",
      configuration,
      blob(line.method),
      blob(line.unverified_customer),
    ],
    doubles: [
      1,
      double(status),
      double(line.duration_ms),
      double(line.backend_ms),
      waitedMs,
      double(line.attempt),
      double(line.request_bytes),
      double(line.response_bytes),
    ],
  };
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
