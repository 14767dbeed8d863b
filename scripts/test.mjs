// npm test: everything that CI runs.   npm test -- --only=javascript|native|wasm|workerd   runs a part.
import { ensureTools } from "./lib/ensure.mjs";
import { Failure, main } from "./lib/failure.mjs";
import { bold, dim, green, say, stopwatch } from "./lib/say.mjs";

await main(async () => {
  await ensureTools();
  const { chosen } = await import("./lib/test-steps.mjs");
  const total = stopwatch();
  for (const { name, run } of chosen(process.argv.slice(2))) {
    say(`\n${bold(`== ${name}`)}`);
    const elapsed = stopwatch();
    try {
      await run();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      throw new Failure(`${name}: ${error.message}`, { advice: error.advice, code: error.code });
    }
    say(dim(`== ${name}: ${elapsed()}`));
  }
  say(`\n${green("all passed")} in ${total()}`);
});
