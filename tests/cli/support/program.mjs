// The command line under test: a program to start. It is the native one, or the one in WebAssembly where tests/cli-wasm runs
// the same tests.
import { existsSync } from "node:fs";
import { CLI_WASM, LAUNCHER } from "../../../scripts/lib/cli-build.mjs";
import { freshPointsman } from "../../../scripts/lib/pointsman.mjs";

let inWasm = false;

/** From now on the tests of this process are of the wasm. */
export function testWasm() {
  if (!existsSync(CLI_WASM)) throw new Error("build/cli/pointsman.wasm is missing: npm run build -- --cli");
  inWasm = true;
}

/** Its path, compiled where it has to be. */
export const programUnderTest = async () => (inWasm ? LAUNCHER : freshPointsman());
