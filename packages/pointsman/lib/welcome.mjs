// What `pointsman start` prints when the gateway is up.
import { basename } from "node:path";
import { shown } from "./project.mjs";
import { sentenceOf } from "./reach.mjs";
import { bold, cyan, dim, yellow } from "./say.mjs";
import { curlLine } from "./try-it.mjs";

/** @import { Form } from "./form.mjs" */
/** @import { Project } from "./project.mjs" */
/** @import { Unreachable } from "./reach.mjs" */
/** @import { Offer } from "./try-it.mjs" */

/**
 * @param {{ project: Project, url: string, form: Form, offers: Offer[], demo: boolean, missing: string[], made: string[], unreachable: Unreachable[] }} parts
 *   `missing` are sentences; `made` are the variables for which the demo has values
 */
export function welcome({ project, url, form, offers, demo, missing, made, unreachable }) {
  const place = project.environment === undefined ? "" : `, environment ${project.environment}`;
  const lines = ["", `${bold("Gateway")}  ${url}   ${dim(`${basename(project.root)}${place}`)}`];
  lines.push(...routeLines(form));
  if (demo)
    lines.push(
      dim("  --demo: every backend, issuer and config API of gateway.toml is answered on this machine"),
      ...(made.length > 0 ? [dim(`  --demo: has values for ${made.join(", ")}, which are set nowhere`)] : []),
    );
  if (offers.length > 0) lines.push("", bold("Try"));
  const width = Math.max(0, ...offers.map(({ about }) => about.length));
  for (const offer of offers) {
    lines.push(`  ${offer.about.padEnd(width)}  ${cyan(offer.expect)}`, curlLine(url, offer));
    if (offer.missing) lines.push(dim(`  ${offer.missing}`));
  }
  if (missing.length + unreachable.length > 0) lines.push("", bold(yellow("Missing")));
  for (const sentence of missing) lines.push(`  ${sentence}`);
  for (const one of unreachable) lines.push(`  ${sentenceOf(one)}`);
  if (unreachable.length > 0 && !demo) lines.push(dim("  npm start -- --demo answers in place of all of them"));
  const watched = ["gateway.toml", basename(project.wrangler), ".dev.vars", "data/", "the main module"];
  lines.push(
    "",
    dim(`watching ${watched.join(", ")} in ${shown(project.root)}; Ctrl-C ends it`),
    dim("another key for this machine: npx pointsman keys create --local --help"),
    "",
  );
  return lines;
}

/** @param {Form} form */
function routeLines({ routes, backends, issuers }) {
  const width = Math.max(0, ...routes.map(({ path }) => path.length));
  return routes.map(({ path, api_key, issuers: accepted, anonymous, rules }) => {
    const callers = [
      ...(api_key ? ["API keys"] : []),
      ...accepted.map((index) => `tokens of ${issuers[index].name}`),
      ...(anonymous ? ["anonymous"] : []),
    ];
    const targets = new Set(rules.map(({ to }) => targetName(to, backends)).filter(Boolean));
    return `  ${path.padEnd(width)}  ${callers.join(", ")}  ${dim("→")} ${[...targets].join(", ")}`;
  });
}

/**
 * @param {unknown} to
 * @param {Form["backends"]} backends
 */
function targetName(to, backends) {
  if (typeof to === "number") return backends[to]?.name;
  return to === "customer" ? "the customer's own backend" : undefined;
}
