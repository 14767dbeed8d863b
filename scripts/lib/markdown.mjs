// What the tests of the documents need to know of Markdown: headings, links, and where a link leads.
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { inRoot, ROOT } from "./paths.mjs";

/** Folders that hold other people's files, or files that a build wrote. */
const NOT_OURS = new Set(["node_modules", "target", "build", ".git", ".wrangler"]);

/**
 * All files of the project that match, as paths from its root. A pattern that matches nothing is a fault of the test.
 * @param {string} pattern
 */
export function projectFiles(pattern) {
  const files = globSync(pattern, { cwd: ROOT, exclude: (name) => NOT_OURS.has(name) }).sort();
  if (files.length === 0) throw new Error(`no file matches ${pattern}`);
  return files;
}

/** @type {(file: string) => string} */
export const readProjectFile = (file) => readFileSync(inRoot(file), "utf8");

/**
 * The text without what stands in code blocks. Lines keep their numbers.
 * @type {(text: string) => string}
 */
const withoutCodeBlocks = (text) =>
  text.replace(/^( *)```[^\n]*\n[\s\S]*?^\1```[^\n]*$/gm, (block) => block.replace(/[^\n]/g, ""));

/**
 * The anchors that GitHub gives the headings of a document, in their order.
 * @param {string} text
 * @returns {string[]}
 */
export function anchors(text) {
  const seen = new Map();
  const headings = [...withoutCodeBlocks(text).matchAll(/^#{1,6} +(.*?) *#*$/gm)];
  return headings.map(([, heading]) => {
    const words = heading.replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = words.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, "").replaceAll(" ", "-");
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  });
}

/**
 * The targets of all links and images of a document: [{ line, target }].
 * @param {string} text
 */
export function links(text) {
  const prose = withoutCodeBlocks(text).replace(/`[^`\n]*`/g, (code) => " ".repeat(code.length));
  const found = prose.matchAll(/\]\(\s*<?([^)>\s]+)[^)]*\)|^\[[^\]]+\]:\s*(\S+)/gm);
  return [...found].map(({ 1: inline, 2: reference, index }) => ({
    line: prose.slice(0, index).split("\n").length,
    target: inline ?? reference,
  }));
}

/**
 * What is wrong with a link from `file` to `target`; nothing where all is well or the link leads to another site.
 * @param {string} file
 * @param {string} target
 */
export function linkFault(file, target) {
  if (/^[a-z][a-z+.-]*:/i.test(target)) return undefined;
  const [path, anchor] = target.split("#");
  const to = path === "" ? file : normalize(join(dirname(file), path));
  if (to.startsWith("..") || !existsSync(inRoot(to))) return `there is no ${to}`;
  if (anchor !== undefined && !anchors(readProjectFile(to)).includes(anchor)) return `${to} has no heading #${anchor}`;
  return undefined;
}
