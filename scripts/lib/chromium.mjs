import { existsSync } from "node:fs";
import { aptInstall, byHand, haveApt } from "./apt.mjs";
import { Failure } from "./failure.mjs";
import { which } from "./run.mjs";
import { note, say, stopwatch } from "./say.mjs";

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";

const find = () => PROGRAMS.map((name) => which(name)).find(Boolean) ?? (existsSync(MAC) ? MAC : undefined);

/** The browser of the browser tests: CHROMIUM_BIN, or one that is here, or Debian's package. */
export async function chromium() {
  const wanted = process.env.CHROMIUM_BIN;
  if (wanted) {
    if (existsSync(wanted)) return wanted;
    throw new Failure(`CHROMIUM_BIN=${wanted}: no such program`);
  }
  const here = find();
  if (here) return here;
  const advice = ["Install Chromium or Chrome, or say where it is:", "  CHROMIUM_BIN=/path/to/chromium npm test"];
  if (!haveApt()) throw new Failure("no Chromium for the browser tests", { advice });
  const elapsed = stopwatch();
  say("Chromium for the browser tests: Debian's package chromium (by apt-get, about 1 minute)");
  await aptInstall(["chromium"], "The browser tests");
  note(`done in ${elapsed()}`);
  const installed = find();
  if (!installed)
    throw new Failure("the chromium package brought no chromium", { advice: [byHand(["chromium"]), ...advice] });
  return installed;
}
