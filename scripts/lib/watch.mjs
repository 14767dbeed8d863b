// Looks for changed files by asking for their times twice a second: a few hundred files cost nothing, and it works on
// network folders and with editors that replace files, where system notifications do not.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** @typedef {{ files?: string[], folders?: string[] }} Paths */

/** @param {string} path */
function stamp(path) {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    return `${path}:${mtimeMs}:${size}:${ino}`;
  } catch {
    return `${path}:gone`;
  }
}

/** @param {string} folder */
function filesBelow(folder) {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .map((name) => join(folder, name))
      .sort();
  } catch {
    return [];
  }
}

/**
 * What a set of files and folders looks like now.
 * @type {(paths: Paths) => string}
 */
export const signature = ({ files = [], folders = [] }) =>
  [...files, ...folders.flatMap(filesBelow)].map(stamp).join("\n");

/**
 * Calls `changed(name)` for each named set of paths that changed and then stayed the same for a moment; one call at a
 * time. Returns a function that ends it.
 * @param {Record<string, Paths>} sets
 * @param {(name: string) => Promise<void>} changed
 * @param {number} [everyMilliseconds]
 */
export function watch(sets, changed, everyMilliseconds = 400) {
  const look = () => Object.fromEntries(Object.entries(sets).map(([name, paths]) => [name, signature(paths)]));
  const told = look();
  let before = told;
  /** @type {NodeJS.Timeout} */
  let timer;
  let ended = false;
  const tick = async () => {
    const now = look();
    for (const name of Object.keys(sets)) {
      if (now[name] === told[name] || now[name] !== before[name]) continue;
      told[name] = now[name];
      await changed(name);
    }
    before = now;
    if (!ended) timer = setTimeout(tick, everyMilliseconds);
  };
  timer = setTimeout(tick, everyMilliseconds);
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
