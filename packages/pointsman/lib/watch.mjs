// Looks for changed files by asking for their times twice a second: a few hundred files cost nothing, and it works on
// network folders and with editors that replace files, where system notifications do not.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * @typedef {object} Paths
 * @property {string[]} [files]
 * @property {string[]} [folders] with all that is below them
 * @property {string[]} [sources] folders too, but for what is installed and what is hidden
 * @property {number} [since] milliseconds since 1970: what is watched from now on, and was written later, has changed
 */

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
 * @param {string} folder
 * @returns {string[]}
 */
function sourcesBelow(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      if (entry.name === "node_modules" || entry.name.startsWith(".")) return [];
      const path = join(folder, entry.name);
      return entry.isDirectory() ? sourcesBelow(path) : [path];
    });
  } catch {
    return [];
  }
}

/** @param {string[]} paths */
const stamps = (paths) => paths.map(stamp).join("\n");

/**
 * What each file and folder of a set looks like now.
 * @param {Paths} paths
 * @returns {Map<string, string>}
 */
const look = ({ files = [], folders = [], sources = [] }) =>
  new Map([
    ...files.map((path) => /** @type {const} */ ([path, stamp(path)])),
    ...folders.map((path) => /** @type {const} */ ([`${path}/`, stamps(filesBelow(path))])),
    ...sources.map((path) => /** @type {const} */ ([asSources(path), stamps(sourcesBelow(path).sort())])),
  ]);

/**
 * The items of a set that were written after `since`: files, and folders of sources with such a file.
 * @param {Paths} paths
 * @returns {string[]}
 */
const writtenSince = ({ files = [], sources = [], since = Number.POSITIVE_INFINITY }) => {
  const isLater = (/** @type {string} */ path) => (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) > since;
  return [...files.filter(isLater), ...sources.filter((path) => sourcesBelow(path).some(isLater)).map(asSources)];
};

/** How a folder of sources is called among the items of a set. */
const asSources = (/** @type {string} */ path) => `${path}/*`;

/**
 * Calls `changed(name)` for each named set of paths that changed and then stayed the same for a moment; one call at a
 * time. Where the sets are a function, it is asked at each look: what is watched may follow from what was read. Returns a
 * function that ends it.
 * @param {Record<string, Paths> | (() => Record<string, Paths>)} sets
 * @param {(name: string) => Promise<void>} changed
 * @param {number} [everyMilliseconds]
 */
export function watch(sets, changed, everyMilliseconds = 400) {
  const setsNow = typeof sets === "function" ? sets : () => sets;
  /** What was there when it was last told of, by set and path. @type {Map<string, Map<string, string>>} */
  const told = new Map();
  /** @type {Map<string, Map<string, string>>} */
  let before = new Map();
  /** @type {NodeJS.Timeout} */
  let timer;
  let ended = false;

  /** @type {(name: string, paths: Paths, now: Map<string, string>) => boolean} */
  const differs = (name, paths, now) => {
    const known = told.get(name) ?? new Map();
    told.set(name, known);
    const isNew = [...now.keys()].some((path) => !known.has(path));
    const later = isNew ? writtenSince(paths) : [];
    for (const [path, seen] of now) if (!known.has(path)) known.set(path, later.includes(path) ? "" : seen);
    return [...now].some(([path, seen]) => known.get(path) !== seen);
  };
  /** @type {(name: string, now: Map<string, string>) => boolean} */
  const isSettled = (name, now) => [...now].every(([path, seen]) => before.get(name)?.get(path) === seen);

  const tick = async () => {
    /** @type {Map<string, Map<string, string>>} */
    const all = new Map();
    for (const [name, paths] of Object.entries(setsNow())) {
      const now = look(paths);
      all.set(name, now);
      if (!differs(name, paths, now) || !isSettled(name, now)) continue;
      told.set(name, new Map(now));
      await changed(name);
    }
    before = all;
    if (!ended) timer = setTimeout(tick, everyMilliseconds);
  };
  for (const [name, paths] of Object.entries(setsNow())) differs(name, paths, look(paths));
  timer = setTimeout(tick, everyMilliseconds);
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
