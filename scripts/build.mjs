// npm run build: checks the configuration and compiles the Worker into build/. Also what wrangler calls ([build] in
// wrangler.toml), so `wrangler deploy` can't ship a configuration that the check refuses.
//   npm run build -- --dev   compiles quickly and unoptimised
import { ensureTools } from "./lib/ensure.mjs";
import { main, Failure } from "./lib/failure.mjs";
import { buildPointsman, needGoodConfiguration } from "./lib/pointsman.mjs";
import { say, stopwatch } from "./lib/say.mjs";
import { buildWorker } from "./lib/worker-build.mjs";

await main(async () => {
  const known = ["--dev", "--release"];
  const unknown = process.argv.slice(2).filter((argument) => !known.includes(argument));
  if (unknown.length > 0) throw new Failure(`unknown option ${unknown[0]}`, { advice: ["npm run build [-- --dev]"], code: 2 });

  const elapsed = stopwatch();
  await ensureTools();
  await buildPointsman();
  needGoodConfiguration();
  await buildWorker({ dev: process.argv.includes("--dev") });
  say(`built build/index.js in ${elapsed()}`);
});
