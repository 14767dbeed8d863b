// The project's cases: requests, and where they must go. The command line decides whether a decision is as expected
// (crates/pointsman-cli/src/explain); here they are read to be sent.
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tomlAsJson } from "./compile.mjs";
import { Failure } from "./failure.mjs";

/** @import { Project } from "./project.mjs" */

/**
 * @typedef {object} CaseRequest
 * @property {string} path with its query, or a whole URL
 * @property {string} [method]
 * @property {string} [host]
 * @property {Record<string, string | string[]>} [headers]
 * @property {string} [key]
 * @property {string} [jwt]
 * @property {Record<string, unknown>} [claims]
 * @property {string} [subject]
 * @property {Record<string, unknown>} [authorize] what the service answers that the route asks
 * @property {string} [ip]
 * @property {string} [now]
 *
 * @typedef {{ place: string, name?: string, request: CaseRequest & Record<string, unknown>, expect: Record<string, unknown> }} Case
 */

/** The folder's name in a project. */
export const CASES = "cases";

/**
 * All cases, in the order of the files' names.
 * @param {Project} project
 * @returns {Promise<Case[]>}
 */
export async function readCases(project) {
  const folder = join(project.root, CASES);
  if (!existsSync(folder)) return [];
  const files = globSync("**/*.{json,toml}", { cwd: folder }).sort();
  const lists = await Promise.all(files.map((file) => casesOf(project, file)));
  return lists.flat();
}

/**
 * @param {Project} project
 * @param {string} file
 * @returns {Promise<Case[]>}
 */
async function casesOf(project, file) {
  const path = join(project.root, CASES, file);
  const place = `${CASES}/${file}`;
  let read;
  try {
    read = file.endsWith(".toml") ? await tomlAsJson(project, path) : JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`${place} cannot be read: ${/** @type {Error} */ (error).message}`);
  }
  /** @type {Omit<Case, "place">[]} */
  const cases = Array.isArray(read) ? read : (read.cases ?? [read]);
  return cases.map((one, index) => ({ ...one, place: cases.length > 1 ? `${place} #${index + 1}` : place }));
}
