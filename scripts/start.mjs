// npm start: the gateway with its demo world, on http://127.0.0.1:8787 (PORT changes that).
//   npm start -- --console   the operators' console too, on the next port
import { ensureTools } from "./lib/ensure.mjs";
import { Failure, main } from "./lib/failure.mjs";

await main(async () => {
  const unknown = process.argv.slice(2).find((argument) => argument !== "--console");
  if (unknown) throw new Failure(`unknown option ${unknown}`, { advice: ["npm start [-- --console]"], code: 2 });
  await ensureTools();
  // Only now: what it imports comes from node_modules and needs the newer Node.
  const { demo } = await import("./lib/demo.mjs");
  await demo({ withConsole: process.argv.includes("--console") });
});
