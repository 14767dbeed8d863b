// The console's variables, checked once. What is missing or half set keeps the whole console shut.
import { isOperatorSecret } from "./core.js";
import { parseToShow } from "./json.js";

/** @import { Bindings, Configuration, Settings } from "./types.d.ts" */

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
  };
  return { settings };
}
