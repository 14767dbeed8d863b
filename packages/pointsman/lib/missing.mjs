// What the gateway lacks on this machine: variables that are set nowhere, and what `pointsman check` says of wrangler's file.

import { filesOf } from "./compile.mjs";
import { ask } from "./subcommand.mjs";

/** @import { Project } from "./project.mjs" */

/** @typedef {{ file?: string, line?: number, message: string, pointer: string, severity: string }} Finding */

const UNSET = /^the variable (\w+) is not set/;

/**
 * The faults that a deployment of the project would have.
 * @param {Project} project
 * @returns {Promise<Finding[]>}
 */
export async function faultsOf(project) {
  const { out } = await ask(["check", project.gateway, "--json", ...filesOf(project)], { cwd: project.root });
  try {
    return JSON.parse(out).findings.filter((/** @type {Finding} */ { severity }) => severity === "error");
  } catch {
    // It could not read its files, and whoever compiles them says so.
    return [];
  }
}

/**
 * A sentence for each thing that is missing here.
 * @param {string[]} unset the variables that are set nowhere on this machine
 * @param {Finding[]} faults
 */
export const missingHere = (unset, faults) => [
  ...unset.map((name) => `\${${name}} is set nowhere: put ${name}=… into .dev.vars. Until then every request gets 500`),
  // Of a variable that is set here, the deployment is not this machine's matter.
  ...faults.filter(({ message }) => !UNSET.test(message)).map(sentence),
];

/** @param {Finding} finding */
const sentence = ({ file, line, message, pointer }) =>
  `${[file, line].filter(Boolean).join(":")}${pointer ? ` ${pointer}` : ""}: ${message}`;
