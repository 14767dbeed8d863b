// The native command line, as the other scripts use it.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Failure } from "./failure.mjs";
import { inRoot, ROOT } from "./paths.mjs";
import { ask, must } from "./run.mjs";

// `CLOUDFLARE_ENV=staging npx wrangler deploy` builds for that environment: its variables are the ones that count. The
// console's has none of the gateway's.
const chosen = process.env.CLOUDFLARE_ENV;
const environment = chosen && chosen !== "console" ? ["--env", chosen] : [];
const PROJECT = ["--wrangler", "wrangler.toml", ...environment];
const CHECK = ["check", "gateway.toml", ...PROJECT];

/** Compiles the command line. */
export async function buildPointsman() {
  await must("compiling the command line", "cargo", ["build", "--package", "pointsman-cli"]);
}

/** @type {(file: string) => number} */
const modified = (file) => statSync(file).mtimeMs;

/** When any file that the command line is compiled from was last changed. gateway.toml is not one of them. */
function sourcesModified() {
  const sources = readdirSync(inRoot("crates"), { recursive: true, encoding: "utf8" }).map((name) =>
    inRoot("crates", name),
  );
  return Math.max(...[...sources, ...["Cargo.toml", "Cargo.lock"].map((name) => inRoot(name))].map(modified));
}

/** The command line's program, compiled where it has to be. */
export async function freshPointsman() {
  const file = binary();
  // cargo leaves a program alone that it finds up to date, so the program's own time would not do.
  const stamp = join(dirname(file), ".pointsman-built");
  if (!existsSync(file) || !existsSync(stamp) || modified(stamp) < sourcesModified()) {
    const started = new Date();
    await buildPointsman();
    writeFileSync(stamp, "");
    // What was changed meanwhile is compiled the next time.
    utimesSync(stamp, started, started);
  }
  return file;
}

/** @type {string | undefined} */
let program;
/** Where cargo put it: run from there, since `cargo run` would compile again for each change of gateway.toml. */
function binary() {
  if (program) return program;
  const metadata = ask("cargo", ["metadata", "--no-deps", "--format-version", "1"]);
  if (!metadata)
    throw new Failure("cargo metadata failed", { advice: ["Is Cargo.toml in order? By hand: cargo metadata"] });
  program = join(JSON.parse(metadata).target_directory, "debug", "pointsman");
  return program;
}

/**
 * @param {string[]} args
 * @param {string} [input]
 */
function run(args, input) {
  const { status, stdout, stderr, error } = spawnSync(binary(), args, {
    cwd: ROOT,
    input,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (error) throw new Failure(`can't run the command line: ${error.message}`);
  return { status, stdout, all: `${stdout}${stderr}`.trim() };
}

/** Whether gateway.toml and wrangler.toml are in order, and what the check says. */
export function checkConfiguration() {
  const { status, all } = run(CHECK);
  return { ok: status === 0, findings: all };
}

/** Stops with the findings where the configuration has a fault: a bad one must not be built. */
export function needGoodConfiguration() {
  const { ok, findings } = checkConfiguration();
  if (findings) console.log(findings);
  if (!ok) throw new Failure("the configuration has faults: see above");
}

/** gateway.toml as JSON, with variables and secrets by their names only: what the console shows. */
export function configurationAsWritten() {
  const { status, stdout, all } = run(["compile", "gateway.toml", "--as-written"]);
  if (status !== 0) throw new Failure("gateway.toml cannot be read", { advice: [all] });
  return stdout.trim();
}

/**
 * A configuration in checked form, which the Worker reads: { form } or { findings }. `text` is TOML or JSON in place of
 * gateway.toml; with `anyVariable` its variables need not be those of wrangler.toml.
 * @param {string} [text]
 * @param {{ anyVariable?: boolean }} [options]
 * @returns {{ form: string, findings?: undefined } | { form?: undefined, findings: string }}
 */
export function compileConfiguration(text, { anyVariable = false } = {}) {
  const source = text === undefined ? "gateway.toml" : "-";
  const args = ["compile", source, ...PROJECT, ...(anyVariable ? ["--any-variable"] : [])];
  const { status, stdout, all } = run(args, text);
  return status === 0 ? { form: stdout.trim() } : { findings: all };
}

/** @type {Map<string, string>} */
const forms = new Map();
/**
 * The checked form of a configuration that must be in order, for tests and benchmarks. The same text is compiled once.
 * @param {string} text
 */
export function checkedForm(text) {
  const held = forms.get(text);
  if (held !== undefined) return held;
  const { form, findings } = compileConfiguration(text, { anyVariable: true });
  if (form === undefined) throw new Failure("the configuration has faults", { advice: [findings] });
  forms.set(text, form);
  return form;
}

/**
 * The module beside the wasm from which the Worker takes its configuration.
 * @type {(form: string) => string}
 */
export const configurationModule = (form) => `export default ${JSON.stringify(form)};\n`;

/**
 * Writes the configuration into `out`, for the Worker there.
 * @param {string} out
 */
export function writeConfiguration(out) {
  const { form, findings } = compileConfiguration();
  if (form === undefined) throw new Failure("the configuration cannot be compiled", { advice: [findings] });
  mkdirSync(inRoot(out), { recursive: true });
  writeFileSync(inRoot(out, CONFIGURATION), configurationModule(form));
}

/** The name of that module. */
export const CONFIGURATION = "gateway.js";

/**
 * gateway.toml as JSON in build/gateway.json, which the console shows. A JSON text of it, since the bundler would read
 * numbers as doubles.
 */
export function writeConsoleConfiguration() {
  mkdirSync(inRoot("build"), { recursive: true });
  writeFileSync(inRoot("build", "gateway.json"), `${JSON.stringify(configurationAsWritten())}\n`);
}
