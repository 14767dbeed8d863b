import { examples } from "../../demo/examples.mjs";
import { startGateway, WRANGLER_KV } from "../../demo/gateway.mjs";
import { seed } from "../../demo/seed.mjs";
import { createWorld } from "../../demo/world.mjs";
import { Failure } from "./failure.mjs";
import { readable } from "./log-line.mjs";
import { inRoot } from "./paths.mjs";
import { buildPointsman, compileConfiguration, needGoodConfiguration } from "./pointsman.mjs";
import { needFreePort, wantedPort } from "./port.mjs";
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

/** Takes a changed file over into the running gateway; what can't be used leaves the old one running. */
async function takeOver(gateway, what) {
  const elapsed = stopwatch();
  if (what === "code") {
    await build();
    await gateway.reload();
  } else {
    const { json, findings } = compileConfiguration();
    if (!json) {
      say(findings);
      throw new Failure(`${what === "settings" ? "wrangler.toml" : "gateway.toml"} has faults`);
    }
    await gateway.reload({ gateway: json });
  }
  say(`${green("reloaded")} in ${elapsed()}`);
}

/** Builds, starts everything, and stays until Ctrl-C. */
export async function demo() {
  const port = wantedPort();
  await needFreePort(port);
  await build();
  needGoodConfiguration();

  const world = await createWorld({ ownPorts: true }).start();
  const gateway = await startGateway({
    folder: inRoot(DEV_OUT),
    world,
    port,
    persist: WRANGLER_KV,
    onLog: (line, stream) => say(stream === "err" ? red(line) : dim(readable(line))),
  });
  await seed(await gateway.kv());
  for (const line of welcome({ url: gateway.url, examples: await examples(), backends: world.backends })) say(line);

  const unwatch = watch(WATCHED, async (what) => {
    try {
      await takeOver(gateway, what);
    } catch (error) {
      // Whatever it was, the next save may put it right.
      say(`${red("not taken over:")} ${error.message}; the gateway goes on as before`);
      for (const line of error.advice ?? []) say(`  ${line}`);
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
