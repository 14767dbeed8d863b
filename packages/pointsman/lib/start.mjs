// `pointsman start`: the user's gateway on this machine, in workerd, with the bindings of wrangler's file, and live at each save.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "./bundle.mjs";
import { CASES, readCases } from "./cases.mjs";
import { compile, writeModule } from "./compile.mjs";
import { bringIn, entriesOf } from "./data.mjs";
import { createDemo, demoVariables, mintToken } from "./demo.mjs";
import { Failure } from "./failure.mjs";
import { filledIn, variablesIn } from "./form.mjs";
import { hintFor } from "./hints.mjs";
import { openLocalKeys } from "./local-keys.mjs";
import { readable } from "./log-line.mjs";
import { faultsOf, missingHere } from "./missing.mjs";
import { needFreePort } from "./port.mjs";
import { toolsOf } from "./project.mjs";
import { sentenceOf, unreachable } from "./reach.mjs";
import { startRuntime, wranglerState } from "./runtime.mjs";
import { dim, green, red, say, stopwatch, yellow } from "./say.mjs";
import { offers } from "./try-it.mjs";
import { watch } from "./watch.mjs";
import { welcome } from "./welcome.mjs";

/** @import { Project, Tools } from "./project.mjs" */
/** @import { Running } from "./runtime.mjs" */
/** @import { Bundle } from "./bundle.mjs" */
/** @import { Unreachable } from "./reach.mjs" */

/** How often files are looked at, in milliseconds: a save is live within two of these and a restart of the runtime. */
const LOOK_EVERY = 150;

/**
 * @typedef {object} StartOptions
 * @property {boolean} demo
 * @property {number} port
 * @property {string} host
 * @property {string} data the folder with customers and keys
 */

/**
 * Starts it, and stays until it is ended.
 * @param {Project} project
 * @param {StartOptions} options
 */
export async function start(project, { demo: withDemo, port, host, data }) {
  await needFreePort(port, host);
  const tools = toolsOf(project);
  const demo = withDemo ? createDemo() : undefined;
  const persist = wranglerState(project.root);
  mkdirSync(persist, { recursive: true });
  const localKeys = openLocalKeys(project);

  let parts = await readAll(project, tools);
  if (parts.findings) say(parts.findings);
  let entries = await entriesOf(project, data);
  let { running, form, unset, made } = prepare(parts, demo?.handle);
  const runtime = await startRuntime({ tools, port, host, persist, onLine: print }, running);
  demo?.tell(form);

  /** Brings the records of this machine in line with the project's. */
  const fill = async () => {
    const offered = offers({ form, cases: await readCases(project), localKeys, mint: demo && mintToken });
    localKeys.save();
    const done = await bringIn(runtime, persist, [...entries, ...localKeys.entries()]);
    return { offered, done };
  };
  /** What is missing, of which nothing keeps the gateway from running. */
  const look = async () => {
    const [faults, silent] = await Promise.all([faultsOf(project), withDemo ? [] : unreachable(form)]);
    return { missing: missingHere(withDemo ? [] : unset, faults), unreachable: silent };
  };
  const [{ offered }, found] = await Promise.all([fill(), look()]);
  for (const line of welcome({ project, url: runtime.url, form, offers: offered, demo: withDemo, made, ...found }))
    say(line);
  let told = sentences(found);

  /** @param {string} what */
  const takeOver = async (what) => {
    const elapsed = stopwatch();
    if (what === "data") {
      entries = await entriesOf(project, data);
      const { done } = await fill();
      // Isolates that run would hear of it within seconds; new ones know it at once.
      if (done.written + done.deleted > 0) await runtime.reload();
      say(`${green(`${data}/ taken over`)} in ${elapsed()}: ${done.written} written, ${done.deleted} deleted`);
      return;
    }
    const next = await readAll(project, tools, what === "configuration" ? parts : undefined);
    // What was said once need not be said at each save.
    if (next.findings && next.findings !== parts.findings) say(next.findings);
    const prepared = prepare(next, demo?.handle);
    await runtime.reload(prepared.running);
    parts = next;
    ({ running, form, unset, made } = prepared);
    demo?.tell(form);
    say(`${green("live")} in ${elapsed()}`);
    const [now] = await Promise.all([look(), fill()]);
    const before = told;
    told = sentences(now);
    for (const sentence of told.filter((one) => !before.includes(one))) say(`  ${yellow("missing:")} ${sentence}`);
  };

  /**
   * Since when the main module, or what it imports, cannot be taken over: it may lack a file that nobody watches yet.
   * @type {number | undefined}
   */
  let brokenSince;
  const unwatch = watch(
    () => watchedOf(project, data, parts, brokenSince),
    async (what) => {
      const begun = Date.now();
      try {
        await takeOver(what);
        if (what === "settings") brokenSince = undefined;
      } catch (error) {
        if (what === "settings") brokenSince = begun;
        // Whatever it was, the next save may put it right.
        say(`${red("not taken over:")} ${/** @type {Error} */ (error).message}; the gateway goes on as before`);
        if (error instanceof Failure) for (const line of error.advice) say(`  ${line}`);
      }
    },
    LOOK_EVERY,
  );
  endWith(async () => {
    unwatch();
    await runtime.stop().catch(() => {});
  });
}

/**
 * What the gateway is made of, as its files say it.
 * @typedef {{ form: string, findings: string, options: ReturnType<import("./project.mjs").Wrangler["unstable_getMiniflareWorkerOptions"]>, bundled: Bundle, readAt: number }} Parts
 *   `findings` are warnings, and `readAt` is when wrangler's file and the main module were read, in milliseconds since 1970
 */

/**
 * Reads the files. Of `before` is kept what a change of gateway.toml alone leaves as it was.
 * @param {Project} project
 * @param {Tools} tools
 * @param {Parts} [before]
 * @returns {Promise<Parts>}
 */
async function readAll(project, tools, before) {
  const compiling = compile(project, { anyVariable: true });
  // A failure of what follows must not leave this one to nobody.
  compiling.catch(() => {});
  let kept = before;
  if (kept === undefined) {
    const readAt = Date.now();
    const { unstable_readConfig, unstable_getMiniflareWorkerOptions } = tools.wrangler();
    const config = unstable_readConfig({ config: project.wrangler, env: project.environment }, { hideWarnings: true });
    const options = unstable_getMiniflareWorkerOptions(config, project.environment);
    const bundled = await bundle({ project, tools, main: config.main, define: options.define });
    kept = { form: "", findings: "", options, bundled, readAt };
  }
  const { form, findings } = await compiling;
  if (form === undefined) throw new Failure("gateway.toml has faults", { advice: findings.split("\n") });
  // Who runs `wrangler dev` or an editor's type check beside this finds the module there.
  writeModule(project, form);
  return { ...kept, form, findings };
}

/**
 * What the runtime runs, and what is to be said of it.
 * @param {Parts} parts
 * @param {Running["outside"]} outside the demo
 */
function prepare({ form, options, bundled }, outside) {
  const { workerOptions: worker, externalWorkers: beside } = options;
  const set = /** @type {Record<string, unknown>} */ (worker.bindings ?? {});
  const unset = variablesIn(form).filter((name) => set[name] === undefined);
  const variables = outside === undefined ? {} : demoVariables(unset);
  /** @type {Running} */
  const running = { modules: bundled.modules, form, worker, beside, variables, outside };
  return { running, form: filledIn(form, { ...set, ...variables }), unset, made: Object.keys(variables) };
}

/**
 * @param {{ missing: string[], unreachable: Unreachable[] }} found
 */
const sentences = ({ missing, unreachable }) => [...missing, ...unreachable.map(sentenceOf)];

/**
 * What is watched: also what the main module imports since its last save, and while it cannot be bundled all that it could mean.
 * @param {Project} project
 * @param {string} data
 * @param {Parts} parts
 * @param {number | undefined} brokenSince
 */
const watchedOf = (project, data, { bundled, readAt }, brokenSince) => ({
  configuration: { files: [project.gateway], since: readAt },
  settings: {
    files: [project.wrangler, ...variableFiles(project), ...bundled.sources],
    sources: brokenSince === undefined ? [] : [project.root],
    since: brokenSince ?? readAt,
  },
  data: { folders: [join(project.root, data), join(project.root, CASES)] },
});

/**
 * The files from which wrangler takes the variables of this machine. Any of them may not be there, or not yet.
 * @param {Project} project
 */
const variableFiles = ({ root, environment }) => {
  const own =
    environment === undefined ? [] : [`.dev.vars.${environment}`, `.env.${environment}`, `.env.${environment}.local`];
  return [".dev.vars", ".env", ".env.local", ...own].map((name) => join(root, name));
};

/**
 * A line of the Worker's log, with what to do about it.
 * @param {string} line
 * @param {string} level
 */
function print(line, level) {
  const hint = hintOf(line);
  const text = readable(line);
  say(level === "error" ? red(text) : dim(text));
  if (hint) say(`  ${yellow("↳")} ${hint}`);
}

/** @param {string} line */
function hintOf(line) {
  try {
    return hintFor(JSON.parse(line));
  } catch {
    return "";
  }
}

/** @param {() => Promise<void>} stop */
function endWith(stop) {
  let ending = false;
  const end = async () => {
    if (ending) return;
    ending = true;
    say("\nending");
    await stop();
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // Miniflare's own listener would end the process at once, with an exit code of failure.
    process.removeAllListeners(signal);
    process.on(signal, end);
  }
}
