import { CONSOLE_SECRET } from "../../demo/console.mjs";
import { examples } from "../../demo/examples.mjs";
import { startGateway, WRANGLER_KV } from "../../demo/gateway.mjs";
import { seed } from "../../demo/seed.mjs";
import { createWorld } from "../../demo/world.mjs";
import { consoleWorkers, withOperator } from "./demo-console.mjs";
import { Failure } from "./failure.mjs";
import { readable } from "./log-line.mjs";
import { inRoot } from "./paths.mjs";
import { buildPointsman, compileConfiguration, needGoodConfiguration } from "./pointsman.mjs";
import { needFreePort, nextPort, wantedPort } from "./port.mjs";
import { dim, green, note, red, say, stopwatch } from "./say.mjs";
import { watch } from "./watch.mjs";
import { welcome } from "./welcome.mjs";
import { buildWorker, DEV_OUT } from "./worker-build.mjs";

const WATCHED = {
  code: { folders: [inRoot("src")], files: ["Cargo.toml", "Cargo.lock", "build.rs"].map((name) => inRoot(name)) },
  configuration: { files: [inRoot("gateway.toml")] },
  settings: { files: [inRoot("wrangler.toml")] },
};

async function build() {
  const elapsed = stopwatch();
  say("building the gateway (the first time takes minutes)");
  await buildPointsman();
  await buildWorker({ dev: true, out: DEV_OUT, quiet: true });
  note(`done in ${elapsed()}`);
}

/**
 * gateway.toml, or a failure with what is wrong in it.
 * @param {string} [what]
 */
function goodConfiguration(what) {
  const { json, findings } = compileConfiguration();
  if (json) return json;
  say(findings);
  throw new Failure(`${what === "settings" ? "wrangler.toml" : "gateway.toml"} has faults`);
}

/**
 * What the gateway gets where the console runs beside it: one configuration for both.
 * @param {string} json
 * @param {number} consolePort
 */
async function configurationOfBoth(json, consolePort) {
  const gateway = withOperator(json);
  return { gateway, workers: await consoleWorkers(gateway, consolePort) };
}

/**
 * Takes a changed file over into the running gateway; what can't be used leaves the old one running. `consolePort` is
 * there where the console runs beside it.
 * @param {Awaited<ReturnType<typeof startGateway>>} gateway
 * @param {string} what
 * @param {number | undefined} consolePort
 */
async function takeOver(gateway, what, consolePort) {
  const elapsed = stopwatch();
  if (what === "code") {
    await build();
    await gateway.reload();
  } else if (consolePort) {
    await gateway.reload(await configurationOfBoth(goodConfiguration(what), consolePort));
  } else {
    await gateway.reload({ gateway: goodConfiguration(what) });
  }
  say(`${green("reloaded")} in ${elapsed()}`);
}

/** Builds, starts everything, and stays until Ctrl-C. `withConsole`: the console too, on the next port. */
export async function demo({ withConsole = false } = {}) {
  const port = wantedPort();
  await needFreePort(port);
  const consolePort = withConsole ? nextPort(port) : undefined;
  if (consolePort) await needFreePort(consolePort);
  await build();
  needGoodConfiguration();
  const beside = consolePort && (await configurationOfBoth(goodConfiguration(), consolePort));

  const world = await createWorld({ ownPorts: true }).start();
  const gateway = await startGateway({
    folder: inRoot(DEV_OUT),
    world,
    port,
    persist: WRANGLER_KV,
    ...beside,
    onLog: (line, stream) => say(stream === "err" ? red(line) : dim(readable(line))),
  });
  await seed(await gateway.kv());
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
