// The core as the console has it, put into service: for tests of the console's modules without a runtime.
import { readFileSync } from "node:fs";
import { startCore } from "../../../console/core.js";

/** Where `npm run build -- --console` puts it. */
export const CORE = new URL("../../../build/console/", import.meta.url);

startCore(readFileSync(new URL("index_bg.wasm", CORE)));
