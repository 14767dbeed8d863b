// npm test: everything that CI runs.   npm test -- --only=PART   runs a part; a wrong one lists them.
import { ensureCliTools, ensureTools } from "./lib/ensure.mjs";
import { Failure, main } from "./lib/failure.mjs";
import { bold, dim, green, red, say, stopwatch } from "./lib/say.mjs";

await main(async () => {
  await ensureTools();
  await ensureCliTools();
  const { chosen } = await import("./lib/test-steps.mjs");
  const total = stopwatch();
  /** @type {Failure[]} */
  const failures = [];
  for (const { name, run, alone } of chosen(process.argv.slice(2))) {
    say(`\n${bold(`== ${name}`)}`);
    const elapsed = stopwatch();
    try {
      await run();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failures.push(new Failure(`${name}: ${error.message}`, { advice: error.advice, code: error.code }));
      if (!alone) break;
      say(red(`== ${name}: ${error.message}`));
    }
    say(dim(`== ${name}: ${elapsed()}`));
  }
  const [first, ...others] = failures;
  if (first) throw new Failure([first, ...others].map(({ message }) => message).join("\n"), first);
  say(`\n${green("all passed")} in ${total()}`);
});
