// Tests by the names that documents give them: whether they exist.
import { existsSync, globSync } from "node:fs";
import { projectFiles, readProjectFile } from "./markdown.mjs";
import { inRoot, ROOT } from "./paths.mjs";

/**
 * What a cell names: `name`, and the titles in quotes that follow it.
 * @param {string} cell
 */
export function named(cell) {
  const [, ...parts] = cell.split("`");
  const names = [];
  for (let i = 0; i + 1 < parts.length; i += 2)
    names.push({ name: parts[i], titles: [...parts[i + 1].matchAll(/"([^"]+)"/g)].map(([, title]) => title) });
  return names;
}

/** @type {(text: string) => string} */
const asItIs = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
/** @type {(text: string, between: string) => string} */
const pattern = (text, between) => text.split(/[*…]/).map(asItIs).join(between);

const rust = new Map(projectFiles("{src,crates,tests}/**/*.rs").map((file) => [file, readProjectFile(file)]));

/**
 * A Rust test: its function stands in a file, or below a folder, of its module.
 * @param {string} name
 */
function rustFaults(name) {
  const modules = name.split("::");
  const functionName = modules.pop() ?? "";
  const wanted = new RegExp(`#\\[test\\]\\s*(?:#\\[[^\\n]*\\]\\s*)*fn ${pattern(functionName, "\\w*")}\\(`);
  // Properties stand in a macro, behind no attribute of their own.
  const property = new RegExp(`proptest! \\{[\\s\\S]*fn ${pattern(functionName, "\\w*")}\\(`);
  /** @type {(file: [string, string]) => boolean} */
  const holds = ([, text]) => wanted.test(text) || property.test(text);
  /** @type {(file: [string, string]) => boolean} */
  const isIn = ([file]) =>
    modules.every((module) => file.replaceAll("pointsman-", "").replace(/\.rs$/, "").split("/").includes(module));
  const found = [...rust].filter(holds);
  if (found.some(isIn)) return [];
  const elsewhere = functionName === "*" ? [] : found.map(([file]) => file);
  return [`${name}: no such test${elsewhere.length > 0 ? `; one of that name stands in ${elsewhere.join(", ")}` : ""}`];
}

/**
 * A file of Node's tests, and tests in it by their titles, of which templates fill parts.
 * @param {string} name
 * @param {string[]} titles
 */
function nodeFaults(name, titles) {
  const file = `tests/${name}.test.mjs`;
  if (!existsSync(inRoot(file))) return [`${file}: no such file`];
  const text = readProjectFile(file);
  const missing = titles.filter((title) => !new RegExp(`["\`]${pattern(title, "[^\\n]*")}["\`]`).test(text));
  return missing.map((title) => `${file}: no test "${title}"`);
}

/**
 * What is wrong with one that is named: nothing where it exists.
 * @param {{ name: string, titles: string[] }} named
 * @returns {string[]}
 */
export function faults({ name, titles }) {
  if (name.startsWith("cases/"))
    return globSync(`fixtures/${name}.json`, { cwd: ROOT }).length > 0 ? [] : [`${name}: no such case`];
  if (/^(workerd|edge|cli|cli-wasm|console|browser|package)\/[\w-]+$/.test(name)) return nodeFaults(name, titles);
  if (/^\w+(::[\w*…]+)+$/.test(name)) return rustFaults(name);
  if (/^tests\/\w+\.rs$/.test(name)) return rust.has(name) ? [] : [`${name}: no such file`];
  // The name of a field, say.
  return /^[A-Z]/.test(name) ? [] : [`${name}: neither a test nor a case`];
}
