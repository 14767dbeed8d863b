// npm run simulate -- --minutes N --seed S: the directory's simulation, seed after seed. It says on stderr how it goes, and
// ends with 1 where something happened that must never.
import { Failure, main } from "./lib/failure.mjs";
import { show } from "./lib/run.mjs";
import { needRust } from "./lib/rust.mjs";

await main(async () => {
  await needRust();
  const crate = ["run", "--release", "--quiet", "--package", "pointsman-simulation", "--"];
  const code = await show("cargo", [...crate, ...process.argv.slice(2)]);
  if (code !== 0) throw new Failure("the simulation ended with a violation, or did not begin");
});
