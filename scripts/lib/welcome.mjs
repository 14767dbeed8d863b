import { curl } from "./curl.mjs";
import { bold, cyan, dim } from "./say.mjs";

/** @import { Example, ExampleRequest, World } from "../../demo/types.d.ts" */

/** @type {(expect: ExampleRequest["expect"]) => string} */
const outcome = (expect) => (typeof expect === "number" ? `${expect}, no backend called` : `→ ${expect}`);

/**
 * The lines that `npm start` prints when the gateway is up.
 * @param {{ url: string, examples: Example[], backends: World["backends"], console?: { url: string, secret: string },
 *   metrics: { account: string, token: string, url: string } }} parts
 */
export function welcome({ url, examples, backends, console: operators, metrics }) {
  const width = Math.max(...examples.map((example) => (example.group === undefined ? example.about.length : 0)));
  const lines = [];
  for (const example of examples) {
    if (example.group !== undefined) {
      lines.push("", bold(example.group));
    } else {
      lines.push(`  ${example.about.padEnd(width)}  ${cyan(outcome(example.expect))}`, curl(url, example));
    }
  }
  lines.push("", bold("The backends, without the gateway"));
  const hostWidth = Math.max(...backends.map(({ host }) => host.length));
  for (const backend of backends) lines.push(`  ${backend.host.padEnd(hostWidth)}  curl -s ${backend.url}/hello`);
  lines.push(
    "",
    `${bold("Gateway")}  ${url}`,
    operators
      ? `${bold("Console")}  ${operators.url}  sign-in secret: ${operators.secret}`
      : dim("  the operators' console too: npm start -- --console"),
    dim("  what happened, by metrics that are kept while this runs:"),
    dim(`    export CLOUDFLARE_ACCOUNT_ID=${metrics.account} CLOUDFLARE_API_TOKEN=${metrics.token}`),
    dim(`    export CLOUDFLARE_API_BASE_URL=${metrics.url} METRICS_DATASET=pointsman; npm run pointsman -- usage`),
    dim("  what KV holds: npx wrangler kv key list --local --binding POINTSMAN_KV"),
    dim("  watching src/, Cargo.toml, gateway.toml and wrangler.toml; Ctrl-C ends everything"),
    "",
  );
  return lines;
}
