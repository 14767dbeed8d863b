// Writes THIRD-PARTY-LICENSES: which packages of others the Workers hold, and under which licences. A test asks for it
// where a package comes, goes or changes.
import { writeFileSync } from "node:fs";
import { ensureTools } from "./lib/ensure.mjs";
import { main } from "./lib/failure.mjs";
import { say } from "./lib/say.mjs";

await main(async () => {
  await ensureTools();
  // Only now: it needs what npm brings.
  const { document, FILE } = await import("./lib/third-party/document.mjs");
  writeFileSync(FILE, await document());
  say(`written: ${FILE}`);
});
