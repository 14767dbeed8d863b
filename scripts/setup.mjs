// npm run setup: fetches what the build needs. The other npm scripts call it by themselves.
// Everything it imports must run on an old Node without node_modules.
import { ensureCliTools, ensureTools } from "./lib/ensure.mjs";
import { main } from "./lib/failure.mjs";
import { tilde, toolsFolder } from "./lib/paths.mjs";
import { green, say, stopwatch } from "./lib/say.mjs";

await main(async () => {
  const elapsed = stopwatch();
  await ensureTools();
  await ensureCliTools();
  say(`${green("ready")} (${elapsed()}); tools in ${tilde(toolsFolder())} and node_modules`);
});
