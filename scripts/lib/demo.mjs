import { CONSOLE_SECRET } from "../../demo/console.mjs";
import { examples } from "../../demo/examples.mjs";
import { startGateway, WRANGLER_KV, WRANGLER_OBJECTS } from "../../demo/gateway.mjs";
import { seed, seedRootKey } from "../../demo/seed.mjs";
import { createWorld } from "../../demo/world.mjs";
import { buildConsole, CONSOLE_DEV_OUT } from "./console-build.mjs";
import { consoleWorkers, withOperator } from "./demo-console.mjs";
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
import { dim, green, note, red, say, stopwatch } from "./say.mjs";
import { watch } from "./watch.mjs";
import { welcome } from "./welcome.mjs";
import { buildWorker, DEV_OUT } from "./worker-build.mjs";

/** @import { Changeable } from "../../demo/types.d.ts" */

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
 * What the gateway is started with, or a failure with what is wrong in its files. `consolePort` is there where the console
 * runs beside it.
 * @param {string} what
 * @param {number | undefined} consolePort
 * @returns {Promise<Changeable>}
 */
async function configured(what, consolePort) {
  const file = `${what === "settings" ? "wrangler.toml" : "gateway.toml"} has faults`;
  const { ok, findings: found } = checkConfiguration();
  if (!ok) {
    say(found);
    throw new Failure(file);
  }
  const written = withOperator(configurationAsWritten());
  const { form, findings } = compileConfiguration(written, { anyVariable: true });
  if (form === undefined) throw new Failure(file, { advice: [findings] });
  if (consolePort === undefined) return { gateway: form };
  return { gateway: form, workers: await consoleWorkers(written, consolePort) };
}

/**
 * Takes a changed file over into the running gateway; what can't be used leaves the old one running.
 * @param {Awaited<ReturnType<typeof startGateway>>} gateway
 * @param {string} what
 * @param {number | undefined} consolePort
 */
async function takeOver(gateway, what, consolePort) {
  const elapsed = stopwatch();
  const isCode = what === "code";
  if (isCode) await build({ withConsole: Boolean(consolePort) });
  await gateway.reload(isCode && !consolePort ? {} : await configured(what, consolePort));
  say(`${green("reloaded")} in ${elapsed()}`);
}

/** Builds, starts everything, and stays until Ctrl-C. `withConsole`: the console too, on the next port. */
export async function demo({ withConsole = false } = {}) {
  const port = wantedPort();
  await needFreePort(port);
  const consolePort = withConsole ? nextPort(port) : undefined;
  if (consolePort) await needFreePort(consolePort);
  await build({ withConsole });
  needGoodConfiguration();
  const configuration = await configured("configuration", consolePort);

  const world = await createWorld({ ownPorts: true }).start();
  const gateway = await startGateway({
    folder: inRoot(DEV_OUT),
    world,
    port,
    persist: WRANGLER_KV,
    persistObjects: WRANGLER_OBJECTS,
    ...configuration,
    onLog: (line, stream) => say(stream === "err" ? red(line) : dim(readable(line))),
  });
  await seed(await gateway.kv());
  await seedRootKey(await gateway.kv());
  for (const line of welcome({
    url: gateway.url,
    examples: await examples(),
    backends: world.backends,
    console: consolePort === undefined ? undefined : { url: `http://127.0.0.1:${consolePort}`, secret: CONSOLE_SECRET },
  }))
    say(line);

  const watched = consolePort ? { ...WATCHED, console: { folders: [inRoot("console")] } } : WATCHED;
  const unwatch = watch(watched, async (what) => {
    try {
      await takeOver(gateway, what, consolePort);
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
    await Promise.allSettled([gateway.stop(), world.stop()]);
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // Miniflare's own listener would end the process at once, with an exit code of failure.
    process.removeAllListeners(signal);
    process.on(signal, end);
  }
}
