// Writes the repository of a new gateway.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { HELP, optionsOf, Usage } from "./options.mjs";
import { cases, customersJson, devVars, GITIGNORE, packageJson, WORKER } from "./template-files.mjs";
import { gatewayToml } from "./template-gateway.mjs";
import { readme } from "./template-readme.mjs";
import { workflow } from "./template-workflow.mjs";
import { wranglerFile } from "./template-wrangler.mjs";

/** @import { Options } from "./options.mjs" */

/** Something that the reader can mend. */
class Fault extends Error {}

/** An import that leaves something to be done by hand. */
const LEFT_TO_DO = 4;

/** @type {{ version: string }} */
const { version } = JSON.parse(readFileSync(fileURLToPath(new URL("../package.json", import.meta.url)), "utf8"));

/**
 * Runs it. Resolves to its exit code.
 * @param {string[]} args
 */
export async function run(args) {
  try {
    const options = await optionsOf(args, { input: process.stdin, output: process.stdout, cwd: process.cwd() });
    if (options === undefined) {
      console.log(HELP);
      return 0;
    }
    return create(options);
  } catch (error) {
    if (!(error instanceof Usage || error instanceof Fault)) throw error;
    console.error(`error: ${error.message}`);
    if (error instanceof Usage) console.error("  npm create pointsman@latest -- --help");
    return error instanceof Usage ? 2 : 1;
  }
}

/** @param {Options} options */
function create(options) {
  const { folder, archive } = options;
  const path = archive === undefined ? undefined : resolve(archive);
  if (path !== undefined && !existsSync(path)) throw new Fault(`--package ${archive}: there is no such file`);
  // Nothing is written over: whatever stands there is somebody's.
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new Fault(`${shown(folder)} is there already, and is not empty. Choose another name, or empty it`);
  const imported = options.from && importFrom(options, path);
  const files = filesOf(options, { version, archive: path && relative(folder, path) }, imported);
  for (const [name, text] of Object.entries(files)) write(join(folder, name), text);

  console.log(`${shown(folder)}/`);
  for (const name of Object.keys(files)) console.log(`  ${name}`);
  if (imported?.notes) console.log(`\n${imported.notes}`);
  console.log(["", "Next:", `  cd ${shown(folder)}`, "  npm install", "  npm start -- --demo"].join("\n"));
  return imported?.isLeftToDo ? LEFT_TO_DO : 0;
}

/**
 * All files, by their places.
 * @param {Options} options
 * @param {{ version: string, archive: string | undefined }} release
 * @param {Imported | undefined} imported
 * @returns {Record<string, string>}
 */
function filesOf(options, release, imported) {
  const wrangler = wranglerFile(options, imported?.wrangler);
  return {
    "gateway.toml": imported?.gateway ?? gatewayToml(options),
    [wrangler.name]: wrangler.text,
    "worker.js": WORKER,
    "data/customers.json": imported ? "[]\n" : customersJson(options),
    "data/keys.json": "[]\n",
    ...(imported ? {} : { "cases/routing.toml": cases(options) }),
    "package.json": packageJson(options, release),
    ".dev.vars.example": devVars(options),
    ".gitignore": GITIGNORE,
    "README.md": readme(options, wrangler.name),
    ".github/workflows/gateway.yml": workflow(),
  };
}

/**
 * Writes a file that is not there.
 * @param {string} file
 * @param {string} text
 */
function write(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  try {
    writeFileSync(file, text, { flag: "wx" });
  } catch (error) {
    throw new Fault(`${shown(file)} cannot be written: ${/** @type {Error} */ (error).message}`);
  }
}

/**
 * @typedef {{ gateway: string, wrangler: string, notes: string, isLeftToDo: boolean }} Imported
 */

/**
 * What the command line makes of another gateway's project. It is not installed yet, so npm brings it for this one call.
 * @param {Options} options
 * @param {string | undefined} archive
 * @returns {Imported}
 */
function importFrom({ from, jsonc }, archive) {
  if (jsonc) throw new Fault("--from writes wrangler.toml: leave --jsonc out");
  const project = String(from?.project);
  if (!existsSync(project)) throw new Fault(`--from zuplo ${shown(project)}: there is no such folder`);
  const work = mkdtempSync(join(tmpdir(), "create-pointsman-"));
  try {
    const [gateway, wrangler] = ["gateway.toml", "wrangler.toml"].map((name) => join(work, name));
    const command = ["pointsman", "import", "zuplo", project, "--out", gateway, "--wrangler-out", wrangler];
    const args = ["exec", "--yes", "--package", archive ?? `pointsman@${version}`, "--", ...command];
    const { status, stderr, error } = spawnSync("npm", args, { encoding: "utf8", cwd: work });
    if (error) throw new Fault(`npm cannot be run: ${error.message}`);
    if (!existsSync(gateway)) throw new Fault(`the import failed:\n${stderr.trim()}`);
    return {
      gateway: readFileSync(gateway, "utf8").replace("./schemas/", "./node_modules/pointsman/schemas/"),
      wrangler: readFileSync(wrangler, "utf8"),
      notes: stderr
        .trim()
        .split("\n")
        .filter((line) => !line.startsWith("wrangler.toml needs"))
        .join("\n"),
      isLeftToDo: status === LEFT_TO_DO,
    };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** @type {(path: string) => string} */
const shown = (path) => relative(process.cwd(), path) || ".";
