// npm start: the gateway with its demo world, on http://127.0.0.1:8787 (PORT changes that).
import { ensureTools } from "./lib/ensure.mjs";
import { main } from "./lib/failure.mjs";

await main(async () => {
  await ensureTools();
  // Only now: what it imports comes from node_modules and needs the newer Node.
  const { demo } = await import("./lib/demo.mjs");
  await demo();
});
