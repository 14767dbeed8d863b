// The commands that are no part of the command line's program: they start wrangler and workerd.
import { parseArgs } from "node:util";
import { build } from "./compile.mjs";
import { Failure, main } from "./failure.mjs";
import { wantedPort } from "./port.mjs";
import { findProject } from "./project.mjs";
import { say } from "./say.mjs";

/** @typedef {Record<string, string | boolean | undefined>} Given */

const ENVIRONMENT = { env: { type: /** @type {const} */ ("string") } };

/**
 * Of each command its options, its help, and what it does. What a command needs is imported when it runs.
 * @type {Record<string, { about: string, help: string, options: import("node:util").ParseArgsConfig["options"], run: (given: Given) => Promise<void> }>}
 */
export const COMMANDS = {
  start: {
    about: "Runs the gateway on this machine, live at each save",
    help: `pointsman start [--demo] [--port N] [--host ADDRESS] [--env NAME] [--data DIR]

  --demo          answers in place of all backends, issuers and the config API
  --port N        default 8787, or what the variable PORT says
  --host ADDRESS  default 127.0.0.1
  --env NAME      an environment of wrangler's file
  --data DIR      the folder with customers and keys; default data`,
    options: {
      ...ENVIRONMENT,
      demo: { type: "boolean" },
      port: { type: "string" },
      host: { type: "string" },
      data: { type: "string" },
    },
    async run({ env, demo, port, host, data }) {
      const { start } = await import("./start.mjs");
      await start(findProject({ environment: text(env) ?? process.env.CLOUDFLARE_ENV }), {
        demo: demo === true,
        port: wantedPort(port === undefined ? process.env : { PORT: text(port) }),
        host: text(host) ?? "127.0.0.1",
        data: text(data) ?? "data",
      });
    },
  },
  test: {
    about: "Checks the configuration, and decides cases/ offline and in workerd",
    help: `pointsman test [--env NAME] [--data DIR]

  --env NAME      an environment of wrangler's file
  --data DIR      the folder with customers and keys; default data`,
    options: { ...ENVIRONMENT, data: { type: "string" } },
    async run({ env, data }) {
      const { test } = await import("./test.mjs");
      await test(findProject({ environment: text(env) ?? process.env.CLOUDFLARE_ENV }), { data: text(data) ?? "data" });
    },
  },
  deploy: {
    about: "Checks, creates the KV namespace where there is none, deploys, and sends one request",
    help: `pointsman deploy [--env NAME] [--dry-run] [--data DIR]

  --env NAME      an environment of wrangler's file
  --dry-run       changes nothing outside, and needs no credentials
  --data DIR      the folder with customers and keys, which are checked; default data`,
    options: { ...ENVIRONMENT, "dry-run": { type: "boolean" }, data: { type: "string" } },
    async run({ env, "dry-run": dryRun, data }) {
      const { deploy } = await import("./deploy.mjs");
      const project = findProject({ environment: text(env) ?? process.env.CLOUDFLARE_ENV });
      await deploy(project, { dryRun: dryRun === true, data: text(data) ?? "data" });
    },
  },
  build: {
    about: "Checks gateway.toml and compiles it for the main module; wrangler calls it",
    help: `pointsman build [--env NAME]

  --env NAME      an environment of wrangler's file; default the one that CLOUDFLARE_ENV names`,
    options: ENVIRONMENT,
    async run({ env }) {
      await build(findProject({ environment: text(env) ?? process.env.CLOUDFLARE_ENV }));
    },
  },
};

/** @type {(value: string | boolean | undefined) => string | undefined} */
const text = (value) => (typeof value === "string" ? value : undefined);

/** What the help of the command line has beside its own commands. */
export const overview = () => {
  const lines = Object.entries(COMMANDS).map(([name, { about }]) => `  ${name.padEnd(12)}${about}`);
  return ["", "In the repository of a gateway:", ...lines].join("\n");
};

/**
 * Runs one of them.
 * @param {string[]} args the command's name and its arguments
 */
export async function run([name, ...args]) {
  await main(async () => {
    const command = COMMANDS[name];
    if (args.includes("--help") || args.includes("-h")) return say(`${command.about}.\n\n${command.help}`);
    let given;
    try {
      given = /** @type {Given} */ (parseArgs({ args, options: command.options, allowPositionals: false }).values);
    } catch (error) {
      throw new Failure(/** @type {Error} */ (error).message, { advice: [command.help], code: 2 });
    }
    await command.run(given);
  });
}
