// npm run build: checks the configuration and compiles the Worker into build/. Also what wrangler calls ([build] in
// wrangler.toml), so `wrangler deploy` can't ship a configuration that the check refuses.
//   npm run build -- --dev       compiles quickly and unoptimised
//   npm run build -- --console   makes only what the console needs: build/gateway.json, and the core in build/console/
//   npm run build -- --cli       makes only the command line as WebAssembly: build/cli/pointsman.wasm
import { buildCli } from "./lib/cli-build.mjs";
import { buildConsole, CONSOLE_OUT } from "./lib/console-build.mjs";
import { ensureCliTools, ensureTools } from "./lib/ensure.mjs";
import { Failure, main } from "./lib/failure.mjs";
import {
  buildPointsman,
  needGoodConfiguration,
  writeConfiguration,
  writeConsoleConfiguration,
} from "./lib/pointsman.mjs";
import { say, stopwatch } from "./lib/say.mjs";
import { buildWorker } from "./lib/worker-build.mjs";

await main(async () => {
  const known = ["--dev", "--release", "--console", "--cli"];
  const unknown = process.argv.slice(2).filter((argument) => !known.includes(argument));
  if (unknown.length > 0)
    throw new Failure(`unknown option ${unknown[0]}`, {
      advice: ["npm run build [-- --dev --console --cli]"],
      code: 2,
    });

  const elapsed = stopwatch();
  const dev = process.argv.includes("--dev");
  if (process.argv.includes("--cli")) {
    await ensureCliTools();
    await buildCli({ dev });
    say(`built build/cli/pointsman.wasm in ${elapsed()}`);
    return;
  }
  await ensureTools();
  await buildPointsman();
  needGoodConfiguration();
  const consoleOnly = process.argv.includes("--console");
  if (consoleOnly) {
    await buildConsole({ dev });
  } else {
    await buildWorker({ dev });
    writeConfiguration("build");
  }
  writeConsoleConfiguration();
  say(`built ${consoleOnly ? CONSOLE_OUT : "build/index.js"} in ${elapsed()}`);
});
