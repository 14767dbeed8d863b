// `pointsman deploy`: checks, creates what is missing, deploys by wrangler, sends one request, and says what it saw.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { compile, filesOf } from "./compile.mjs";
import { Failure } from "./failure.mjs";
import { shown, toolsOf } from "./project.mjs";
import { askSecret } from "./prompt.mjs";
import { bold, dim, green, note, say, yellow } from "./say.mjs";
import { firstAnswer } from "./smoke.mjs";
import { show } from "./subcommand.mjs";
import { wranglerOf } from "./wrangler.mjs";
import { isMissing, withNamespace } from "./wrangler-file.mjs";

/** @import { Project, WranglerConfig } from "./project.mjs" */
/** @import { WranglerProgram } from "./wrangler.mjs" */

const KV = "POINTSMAN_KV";
const LEDGER = "LEDGER";

/**
 * @param {Project} project
 * @param {{ dryRun: boolean, data: string }} options
 */
export async function deploy(project, { dryRun, data }) {
  const tools = toolsOf(project);
  const wrangler = wranglerOf(project, tools);
  const config = tools
    .wrangler()
    .unstable_readConfig({ config: project.wrangler, env: project.environment }, { hideWarnings: true });
  const place = project.environment === undefined ? "" : `, environment ${project.environment}`;
  say(`${bold(config.name ?? "the gateway")}${place}${dryRun ? dim("  dry run: nothing is changed outside") : ""}`);

  await check(project, config, data);
  await namespace(project, config, wrangler, dryRun);
  const secrets = await missingSecrets(config, wrangler, dryRun);
  const deployed = await upload(project, wrangler, { dryRun, secrets });
  if (dryRun) return void say(green("everything that can be checked here is in order"));

  const { form } = await compile(project);
  const [url] = deployed.urls;
  if (url === undefined)
    say(yellow("wrangler names no address, so no request was sent: give the Worker a route, or workers_dev"));
  else await report(url, form);
  sayWayBack(project, config, deployed);
}

/**
 * @param {Project} project
 * @param {WranglerConfig} config
 * @param {string} data
 */
async function check(project, config, data) {
  const withData = existsSync(join(project.root, data)) ? ["--data", data] : [];
  const code = await show(["check", project.gateway, ...withData, ...filesOf(project)], { cwd: project.root });
  if (code !== 0) throw new Failure("the check found faults: nothing was deployed");
  const examples = Object.entries(config.vars).filter(([, value]) => isExample(value));
  if (examples.length === 0) return;
  const table = project.environment === undefined ? "vars" : `env.${project.environment}.vars`;
  throw new Failure(
    `${shown(project.wrangler)}, ${project.wrangler.endsWith(".toml") ? `[${table}]` : table}: these are still the example's values; nothing was deployed`,
    {
      advice: examples.map(([name, value]) => `${name} = ${JSON.stringify(value)}`),
    },
  );
}

/**
 * Whether it is a host that nobody can have: RFC 2606 keeps it for examples.
 * @param {unknown} value
 */
const isExample = (value) => {
  const host = typeof value === "string" && URL.canParse(value) ? new URL(value).hostname : "";
  return /(^|\.)example\.(com|net|org)$/.test(host);
};

/**
 * Creates the KV namespace where wrangler's file has no id, and writes the id there.
 * @param {Project} project
 * @param {WranglerConfig} config
 * @param {WranglerProgram} wrangler
 * @param {boolean} dryRun
 */
async function namespace(project, config, wrangler, dryRun) {
  const bound = config.kv_namespaces.find(({ binding }) => binding === KV);
  if (bound === undefined || !isMissing(bound.id)) return;
  const title = `${config.name}-${KV}`;
  const file = shown(project.wrangler);
  if (dryRun) return note(`would create the KV namespace ${title}, and write its id into ${file}`);
  const id = (await wrangler.namespaceId(title)) ?? (await wrangler.createNamespace(title));
  const { environment } = project;
  const text = readFileSync(project.wrangler, "utf8");
  writeFileSync(project.wrangler, withNamespace(basename(project.wrangler), text, { environment, binding: KV, id }));
  say(`KV namespace ${title}: ${id}, written into ${file}. Commit that file`);
}

/**
 * Values of the secrets that the Worker does not have yet.
 * @param {WranglerConfig} config
 * @param {WranglerProgram} wrangler
 * @param {boolean} dryRun
 * @returns {Promise<Record<string, string>>}
 */
async function missingSecrets(config, wrangler, dryRun) {
  const required = config.secrets?.required ?? [];
  if (required.length === 0) return {};
  if (dryRun) {
    note(
      `needs ${required.length === 1 ? "the secret" : "the secrets"} ${required.join(", ")}: asks for what the Worker does not have`,
    );
    return {};
  }
  const there = await wrangler.secretNames();
  const missing = required.filter((name) => !there.includes(name));
  if (missing.length === 0) return {};
  say(`The Worker lacks ${missing.length === 1 ? "a secret" : "secrets"}: ${missing.join(", ")}`);
  if (!process.stdin.isTTY)
    throw new Failure("there is no terminal to ask for them: nothing was deployed", {
      advice: missing.map((name) => `npx wrangler secret put ${name}${wrangler.environmentFlag} < FILE`),
    });
  /** @type {Record<string, string>} */
  const values = {};
  for (const name of missing) values[name] = await askSecret(`${name}: `);
  return values;
}

/**
 * @param {Project} project
 * @param {WranglerProgram} wrangler
 * @param {{ dryRun: boolean, secrets: Record<string, string> }} order
 */
async function upload({ state }, wrangler, { dryRun, secrets }) {
  mkdirSync(state, { recursive: true });
  const file = join(state, "secrets.json");
  const more = dryRun ? ["--dry-run", "--outdir", join(state, "dry-run")] : [];
  // With the version that needs them, so that no version is ever without.
  if (Object.keys(secrets).length > 0) more.push("--secrets-file", file);
  try {
    if (Object.keys(secrets).length > 0) writeFileSync(file, JSON.stringify(secrets), { mode: 0o600, flag: "wx" });
    return await wrangler.deploy(more);
  } finally {
    rmSync(file, { force: true });
  }
}

/**
 * Sends one request, without a credential, and says what came back.
 * @param {string} url
 * @param {string | undefined} form
 */
async function report(url, form) {
  const health = form === undefined ? undefined : JSON.parse(form).operator?.health;
  const address = new URL(typeof health === "string" ? health : "/", url).href;
  const seen = await firstAnswer(address);
  say(`GET ${address}  →  ${seen.text}`);
  if (!seen.isGateway)
    throw new Failure("that is no answer of the gateway's", {
      advice: [seen.advice ?? "Look at its log: npx wrangler tail", "To go back: npx wrangler rollback"],
    });
  say(green("the gateway answers"));
}

/**
 * @param {Project} project
 * @param {WranglerConfig} config
 * @param {{ version: string | undefined }} deployed
 */
function sayWayBack({ environment }, config, { version }) {
  const flag = environment === undefined ? "" : ` --env ${environment}`;
  say(`\n${bold("Back")}  npx wrangler rollback${flag}${version ? dim(`   from version ${version}`) : ""}`);
  note("brings code, gateway.toml and variables of the version before, within seconds and without a build");
  note("leaves customers and keys as they are: those of KV and of the ledger are of no version");
  if (config.durable_objects.bindings.some(({ name }) => name === LEDGER))
    note("cannot go back past the first deployment with the ledger's migration: docs/deploy.md");
}
