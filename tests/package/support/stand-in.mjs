// A stand-in for wrangler in a user's repository: an account in a file. As a library it is the real one.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inRoot } from "../../../scripts/lib/paths.mjs";

const PROGRAM = `
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
const file = new URL("../account.json", import.meta.url);
const account = JSON.parse(readFileSync(file, "utf8"));
const args = process.argv.slice(2);
account.calls.push(args);
const valueOf = (flag) => args[args.indexOf(flag) + 1];
const command = args.slice(0, 3).join(" ");
if (command === "kv namespace list") console.log(JSON.stringify(account.namespaces));
else if (command === "kv namespace create") {
  account.namespaces.push({ title: args[3], id: "f".repeat(31) + account.namespaces.length });
  console.log("created, in words that differ by version");
} else if (args[0] === "secret") {
  if (account.secrets === null) { console.error("This Worker does not exist [code: 10007]"); process.exitCode = 1; }
  else console.log(JSON.stringify(account.secrets.map((name) => ({ name, type: "secret_text" }))));
} else if (args[0] === "deploy") {
  if (account.fails) process.exitCode = 1;
  else appendFileSync(process.env.WRANGLER_OUTPUT_FILE_PATH,
    JSON.stringify({ type: "deploy", version_id: "version-1", targets: account.targets }) + "\\n");
} else process.exitCode = 9;
writeFileSync(file, JSON.stringify(account));
`;

/**
 * Puts it in the place of a project's wrangler.
 * @param {{ path: (...parts: string[]) => string }} project
 * @param {{ namespaces?: object[], secrets?: string[] | null, targets?: string[], fails?: boolean }} account
 */
export function standIn(project, { namespaces = [], secrets = [], targets = [], fails = false } = {}) {
  const folder = project.path("node_modules", "wrangler");
  rmSync(folder, { recursive: true, force: true });
  for (const name of ["bin", "wrangler-dist"]) mkdirSync(join(folder, name), { recursive: true });
  const write = (name, text) => writeFileSync(join(folder, name), text);
  write(
    "package.json",
    JSON.stringify({ name: "wrangler", version: "4.164.0", main: "wrangler-dist/cli.cjs", type: "module" }),
  );
  write("wrangler-dist/cli.cjs", `module.exports = require(${JSON.stringify(inRoot("node_modules", "wrangler"))});\n`);
  write("bin/wrangler.js", PROGRAM);
  write("account.json", JSON.stringify({ namespaces, secrets, targets, fails, calls: [] }));
  return { account: () => JSON.parse(readFileSync(join(folder, "account.json"), "utf8")) };
}
