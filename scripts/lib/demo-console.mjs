// The console in `npm start -- --console`.
import { consoleWorker } from "../../demo/console.mjs";
import { OPERATOR_SECRET } from "../../demo/gateway.mjs";
import { CONSOLE_DEV_OUT } from "./console-build.mjs";
import { bundleConsole } from "./console-bundle.mjs";
import { inRoot } from "./paths.mjs";

/**
 * The configuration with a status path and the operator's secret, where it has none: Explain and Health need them.
 * @param {string} json
 */
export function withOperator(json) {
  const configuration = JSON.parse(json);
  const operator = { status: "/gateway/status", secret: "${OPERATOR_SECRET}", ...configuration.operator };
  return JSON.stringify({ ...configuration, operator });
}

/**
 * Options of the console's Worker, on that port.
 * @param {string} configuration
 * @param {number} port
 */
export async function consoleWorkers(configuration, port) {
  const folder = inRoot(CONSOLE_DEV_OUT);
  const script = await bundleConsole(configuration, folder);
  return [consoleWorker({ folder, script, port, bindings: { OPERATOR_SECRET } })];
}
