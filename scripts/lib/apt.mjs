import { Failure } from "./failure.mjs";
import { ask, attempt, which } from "./run.mjs";
import { note } from "./say.mjs";

/**
 * The command a person would type, for messages.
 * @type {(packages: string[]) => string}
 */
export const byHand = (packages) =>
  `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages.join(" ")}`;

export const haveApt = () => Boolean(which("apt-get"));

/**
 * Installs Debian packages, as root or by a sudo that asks no question.
 * @param {string[]} packages
 * @param {string} why
 */
export async function aptInstall(packages, why) {
  const prefix =
    process.getuid?.() === 0
      ? []
      : which("sudo") && ask("sudo", ["-n", "true"]) !== undefined
        ? ["sudo", "-n"]
        : undefined;
  if (!prefix) {
    throw new Failure(`${why} needs Debian packages, and this user may not install them`, {
      advice: ["Run this once, then try again:", `  ${byHand(packages)}`],
    });
  }
  /** @type {(...args: string[]) => ReturnType<typeof attempt>} */
  const apt = (...args) => {
    const [program, ...rest] = [
      ...prefix,
      "env",
      "DEBIAN_FRONTEND=noninteractive",
      "apt-get",
      "-q",
      "-o",
      "DPkg::Lock::Timeout=120",
      ...args,
    ];
    return attempt(program, rest);
  };
  const install = () => apt("install", "-y", "--no-install-recommends", ...packages);
  let result = await install();
  if (!result.ok) {
    // Usually the package lists are missing or too old.
    note("refreshing the package lists (apt-get update)");
    await apt("update");
    result = await install();
  }
  if (!result.ok) {
    throw new Failure(`${why}: apt-get could not install ${packages.join(" ")}`, {
      advice: [...result.tail.slice(-15), "", "By hand:", `  ${byHand(packages)}`],
    });
  }
}
