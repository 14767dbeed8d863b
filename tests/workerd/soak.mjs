// npm run soak: origins come and go under a steady load for ten minutes, or as many as `--minutes N` says. Ends with 1
// where something was lost, doubled or refused that must not be, or where memory keeps growing.
import { parseArgs } from "node:util";
import { runSoak } from "./support/soak.mjs";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error("--minutes must be a number above 0");
  process.exit(2);
}
const began = Date.now();
const onProgress = (text) => console.log(`${Math.round((Date.now() - began) / 1000)} s: ${text}`);
const { violations, summary } = await runSoak({ seconds: minutes * 60, onProgress });
console.log(summary);
for (const violation of violations) console.log(`VIOLATION ${violation}`);
process.exit(violations.length > 0 ? 1 : 0);
