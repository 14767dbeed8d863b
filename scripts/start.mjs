// npm start: the gateway with its demo world, on http://127.0.0.1:8787 (PORT changes that).
//   npm start -- --console    the operators' console too, on the next port
//   npm start -- --incident   a night with four incidents is staged, to be found by metrics
import { ensureTools } from "./lib/ensure.mjs";
import { Failure, main } from "./lib/failure.mjs";

await main(async () => {
  const given = process.argv.slice(2);
  const unknown = given.find((argument) => !["--console", "--incident"].includes(argument));
  if (unknown)
    throw new Failure(`unknown option ${unknown}`, { advice: ["npm start [-- --console] [--incident]"], code: 2 });
  await ensureTools();
  // Only now: what it imports comes from node_modules and needs the newer Node.
  const { demo } = await import("./lib/demo.mjs");
  await demo({ withConsole: given.includes("--console"), withIncident: given.includes("--incident") });
});
