// Files without a name: each is gone with the last who holds it open, however that one ends. Its position is never moved
// here, so a program that gets one begins at its beginning.
import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { reason } from "./reason.mjs";

/** Read and written by its owner alone. */
export const PRIVATE = 0o600;

/** How much is copied at once. */
const CHUNK = 1 << 20;

/** A new one, open. */
export function openTemporary() {
  const { randomBytes } = process.getBuiltinModule("node:crypto");
  const { tmpdir } = process.getBuiltinModule("node:os");
  const path = `${tmpdir()}/pointsman-${randomBytes(16).toString("hex")}`;
  try {
    const file = openSync(path, "wx+", PRIVATE);
    unlinkSync(path);
    return file;
  } catch (error) {
    throw new Error(`${path}: ${reason(error)}`);
  }
}

/**
 * At most so many bytes from a place; none at the end.
 * @param {number} file
 * @param {number} at
 * @param {number} most
 */
export function readAt(file, at, most) {
  const bytes = Buffer.allocUnsafe(most);
  return bytes.subarray(0, readSync(file, bytes, 0, most, at));
}

/**
 * @param {number} file
 * @param {number} at
 * @param {Uint8Array} bytes
 */
export function writeAt(file, at, bytes) {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done);
}

/**
 * Gives `use` a copy that nobody has read yet: Node cannot set a file back to its beginning, and a program that is tried
 * again reads the same once more.
 * @template T
 * @param {(number | null)[]} files
 * @param {(copies: (number | null)[]) => T} use
 * @returns {T}
 */
export function withCopies(files, use) {
  /** @type {number[]} */
  const opened = [];
  /** @type {(file: number) => number} */
  const copy = (file) => {
    const made = openTemporary();
    opened.push(made);
    for (let at = 0; ; ) {
      const bytes = readAt(file, at, CHUNK);
      if (bytes.length === 0) return made;
      writeAt(made, at, bytes);
      at += bytes.length;
    }
  };
  try {
    return use(files.map((file) => (file === null ? null : copy(file))));
  } finally {
    for (const file of opened) closeSync(file);
  }
}
