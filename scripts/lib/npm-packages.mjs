import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Failure } from "./failure.mjs";
import { inRoot, npmBin } from "./paths.mjs";
import { attempt } from "./run.mjs";
import { note, say, stopwatch } from "./say.mjs";

const lockFile = inRoot("package-lock.json");
const stamp = inRoot("node_modules", ".pointsman-lock");

// By content: a checkout sets file times as it likes.
const lockDigest = () => createHash("sha256").update(readFileSync(lockFile)).digest("hex");

function upToDate() {
  // The node package's program is the last to arrive: a half-finished install has none.
  return existsSync(stamp) && existsSync(npmBin("node")) && readFileSync(stamp, "utf8") === lockDigest();
}

/** Brings node_modules to what package-lock.json says. */
export async function npmPackages() {
  if (upToDate()) return;
  const elapsed = stopwatch();
  say("npm packages: wrangler, miniflare, wasm-opt, esbuild, Node 24 → node_modules (about half a minute)");
  const { ok, tail } = await attempt("npm", ["ci", "--no-audit", "--no-fund"]);
  if (!ok) {
    // npm says what is wrong first, and how npm is used last.
    const errors = tail.filter((line) => line.startsWith("npm error"));
    throw new Failure("npm ci failed", {
      advice: [
        ...(errors.length > 0 ? errors : tail).slice(0, 12),
        "",
        "Is the npm registry reachable from here? By hand: npm ci",
      ],
    });
  }
  writeFileSync(stamp, lockDigest());
  note(`done in ${elapsed()}`);
}
