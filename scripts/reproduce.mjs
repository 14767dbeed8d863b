// npm run reproduce: builds all that is published a second time, from a copy of the sources in another folder, and compares.
import { needSameBytes } from "./lib/build-again.mjs";
import { main } from "./lib/failure.mjs";

await main(needSameBytes);
