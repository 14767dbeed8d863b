// wrangler as a program: it has the credentials, and reads what it may do.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "./failure.mjs";

/** @import { Project, Tools } from "./project.mjs" */

/**
 * @param {Project} project
 * @param {Tools} tools
 */
export function wranglerOf({ root, wrangler: file, environment }, tools) {
  const own = ["--config", file, ...(environment === undefined ? [] : ["--env", environment])];
  // For those of its commands that are about the account. What wrangler says of itself belongs to stderr then.
  const account = (/** @type {string[]} */ args) => run([...args, "--config", file], { quiet: true });

  /**
   * @param {string[]} args
   * @param {{ quiet: boolean, env?: Record<string, string> }} how
   * @returns {Promise<{ code: number, out: string, err: string }>}
   */
  function run(args, { quiet, env = {} }) {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [tools.program, ...args], {
        cwd: root,
        // The build checks against the environment that is deployed.
        env: {
          ...process.env,
          WRANGLER_LOG: quiet ? "error" : "log",
          WRANGLER_HIDE_BANNER: "true",
          CLOUDFLARE_ENV: environment ?? "",
          ...env,
        },
        stdio: quiet ? ["ignore", "pipe", "pipe"] : ["inherit", "inherit", "inherit"],
      });
      const ended = { code: 1, out: "", err: "" };
      child.stdout?.setEncoding("utf8").on("data", (text) => (ended.out += text));
      child.stderr?.setEncoding("utf8").on("data", (text) => (ended.err += text));
      child.on("error", (error) => reject(new Failure(`wrangler cannot be run: ${error.message}`)));
      child.on("close", (code) => resolve({ ...ended, code: code ?? 1 }));
    });
  }

  /** @type {(what: string, ended: { out: string, err: string }) => Failure} */
  const failed = (what, { out, err }) =>
    new Failure(`${what}: wrangler failed`, { advice: `${err}\n${out}`.trim().split("\n"), code: 3 });

  return {
    /** As it is written in a command of wrangler. */
    environmentFlag: environment === undefined ? "" : ` --env ${environment}`,
    /**
     * The id of a KV namespace of the account; undefined where there is none.
     * @param {string} title
     * @returns {Promise<string | undefined>}
     */
    async namespaceId(title) {
      const ended = await account(["kv", "namespace", "list"]);
      if (ended.code !== 0) throw failed("the KV namespaces cannot be listed", ended);
      return JSON.parse(ended.out).find((/** @type {{ title: string }} */ one) => one.title === title)?.id;
    },
    /**
     * @param {string} title
     * @returns {Promise<string>} the id
     */
    async createNamespace(title) {
      const ended = await account(["kv", "namespace", "create", title]);
      // What it prints is for people, and differs by version; the listing does not.
      const id = ended.code === 0 ? await this.namespaceId(title) : undefined;
      if (id === undefined) throw failed(`the KV namespace ${title} cannot be created`, ended);
      return id;
    },
    /** The names of the Worker's secrets; none where there is no such Worker yet. @returns {Promise<string[]>} */
    async secretNames() {
      const ended = await run(["secret", "list", "--format", "json", ...own], { quiet: true });
      if (ended.code === 0) return JSON.parse(ended.out).map((/** @type {{ name: string }} */ { name }) => name);
      if (/code: 10007|does not exist|not found/i.test(`${ended.out}${ended.err}`)) return [];
      throw failed("the Worker's secrets cannot be listed", ended);
    },
    /**
     * Deploys, with wrangler's own words on the terminal.
     * @param {string[]} more
     * @returns {Promise<{ version: string | undefined, urls: string[] }>}
     */
    async deploy(more) {
      const folder = mkdtempSync(join(tmpdir(), "pointsman-deploy-"));
      const record = join(folder, "wrangler.ndjson");
      try {
        const { code } = await run(["deploy", ...own, ...more], {
          quiet: false,
          env: { WRANGLER_OUTPUT_FILE_PATH: record },
        });
        if (code !== 0) throw new Failure("wrangler did not deploy", { advice: ["Its own words are above."], code: 3 });
        return readRecord(record);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

/** @typedef {ReturnType<typeof wranglerOf>} WranglerProgram */

/**
 * What wrangler notes of a deployment, one JSON object on each line.
 * @param {string} file
 */
function readRecord(file) {
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
  /** @type {{ type?: string, version_id?: string, targets?: string[] }[]} */
  const entries = lines.map((line) => JSON.parse(line));
  const entry = entries.findLast(({ type }) => type === "deploy");
  const urls = (entry?.targets ?? []).flatMap((target) => {
    if (/^https?:/.test(target)) return [new URL("/", target).href];
    // A route is a pattern, and a custom domain has words behind it.
    const host = target.split(/[\s/*]/)[0];
    return host === "" ? [] : [`https://${host}/`];
  });
  return { version: entry?.version_id, urls };
}
