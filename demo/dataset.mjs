// A dataset of Workers Analytics Engine on this machine: Miniflare's own takes points and forgets them.

/** @import { WorkerOptions } from "miniflare" */
/** @import { MetricsPoint } from "./types.d.ts" */

const DATASET = "metrics-dataset";

/** What the gateway is bound to: `overrides` of `startGateway`. */
export const datasetBinding = { wrappedBindings: { METRICS: { scriptName: DATASET } } };

// As the platform's: it returns at once, and nothing of it reaches whoever wrote the point.
const SCRIPT = `export default ({ TAKE }) => ({
  writeDataPoint(point) {
    TAKE.fetch("http://dataset/", { method: "POST", body: JSON.stringify(point) }).catch(() => {});
  },
});`;

/**
 * The Worker behind the binding: `workers` of `startGateway`.
 * @param {(point: MetricsPoint) => void} take is told each point
 * @returns {WorkerOptions}
 */
export const datasetWorker = (take) => ({
  name: DATASET,
  modules: true,
  script: SCRIPT,
  serviceBindings: {
    TAKE: async (/** @type {{ json(): Promise<unknown> }} */ request) => {
      take(/** @type {MetricsPoint} */ (await request.json()));
      return new Response(null, { status: 204 });
    },
  },
});
