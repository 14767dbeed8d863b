import { ACCOUNT, AnalyticsStandIn, TOKEN } from "../../demo/analytics/stand-in.mjs";
import { CONSOLE_SECRET } from "../../demo/console.mjs";
import { datasetBinding, datasetWorker } from "../../demo/dataset.mjs";
import { examples } from "../../demo/examples.mjs";
import { startGateway, WRANGLER_KV, WRANGLER_OBJECTS } from "../../demo/gateway.mjs";
import { stageIncident } from "../../demo/incident.mjs";
import { seed, seedRootKey } from "../../demo/seed.mjs";
import { createWorld } from "../../demo/world.mjs";
import { buildConsole, CONSOLE_DEV_OUT } from "./console-build.mjs";
import { consoleWorkers, METRICS, withOperator } from "./demo-console.mjs";
import { Failure } from "./failure.mjs";
import { readable } from "./log-line.mjs";
import { inRoot } from "./paths.mjs";
import {
  buildPointsman,
  checkConfiguration,
  compileConfiguration,
  configurationAsWritten,
  needGoodConfiguration,
} from "./pointsman.mjs";
import { needFreePort, nextPort, wantedPort } from "./port.mjs";
import { bold, dim, green, note, red, say, stopwatch } from "./say.mjs";
import { watch } from "./watch.mjs";
import { welcome } from "./welcome.mjs";
import { buildWorker, DEV_OUT } from "./worker-build.mjs";

/** @import { Changeable, World } from "../../demo/types.d.ts" */
/** @typedef {Awaited<ReturnType<typeof startGateway>>} Gateway */

const CLOUDFLARE_API = "api.cloudflare.com";

const WATCHED = {
  code: { folders: [inRoot("src"), inRoot("crates")], files: ["Cargo.toml", "Cargo.lock"].map((name) => inRoot(name)) },
  configuration: { files: [inRoot("gateway.toml")] },
  settings: { files: [inRoot("wrangler.toml")] },
};

/** @param {{ withConsole: boolean }} options */
async function build({ withConsole }) {
  const elapsed = stopwatch();
  say("building the gateway (the first time takes minutes)");
  await buildPointsman();
  await buildWorker({ dev: true, out: DEV_OUT, quiet: true });
  if (withConsole) await buildConsole({ dev: true, out: CONSOLE_DEV_OUT, quiet: true });
  note(`done in ${elapsed()}`);
}

/**
 * What runs beside the gateway.
 * @typedef {object} Beside
 * @property {World} world
 * @property {AnalyticsStandIn} analytics
 * @property {number} [consolePort] there where the console runs
 */

/** The configuration as it stands in gateway.toml, with operators' paths: JSON. */
const written = () => withOperator(configurationAsWritten());

/** In checked form. @param {string} json */
function checked(json) {
  const { form, findings } = compileConfiguration(json, { anyVariable: true });
  if (form === undefined) throw new Failure("gateway.toml has faults", { advice: [findings] });
  return form;
}

/**
 * What the gateway is started with, or a failure with what is wrong in its files.
 * @param {string} what
 * @param {Beside} beside
 * @returns {Promise<Changeable>}
 */
async function configured(what, { world, analytics, consolePort }) {
  const file = `${what === "settings" ? "wrangler.toml" : "gateway.toml"} has faults`;
  const { ok, findings: found } = checkConfiguration();
  if (!ok) {
    say(found);
    throw new Failure(file);
  }
  const configuration = written();
  return {
    gateway: checked(configuration),
    bindings: METRICS,
    overrides: datasetBinding,
    workers: [
      datasetWorker((point) => analytics.write(point)),
      ...(consolePort === undefined ? [] : await consoleWorkers(configuration, consolePort, world.address)),
    ],
  };
}

/**
 * Takes a changed file over into the running gateway; what can't be used leaves the old one running.
 * @param {Gateway} gateway
 * @param {string} what
 * @param {Beside} beside
 */
async function takeOver(gateway, what, beside) {
  const elapsed = stopwatch();
  if (what === "code") await build({ withConsole: beside.consolePort !== undefined });
  await gateway.reload(await configured(what, beside));
  say(`${green("reloaded")} in ${elapsed()}`);
}

/**
 * Stages the night with four incidents, and says how they are found.
 * @param {Gateway} gateway
 * @param {Beside} beside
 */
async function stage(gateway, { world }) {
  say(bold("a night at the demo"));
  await stageIncident({
    url: gateway.url,
    world,
    kv: await gateway.kv(),
    configuration: JSON.parse(written()),
    deploy: (configuration) => gateway.reload({ gateway: checked(JSON.stringify(configuration)) }),
    say: (text) => say(`  ${text}`),
  });
  say(bold("What happened, since when and to whom? The console's first page says it, and so does pointsman usage."));
}

/**
 * Builds, starts everything, and stays until Ctrl-C. `withConsole`: the console too, on the next port. `withIncident`: a night
 * with four incidents is staged.
 */
export async function demo({ withConsole = false, withIncident = false } = {}) {
  const port = wantedPort();
  await needFreePort(port);
  const consolePort = withConsole ? nextPort(port) : undefined;
  if (consolePort) await needFreePort(consolePort);
  await build({ withConsole });
  needGoodConfiguration();
  const world = await createWorld({ ownPorts: true }).start();
  const analytics = new AnalyticsStandIn();
  // To the Workers it is where the platform's own API is; the command line finds it by an address.
  world.replace(CLOUDFLARE_API, (request, response) => analytics.handle(request, response));
  const analyticsUrl = `${await analytics.start()}/client/v4`;
  const beside = { world, analytics, consolePort };
  const gateway = await startGateway({
    folder: inRoot(DEV_OUT),
    world,
    port,
    persist: WRANGLER_KV,
    persistObjects: WRANGLER_OBJECTS,
    ...(await configured("configuration", beside)),
    onLog: (line, stream) => say(stream === "err" ? red(line) : dim(readable(line))),
  });
  await seed(await gateway.kv());
  await seedRootKey(await gateway.kv());
  for (const line of welcome({
    url: gateway.url,
    examples: await examples(),
    backends: world.backends,
    console: consolePort === undefined ? undefined : { url: `http://127.0.0.1:${consolePort}`, secret: CONSOLE_SECRET },
    metrics: { account: ACCOUNT, token: TOKEN, url: analyticsUrl },
  }))
    say(line);
  if (withIncident) await stage(gateway, beside);

  const watched = consolePort ? { ...WATCHED, console: { folders: [inRoot("console")] } } : WATCHED;
  const unwatch = watch(watched, async (what) => {
    try {
      await takeOver(gateway, what, beside);
    } catch (error) {
      // Whatever it was, the next save may put it right.
      say(`${red("not taken over:")} ${/** @type {Error} */ (error).message}; the gateway goes on as before`);
      if (error instanceof Failure) for (const line of error.advice) say(`  ${line}`);
    }
  });

  let ending = false;
  const end = async () => {
    if (ending) return;
    ending = true;
    say("\nending");
    unwatch();
    await Promise.allSettled([gateway.stop(), world.stop(), analytics.stop()]);
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // Miniflare's own listener would end the process at once, with an exit code of failure.
    process.removeAllListeners(signal);
    process.on(signal, end);
  }
}
