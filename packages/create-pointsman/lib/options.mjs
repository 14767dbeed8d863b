// What the new gateway is to be: from flags, from questions on a terminal, or by default.
import { basename, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";

export const HELP = `npm create pointsman@latest NAME [-- OPTIONS]

Writes the repository of a new gateway into the folder NAME. Asks what it is not told, if there is a terminal.

  --yes                       asks nothing: what is not told is as by default
  --callers keys|tokens|both  how callers authenticate; default keys
  --issuer URL                who signs the tokens, as iss names it
  --audience TEXT             whom the tokens are for, as aud names it; default the gateway's name
  --customers files|api       where customers' own backends stand: in data/, or in an API of yours; default files
  --from zuplo DIR            begins with what a Zuplo project has
  --jsonc                     writes wrangler.jsonc and not wrangler.toml
  --package FILE              an archive of pointsman in place of the one from the registry
  --help

Exit codes: 0 written, 1 it cannot be written, 2 wrong usage, 4 written, and something of the import is left to be done.`;

/** Wrong arguments. */
export class Usage extends Error {}

/**
 * @typedef {object} Options
 * @property {string} folder the full path
 * @property {string} name of the Worker
 * @property {"keys" | "tokens" | "both"} callers
 * @property {string | undefined} issuer
 * @property {string} audience
 * @property {"files" | "api"} customers
 * @property {{ gateway: "zuplo", project: string } | undefined} from
 * @property {boolean} jsonc
 * @property {string | undefined} archive
 */

const FLAGS = /** @type {const} */ ({
  yes: { type: "boolean", short: "y" },
  callers: { type: "string" },
  issuer: { type: "string" },
  audience: { type: "string" },
  customers: { type: "string" },
  from: { type: "string" },
  jsonc: { type: "boolean" },
  package: { type: "string" },
  help: { type: "boolean", short: "h" },
});

/**
 * What the arguments say, with a question for what they do not. Undefined where help was wanted.
 * @param {string[]} args
 * @param {{ input: NodeJS.ReadStream, output: NodeJS.WriteStream, cwd: string }} terminal
 * @returns {Promise<Options | undefined>}
 */
export async function optionsOf(args, { input, output, cwd }) {
  let parsed;
  try {
    parsed = parseArgs({ args, options: FLAGS, allowPositionals: true });
  } catch (error) {
    throw new Usage(/** @type {Error} */ (error).message);
  }
  const { values: given, positionals } = parsed;
  if (given.help) return undefined;
  const ask = given.yes || !input.isTTY || !output.isTTY ? undefined : createInterface({ input, output });
  // Ctrl-D and Ctrl-C end the questions, and nothing was written.
  const aborted = new AbortController();
  ask?.once("close", () => aborted.abort());
  try {
    return await fill(given, positionals, { cwd, ask: ask && asker(ask, output, aborted.signal) });
  } catch (error) {
    if (aborted.signal.aborted) throw new Usage("nothing was written");
    throw error;
  } finally {
    ask?.removeAllListeners("close");
    ask?.close();
  }
}

/**
 * @typedef {(question: string, check: (answer: string) => string | undefined) => Promise<string>} Ask
 */

/**
 * Asks until the answer will do. `check` says what is wrong with it.
 * @param {import("node:readline/promises").Interface} terminal
 * @param {NodeJS.WriteStream} output
 * @param {AbortSignal} signal
 * @returns {Ask}
 */
function asker(terminal, output, signal) {
  return async (question, check) => {
    for (;;) {
      const answer = (await terminal.question(question, { signal })).trim();
      const wrong = check(answer);
      if (wrong === undefined) return answer;
      output.write(`  ${wrong}\n`);
    }
  };
}

/**
 * @param {{ [Name in keyof typeof FLAGS]?: string | boolean }} given
 * @param {string[]} positionals
 * @param {{ cwd: string, ask: Ask | undefined }} place
 * @returns {Promise<Options>}
 */
async function fill(given, positionals, { cwd, ask }) {
  const text = (/** @type {keyof typeof FLAGS} */ name) => {
    const value = given[name];
    return typeof value === "string" ? value : undefined;
  };
  const from = fromOf(text("from"), positionals, cwd);
  if (positionals.length > 1) throw new Usage(`one name is enough: ${positionals.join(" ")}`);
  const place = positionals[0] ?? (await ask?.("The folder of the new gateway: ", nameFault));
  if (place === undefined) throw new Usage("say how the gateway is called: create-pointsman my-gateway");
  const wrong = nameFault(place);
  if (wrong) throw new Usage(wrong);
  const folder = resolve(cwd, place);

  // Of an import, the file says how callers authenticate.
  const wanted = from === undefined ? ask : undefined;
  const callers = /** @type {Options["callers"]} */ (
    await choice("callers", text("callers"), ["keys", "tokens", "both"], "How do callers authenticate", wanted)
  );
  let issuer = text("issuer");
  if (issuer === undefined && callers !== "keys" && wanted)
    issuer = await wanted("Who signs the tokens? iss, for example https://id.example.com/: ", issuerFault);
  const bad = issuer === undefined ? undefined : issuerFault(issuer);
  if (bad) throw new Usage(`--issuer: ${bad}`);
  const customers = /** @type {Options["customers"]} */ (
    await choice("customers", text("customers"), ["files", "api"], "Where do customers' own backends stand", wanted)
  );
  const name = workerName(basename(folder));
  return {
    folder,
    name,
    callers,
    issuer,
    audience: text("audience") ?? name,
    customers,
    from,
    jsonc: given.jsonc === true,
    archive: text("package"),
  };
}

/**
 * `--from zuplo DIR`: the folder is the argument that follows.
 * @param {string | undefined} gateway
 * @param {string[]} positionals
 * @param {string} cwd
 * @returns {Options["from"]}
 */
function fromOf(gateway, positionals, cwd) {
  if (gateway === undefined) return undefined;
  if (gateway !== "zuplo") throw new Usage(`--from ${gateway}: there is zuplo, and no other`);
  if (positionals.length < 2) throw new Usage("--from zuplo wants the project's folder: NAME --from zuplo ../my-api");
  const project = positionals.pop();
  return { gateway, project: resolve(cwd, String(project)) };
}

/**
 * @param {string} flag
 * @param {string | undefined} given
 * @param {string[]} among the first is the default
 * @param {string} question
 * @param {Ask | undefined} ask
 */
async function choice(flag, given, among, question, ask) {
  const fault = (/** @type {string} */ answer) =>
    among.includes(answer) ? undefined : `write ${among.slice(0, -1).join(", ")} or ${among.at(-1)}`;
  if (given !== undefined) {
    if (fault(given)) throw new Usage(`--${flag} ${given}: ${fault(given)}`);
    return given;
  }
  const answer = await ask?.(`${question}? ${among.join(", ")} [${among[0]}]: `, (answer) =>
    answer === "" ? undefined : fault(answer),
  );
  return answer || among[0];
}

/** @param {string} name */
const nameFault = (name) =>
  workerName(basename(name)) === "" ? "a name has letters, digits and -: my-gateway" : undefined;

/**
 * The Worker's name: what the platform takes of a folder's.
 * @param {string} name
 */
const workerName = (name) =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 54);

/** @param {string} text */
function issuerFault(text) {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    return "an issuer is a URL, byte for byte as iss of its tokens has it: https://id.example.com/";
  return undefined;
}
