// How long `pointsman apply` through the management API takes for many customers: until it is killed half-way, for the rest, and
// where nothing is left to do. Ledger and KV are workerd's own, on this machine.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { API_PATH } from "../../demo/examples.mjs";
import { startGateway } from "../../demo/gateway.mjs";
import { ROOT_KEY, seedRootKey } from "../../demo/seed.mjs";
import { createWorld } from "../../demo/world.mjs";
import { withOperator } from "../../scripts/lib/demo-console.mjs";
import { Failure } from "../../scripts/lib/failure.mjs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { checkedForm, configurationAsWritten } from "../../scripts/lib/pointsman.mjs";
import { must } from "../../scripts/lib/run.mjs";

const id = (number) => `customer-${String(number).padStart(7, "0")}`;
const customer = (number) => ({
  customerId: id(number),
  backendUrl: `https://${id(number)}.tenants.example.com/api`,
  environmentName: number % 10 === 0 ? "sandbox" : "production",
});

/**
 * Runs the command line to its end, or until it has written so many; how long that took in seconds, and what it printed.
 * @param {string[]} args
 * @param {{ folder: string, until?: number, progress: (text: string) => void }} how
 * @returns {Promise<{ seconds: number, out: string, written: number }>}
 */
function run(args, { folder, until = Number.POSITIVE_INFINITY, progress }) {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const env = { ...process.env, POINTSMAN_ROOT_KEY: ROOT_KEY };
    const child = spawn(inRoot("target", "release", "pointsman"), args, { cwd: folder, env });
    let [out, said, written] = ["", "", 0];
    child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
      for (const [, number] of text.matchAll(/([\d ]+) of [\d ]+ customers written/g)) {
        written = Number(number.replaceAll(" ", ""));
        progress(`${written} customers written`);
      }
      if (written >= until) child.kill("SIGKILL");
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const isMeant = code === 0 || (signal === "SIGKILL" && written >= until);
      if (!isMeant) return reject(new Failure(`pointsman ${args[0]} ended with ${code}`, { advice: [said] }));
      resolve({ seconds: (performance.now() - began) / 1000, out, written });
    });
  });
}

export async function apply({ callers, progress }) {
  await must("compiling the command line", "cargo", ["build", "--release", "--package", "pointsman-cli"]);
  const folder = mkdtempSync(join(tmpdir(), "pointsman-apply-"));
  const world = createWorld();
  await world.start();
  const gateway = await startGateway({ world, gateway: checkedForm(withOperator(configurationAsWritten())) });
  try {
    await seedRootKey(await gateway.kv());
    const lines = Array.from({ length: callers }, (_, number) => JSON.stringify(customer(number)));
    writeFileSync(join(folder, "customers.jsonl"), `${lines.join("\n")}\n`);
    const api = new URL(API_PATH, gateway.url).href;
    const of = (command) => [command, ".", "--api", api];
    const plan = await run(of("plan"), { folder, progress });
    const killed = await run(of("apply"), { folder, until: callers / 2, progress });
    const rest = await run(of("apply"), { folder, progress });
    const again = await run(of("apply"), { folder, progress });
    const left = Number(/^([\d ]+) created/m.exec(rest.out)?.[1].replaceAll(" ", ""));
    if (!(left < callers) || !again.out.includes("nothing to do"))
      throw new Failure("the second run did again what the first had done", { advice: [rest.out, again.out] });
    const row = (what, { seconds }, customers) => ({ what, seconds, customers });
    return {
      callers,
      rows: [
        row("`plan`, where nothing is there", plan, callers),
        row("`apply`, killed half-way", killed, callers - left),
        row("`apply` again: the rest", rest, left),
        row("`apply` once more: nothing to do", again, 0),
      ],
    };
  } finally {
    await gateway.stop();
    await world.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
