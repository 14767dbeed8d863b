// npm run reproduce: builds all that is published a second time, from a copy of the sources in another folder, and compares.
import { buildAgain, PUBLISHED } from "./lib/build-again.mjs";
import { Failure, main } from "./lib/failure.mjs";
import { green, say, stopwatch } from "./lib/say.mjs";

await main(async () => {
  const elapsed = stopwatch();
  const different = await buildAgain();
  if (different.length > 0)
    throw new Failure("the same sources gave other bytes in another folder", { advice: different });
  say(`${green("the same")}: ${PUBLISHED.join(", ")} (${elapsed()})`);
});
