// gateway.toml in checked form, and the module of it that the user's main module imports.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "./failure.mjs";
import { ask } from "./subcommand.mjs";

/** @import { Project } from "./project.mjs" */

/** The module's name in the project's state. */
export const MODULE = "gateway.js";

/**
 * The options that name the project's files.
 * @param {Project} project
 */
export const filesOf = ({ wrangler, environment }) => [
  "--wrangler",
  wrangler,
  ...(environment === undefined ? [] : ["--env", environment]),
];

/**
 * Compiles the configuration: { form, findings } or, where it has a fault, { findings }.
 * @param {Project} project
 * @param {{ anyVariable?: boolean, text?: string }} [options] `anyVariable`: variables that wrangler's file lacks are set elsewhere;
 *   `text`: another configuration than that of gateway.toml, as TOML or JSON
 * @returns {Promise<{ form?: string, findings: string }>}
 */
export async function compile(project, { anyVariable = false, text } = {}) {
  const source = text === undefined ? project.gateway : "-";
  const args = ["compile", source, ...filesOf(project), ...(anyVariable ? ["--any-variable"] : [])];
  const { code, out, err } = await ask(args, { cwd: project.root, input: text });
  return code === 0 ? { form: out.trim(), findings: err.trim() } : { findings: `${out}${err}`.trim() };
}

/**
 * Any file in TOML as JSON, unchecked.
 * @param {Project} project
 * @param {string} file
 * @returns {Promise<unknown>}
 */
export async function tomlAsJson({ root }, file) {
  const { code, out, err } = await ask(["compile", file, "--as-written"], { cwd: root });
  if (code !== 0) throw new Failure(`${file} cannot be read`, { advice: [err.trim()] });
  return JSON.parse(out);
}

/**
 * The module that hands a configuration to `gateway()`.
 * @type {(form: string) => string}
 */
export const moduleOf = (form) => `export default ${JSON.stringify(form)};\n`;

/**
 * `pointsman build`: checks the configuration, and writes the module of it.
 * @param {Project} project
 */
export async function build(project) {
  const check = await ask(["check", project.gateway, ...filesOf(project)], { cwd: project.root });
  // What a configuration promises is not what somebody who deploys it wants to read.
  if (check.err.trim()) console.error(check.err.trim());
  if (check.code !== 0) throw new Failure("nothing was built", { code: check.code });
  const { form, findings } = await compile(project);
  if (form === undefined) throw new Failure("gateway.toml has faults: nothing was built", { advice: findings });
  writeModule(project, form);
}

/**
 * @param {Project} project
 * @param {string} form
 */
export function writeModule({ state }, form) {
  mkdirSync(state, { recursive: true });
  const file = join(state, MODULE);
  const text = moduleOf(form);
  // Who watches the file need not hear of what did not change, and never sees half of it.
  try {
    if (readFileSync(file, "utf8") === text) return;
  } catch {
    // It is not there yet.
  }
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}
