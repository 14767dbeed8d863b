// A second build of all that is published as wasm, from a copy of the sources in another folder: whoever builds the same
// sources elsewhere has to get the same bytes, or nobody could tell what is in the package.
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Failure } from "./failure.mjs";
import { inRoot } from "./paths.mjs";
import { ask, attempt } from "./run.mjs";
import { green, say, stopwatch } from "./say.mjs";

/** What is compared, in the folder `build`. */
export const PUBLISHED = ["index_bg.wasm", "ledger_bg.wasm", "worker.js", "index.js", join("cli", "pointsman.wasm")];

const BUILD = `
const { buildWorker } = await import("./scripts/lib/worker-build.mjs");
const { buildCli } = await import("./scripts/lib/cli-build.mjs");
await buildWorker({ quiet: true });
await buildCli({ quiet: true });
`;

/** The files of the sources, as git knows them: what is new and not ignored is one too. */
function sources() {
  const names = ask("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
  if (names === undefined) throw new Failure("git cannot say which files the sources are");
  return names.split("\0").filter((name) => name !== "" && existsSync(inRoot(name)));
}

/** @type {(...path: string[]) => string} */
const digest = (...path) =>
  createHash("sha256")
    .update(readFileSync(join(...path)))
    .digest("hex");

/** Builds again elsewhere. A byte that is different is a failure. */
export async function needSameBytes() {
  const elapsed = stopwatch();
  const different = await buildAgain();
  if (different.length > 0)
    throw new Failure("the same sources gave other bytes in another folder", { advice: different });
  say(`${green("the same")}: ${PUBLISHED.join(", ")} (${elapsed()})`);
}

/** Builds again elsewhere, and compares with `build`, which has to be there. Resolves to the names of what is different. */
async function buildAgain() {
  // Another length too: a path that is in the wasm would move what stands behind it.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "the-same-sources-somewhere-else-")));
  try {
    for (const name of sources()) {
      mkdirSync(join(folder, dirname(name)), { recursive: true });
      cpSync(inRoot(name), join(folder, name), { verbatimSymlinks: true });
    }
    symlinkSync(inRoot("node_modules"), join(folder, "node_modules"));
    const built = await attempt(process.execPath, ["--input-type=module", "--eval", BUILD], { cwd: folder });
    if (!built.ok) throw new Failure("the second build failed", { advice: built.tail.slice(-40) });
    return PUBLISHED.filter((name) => digest(inRoot("build"), name) !== digest(folder, "build", name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
