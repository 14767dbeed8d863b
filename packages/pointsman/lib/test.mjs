// `pointsman test`: the check, the project's cases offline, and the same cases by a gateway in workerd.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { question } from "./ask-gateway.mjs";
import { bundle } from "./bundle.mjs";
import { CASES, readCases } from "./cases.mjs";
import { compile, filesOf, tomlAsJson, writeModule } from "./compile.mjs";
import { entriesOf, write } from "./data.mjs";
import { unmet } from "./expect.mjs";
import { Failure } from "./failure.mjs";
import { filledIn, variablesIn } from "./form.mjs";
import { toolsOf } from "./project.mjs";
import { startRuntime } from "./runtime.mjs";
import { bold, green, red, say, yellow } from "./say.mjs";
import { ask, show } from "./subcommand.mjs";

/** @import { Project } from "./project.mjs" */
/** @import { Case } from "./cases.mjs" */
/** @import { Runtime } from "./runtime.mjs" */
/** @import { Form } from "./form.mjs" */

/** The variable by which the gateway under test gets an operator's secret; gateway.toml may have none. */
const SECRET = "POINTSMAN_TEST_SECRET";

/**
 * Runs all of it.
 * @param {Project} project
 * @param {{ data: string }} options
 */
export async function test(project, { data }) {
  const { root, gateway } = project;
  const hasData = existsSync(join(root, data));
  const withData = hasData ? ["--data", data] : [];
  say(bold("check"));
  if ((await show(["check", gateway, ...withData, ...filesOf(project)], { cwd: root })) !== 0)
    throw new Failure("the check found faults");

  const cases = await readCases(project);
  if (cases.length === 0)
    throw new Failure(`${CASES}/ has no cases: nothing says where requests must go`, {
      advice: ['[[cases]] in cases/routing.toml: node_modules/pointsman/docs/operating.md, "Routing as a test"'],
    });
  say(`\n${bold(`${CASES}/, offline`)}`);
  const explain = ["explain", "--cases", CASES, "--gateway", gateway, ...withData, ...filesOf(project)];
  if ((await show(explain, { cwd: root })) !== 0) throw new Failure("not all cases are as expected");

  say(`\n${bold(`${CASES}/, in workerd`)}`);
  const failed = await inWorkerd(project, cases, data);
  if (failed > 0) throw new Failure(`${failed} of ${cases.length} cases are otherwise in workerd`);
}

/**
 * Asks a gateway that runs. Resolves to how many cases are otherwise than expected.
 * @param {Project} project
 * @param {Case[]} cases
 * @param {string} data
 */
async function inWorkerd(project, cases, data) {
  const { runtime, form, secret } = await open(project, data);
  let [failed, asked] = [0, 0];
  try {
    for (const one of cases) {
      const told = question(one, { secret, form });
      const name = `${one.place}${one.name ? `: ${one.name}` : ""}`;
      if ("problem" in told) {
        say(`${yellow("left out")}  ${name}: ${told.problem}`);
        continue;
      }
      asked += 1;
      const wrong = await answerTo(runtime, told, one);
      failed += wrong.length > 0 ? 1 : 0;
      say(wrong.length > 0 ? `${red("otherwise")} ${name}` : `${green("ok")}        ${name}`);
      for (const text of wrong) say(`          ${text}`);
    }
  } finally {
    await runtime.stop();
  }
  say(`${asked - failed} of ${asked} cases as expected`);
  return failed;
}

/**
 * What is otherwise than expected.
 * @param {Runtime} runtime
 * @param {{ url: string, method: string, headers: [string, string][] }} told
 * @param {Case} one
 */
async function answerTo({ miniflare }, { url, method, headers }, { expect }) {
  const response = await miniflare.dispatchFetch(url, { method, headers });
  const body = await response.text();
  if (response.status !== 200) return [`the gateway answers ${response.status} when asked: ${body.trim()}`];
  return unmet(JSON.parse(body), expect);
}

/**
 * The gateway with an operator's secret of this run, its records in memory, and nothing outside: the config API counts as one
 * that lists nobody, as offline.
 * @param {Project} project
 * @param {string} data
 */
async function open(project, data) {
  const tools = toolsOf(project);
  const { unstable_readConfig, unstable_getMiniflareWorkerOptions } = tools.wrangler();
  const config = unstable_readConfig({ config: project.wrangler, env: project.environment }, { hideWarnings: true });
  const { workerOptions, main, define, externalWorkers } = unstable_getMiniflareWorkerOptions(
    config,
    project.environment,
  );
  const { form, findings } = await compile(project, { anyVariable: true });
  if (form === undefined) throw new Failure("gateway.toml has faults", { advice: findings.split("\n") });
  writeModule(project, form);
  const { out: secret } = await ask(["secret", "create"], { cwd: project.root });
  const asked = await withSecret(project);
  const bundled = await bundle({ project, tools, main, define });
  const outside = nobody(form);
  const variables = variablesOf(asked, { ...Object(workerOptions.bindings), ...config.vars, [SECRET]: secret.trim() });
  const runtime = await startRuntime(
    { tools, port: 0, host: "127.0.0.1", onLine: () => {} },
    {
      modules: bundled.modules,
      form: asked,
      worker: workerOptions,
      beside: externalWorkers,
      variables,
      outside,
    },
  );
  await write(runtime, await entriesOf(project, data), []);
  return { runtime, secret: secret.trim(), form: filledIn(asked, variables) };
}

/**
 * The configuration with a secret of operators, which explains requests.
 * @param {Project} project
 */
async function withSecret(project) {
  const written = /** @type {{ operator?: object }} */ (await tomlAsJson(project, project.gateway));
  const operator = { ...written.operator, secret: `\${${SECRET}}` };
  const { form, findings } = await compile(project, {
    text: JSON.stringify({ ...written, operator }),
    anyVariable: true,
  });
  if (form === undefined) throw new Failure("the configuration cannot be tested", { advice: findings.split("\n") });
  return form;
}

/**
 * Texts for all variables: a secret that this machine lacks is no reason to test nothing.
 * @param {string} form
 * @param {Record<string, unknown>} set
 * @returns {Record<string, string>}
 */
const variablesOf = (form, set) =>
  Object.fromEntries(variablesIn(form).map((name) => [name, String(set[name] ?? `${name}-is-set-nowhere`)]));

/**
 * In place of the network: a config API that knows nobody.
 * @param {string} form
 * @returns {NonNullable<import("./runtime.mjs").Running["outside"]>}
 */
function nobody(form) {
  const { customers } = /** @type {Form} */ (JSON.parse(form));
  const { status, body } = customers?.source?.by_id ? { status: 404, body: "{}" } : { status: 200, body: "[]" };
  return (request, response) => {
    request.resume();
    response.writeHead(status, { "content-type": "application/json" }).end(body);
  };
}
