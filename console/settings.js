// The console's variables, checked once. What is missing or half set keeps the whole console shut.
import { isOperatorSecret } from "./core.js";
import { parseToShow } from "./json.js";

/** @import { Bindings, Configuration, Metrics, Settings } from "./types.d.ts" */

const MADE = "and be a secret that `pointsman secret create` made";

/**
 * { settings }, or { fault }: what to set, for the log.
 * @param {Bindings} env
 * @param {Configuration} compiled
 * @returns {{ settings: Settings, fault?: undefined } | { settings?: undefined, fault: string }}
 */
export function settingsOf(env, compiled) {
  const secret = env.CONSOLE_SECRET ?? "";
  const operatorSecret = env.OPERATOR_SECRET || undefined;
  if (!isOperatorSecret(secret)) return { fault: `the sign-in secret, CONSOLE_SECRET, must be set, ${MADE}` };
  if (operatorSecret && !isOperatorSecret(operatorSecret))
    return { fault: `the operator secret, OPERATOR_SECRET, must be the gateway's or left out, ${MADE}` };
  const [team, audience] = [env.ACCESS_TEAM_DOMAIN || undefined, env.ACCESS_AUD || undefined];
  if ((team === undefined) !== (audience === undefined)) {
    return {
      fault: `${team ? "ACCESS_AUD" : "ACCESS_TEAM_DOMAIN"} must be set too, or neither: half of it would check nothing`,
    };
  }
  if (team && !/^[0-9a-z-]+(\.[0-9a-z-]+)+$/.test(team))
    return { fault: "ACCESS_TEAM_DOMAIN must be a host, such as team.cloudflareaccess.com" };
  const { POINTSMAN_KV: store, GATEWAY: gateway } = env;
  if (!store) return { fault: "the binding POINTSMAN_KV is missing" };
  if (!gateway) return { fault: "the binding GATEWAY is missing" };

  const { metrics, lacks: metricsLacks, fault: metricsFault } = metricsOf(env);
  if (metricsFault !== undefined) return { fault: metricsFault };

  let gatewayUrl;
  try {
    gatewayUrl = new URL(env.GATEWAY_URL || "https://gateway.internal");
  } catch {
    return { fault: "GATEWAY_URL must be a URL, such as https://api.example.com" };
  }
  let configuration = compiled;
  try {
    if (env.CONFIGURATION) configuration = /** @type {Configuration} */ (parseToShow(env.CONFIGURATION));
  } catch {
    return { fault: "CONFIGURATION must be the JSON that `pointsman compile --as-written` prints" };
  }
  // As the gateway's own: what gateway.toml leaves to a variable is that variable's value here.
  const allowHttp = String(configuration.allow_http ?? "never").replace(/^\$\{(\w+)\}$/, (_, name) =>
    String(env[name] ?? "never"),
  );
  const settings = {
    secret,
    access: team && audience ? { team, audience } : undefined,
    operatorSecret,
    gatewayUrl,
    configuration,
    allowHttp,
    store,
    gateway,
    metrics,
    metricsLacks,
  };
  return { settings };
}

/** Where the SQL API of Workers Analytics Engine is asked, and which dataset. */
const METRICS_API = "https://api.cloudflare.com/client/v4";
const METRICS_DATASET = "pointsman";

/**
 * Where figures are asked; `lacks` names what is to be set before. A part of it is no fault: the pages say what is missing.
 * @param {Bindings} env
 * @returns {{ metrics: Metrics | undefined, lacks: string[], fault?: string }}
 */
function metricsOf(env) {
  const [account, token] = [env.CLOUDFLARE_ACCOUNT_ID || "", env.METRICS_TOKEN || ""];
  const lacks = [...(account ? [] : ["CLOUDFLARE_ACCOUNT_ID"]), ...(token ? [] : ["METRICS_TOKEN"])];
  const [dataset, api] = [env.METRICS_DATASET || METRICS_DATASET, env.METRICS_API || METRICS_API];
  const fault = (/** @type {string} */ what) => ({ metrics: undefined, lacks, fault: what });
  if (account && !/^[0-9a-f]{32}$/.test(account))
    return fault("CLOUDFLARE_ACCOUNT_ID must be the account's id, 32 hexadecimal digits");
  if (!/^\w+$/.test(dataset)) return fault("METRICS_DATASET must be the name of a dataset, such as pointsman");
  if (!/^https?:$/.test(URL.parse(api)?.protocol ?? "")) return fault("METRICS_API must be a URL, or be left out");
  const metrics = lacks.length === 0 ? { api: api.replace(/\/+$/, ""), account, token, dataset } : undefined;
  return { metrics, lacks };
}
