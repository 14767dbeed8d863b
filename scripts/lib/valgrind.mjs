import { aptInstall, haveApt } from "./apt.mjs";
import { Failure } from "./failure.mjs";
import { which } from "./run.mjs";
import { say } from "./say.mjs";

/** Sees to it that there is a valgrind, which counts instructions: one that is here, or Debian's package. */
export async function needValgrind() {
  if (which("valgrind")) return;
  if (!haveApt())
    throw new Failure("no valgrind, which counts the instructions", { advice: ["Install valgrind, then try again."] });
  say("valgrind, which counts the instructions: Debian's package valgrind (by apt-get)");
  await aptInstall(["valgrind"], "Counting instructions");
}
