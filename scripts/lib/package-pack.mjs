// Archives of the npm packages, by npm itself: with its own order and its own times, so that two builds of the same sources make
// the same bytes.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "./failure.mjs";
import { PACKAGES, stage } from "./package-stage.mjs";

/** @typedef {{ name: string, file: string, size: number, unpackedSize: number, sha256: string, files: string[] }} Packed */

/**
 * Packs all of them into a folder.
 * @param {string} folder
 * @returns {Packed[]}
 */
export function pack(folder) {
  mkdirSync(folder, { recursive: true });
  // A folder of its own for each call: tests pack at the same time.
  const staged = mkdtempSync(join(tmpdir(), "pointsman-package-"));
  try {
    return PACKAGES.map((name) => packOne(name, join(staged, name), folder));
  } finally {
    rmSync(staged, { recursive: true, force: true });
  }
}

/** @type {(name: string, staged: string, folder: string) => Packed} */
function packOne(name, staged, folder) {
  stage(name, staged);
  const args = ["pack", staged, "--pack-destination", folder, "--json", "--ignore-scripts"];
  const { status, stdout, stderr } = spawnSync("npm", args, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) throw new Failure(`npm pack failed for ${name}`, { advice: stderr.trim().split("\n") });
  const read = JSON.parse(stdout);
  /** @type {{ filename: string, size: number, unpackedSize: number, files: { path: string }[] }} */
  const packed = Array.isArray(read) ? read[0] : read[name];
  const sha256 = createHash("sha256")
    .update(readFileSync(join(folder, packed.filename)))
    .digest("hex");
  const { filename: file, size, unpackedSize, files } = packed;
  return { name, file, size, unpackedSize, sha256, files: files.map(({ path }) => path) };
}
