// What of log, metrics and traces is set up once an isolate, by the core.
import * as workers from "cloudflare:workers";
import { installLog } from "./finish.js";
import { installMetrics } from "./metrics.js";
import { installSpans } from "./spans.js";

/**
 * Sets everything up; true where a dataset for metrics is bound.
 * @param {Record<string, unknown>} env
 * @param {boolean} details whether each line of the log has details
 * @param {number} logged millionths of the successful requests that have a line
 * @param {boolean} spans whether the platform's traces show the gateway's parts
 * @param {string} version of the configuration
 * @param {(text: string) => string} digest SHA-256 of a text
 */
export function installTelemetry(env, details, logged, spans, version, digest) {
  installLog(details, logged);
  // A member of the namespace: an import by name of what an older runtime lacks would keep the Worker from starting.
  installSpans(spans ? /** @type {{ tracing?: unknown }} */ (workers).tracing : undefined);
  return installMetrics(env, version, digest);
}
