// npm run lint: layout, lints and types of the JavaScript. Needs Node and npm, and no Rust.
import { main } from "./lib/failure.mjs";
import { underModernNode } from "./lib/modern-node.mjs";
import { npmPackages } from "./lib/npm-packages.mjs";

await main(async () => {
  await npmPackages();
  await underModernNode();
  // Only now: what it imports needs the newer Node.
  const { checkLints, checkTypes } = await import("./lib/javascript.mjs");
  await checkLints();
  await checkTypes();
});
