// What operators have in `npm start`: their paths of the gateway, metrics, and the console with `-- --console`.
import { ACCOUNT, TOKEN } from "../../demo/analytics/stand-in.mjs";
import { consoleWorker } from "../../demo/console.mjs";
import { API_PATH, LEDGER_PATH } from "../../demo/examples.mjs";
import { OPERATOR_SECRET } from "../../demo/gateway.mjs";
import { CONSOLE_DEV_OUT } from "./console-build.mjs";
import { bundleConsole } from "./console-bundle.mjs";
import { inRoot } from "./paths.mjs";

/**
 * The configuration with operators' paths and their secret, where it has none: an example edits what the ledger holds, and
 * the console's Explain and Health need them.
 * @param {string} json
 */
export function withOperator(json) {
  const configuration = JSON.parse(json);
  const operator = {
    status: "/gateway/status",
    ledger: LEDGER_PATH,
    api: API_PATH,
    secret: "${OPERATOR_SECRET}",
    ...configuration.operator,
  };
  return JSON.stringify({ ...configuration, operator });
}

/** What gateway and console ask metrics with. */
export const METRICS = { CLOUDFLARE_ACCOUNT_ID: ACCOUNT, METRICS_TOKEN: TOKEN };

/**
 * Options of the console's Worker, on that port. What it calls over the network goes to `outside`, an address.
 * @param {string} configuration
 * @param {number} port
 * @param {string} outside
 */
export async function consoleWorkers(configuration, port, outside) {
  const folder = inRoot(CONSOLE_DEV_OUT);
  const script = await bundleConsole(configuration, folder);
  const outboundService = { external: { address: outside, http: {} } };
  return [consoleWorker({ folder, script, port, bindings: { OPERATOR_SECRET, ...METRICS }, outboundService })];
}
