// How long `pointsman diff` takes for a million customers, and what memory it takes at the worst moment.
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "../../scripts/lib/failure.mjs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { must } from "../../scripts/lib/run.mjs";
import { cpuOf } from "../lib/proc.mjs";
import { rounded, spread } from "../lib/statistics.mjs";

/** How often the memory is looked at, in milliseconds. The kernel keeps the highest, so only the last look counts. */
const EVERY = 20;
const SOME = 5000;

/** Seven routes of the forms in docs/recipes.md, of which two ask each caller with several requests. */
const gateway = ({ gold, canary }) => `
[api_keys]
prefixes = ["sk_live"]
[customers]
claim = "customerId"
[[issuers]]
name = "main"
issuer = "https://id.example.com/"
audience = "api"
algorithms = ["ES256"]
discovery = true
[backends.gold]
url = "https://gold.example.com"
[backends.shared]
url = "https://shared.example.com"
[backends.eu]
url = "https://eu.example.com"
[backends.next]
url = "https://next.example.com"
${["orders", "invoices", "users", "reports"]
  .map(
    (name) => `
[[routes]]
path = "/${name}/{+path}"
methods = ["GET", "POST"]
auth = ["api_key", "main"]
rules = [{ name = "gold", when = { plan = ${JSON.stringify(gold)} }, to = "gold" }, { name = "own", to = "customer" }]`,
  )
  .join("\n")}
[[routes]]
path = "/near/{+path}"
auth = ["api_key", "main"]
rules = [{ name = "eu", when = { "$country" = { in = ["DE", "FR"] } }, to = "eu" }, { name = "rest", to = "shared" }]
[[routes]]
path = "/rollout/{+path}"
auth = ["api_key", "main"]
rules = [{ name = "canary", split = [{ to = "next", weight = ${canary} }, { to = "shared", weight = ${100 - canary} }], by = "customerId" }]
[[routes]]
path = "/shared/{+path}"
auth = ["api_key", "main"]
rules = [{ name = "all", to = "shared" }]
`;

/** Records of the usual length, one in a line. */
function write(file, count, record) {
  const opened = openSync(file, "w");
  for (let from = 0; from < count; from += SOME) {
    const lines = Array.from({ length: Math.min(SOME, count - from) }, (_, at) => JSON.stringify(record(from + at)));
    writeSync(opened, `${lines.join("\n")}\n`);
  }
  closeSync(opened);
}

const id = (number) => `customer-${String(number).padStart(7, "0")}`;
const customer = (number) => ({
  customerId: id(number),
  backendUrl: `https://${id(number)}.tenants.example.com/api`,
  environmentName: number % 10 === 0 ? "sandbox" : "production",
});
const key = (number) => ({
  sha256: number.toString(16).padStart(64, "0"),
  subject: `service-${number}`,
  claims: { customerId: id(number), plan: number % 20 === 0 ? "gold" : "free" },
  createdAt: "2026-01-01T00:00:00Z",
});

/** Runs the command line; how long it took and what CPU time, in milliseconds, and its highest resident bytes. */
function run(args, folder) {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const child = spawn(inRoot("target", "release", "pointsman"), args, {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, said, peak, cpu] = ["", "", 0, 0];
    child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (said += text));
    const look = setInterval(() => {
      peak = Math.max(peak, highest(child.pid));
      cpu = Math.max(cpu, spent(child.pid));
    }, EVERY);
    child.on("error", reject);
    child.on("close", (code) => {
      clearInterval(look);
      if (code !== 4) return reject(new Failure(`pointsman diff ended with ${code}`, { advice: [said] }));
      resolve({ milliseconds: performance.now() - began, cpu, peak, told: JSON.parse(out) });
    });
  });
}

function highest(pid) {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    // It has just ended.
    return 0;
  }
}

/** Milliseconds of CPU so far. */
function spent(pid) {
  try {
    return cpuOf(pid) / 1000;
  } catch {
    return 0;
  }
}

export async function diff({ callers, rounds, progress }) {
  await must("compiling the command line", "cargo", ["build", "--release", "--package", "pointsman-cli"]);
  const folder = mkdtempSync(join(tmpdir(), "pointsman-diff-"));
  const path = (name) => join(folder, name);
  try {
    progress(`writing ${callers.toLocaleString("en")} customers, and as many keys`);
    writeFileSync(path("wrangler.toml"), 'name = "gateway"\n');
    writeFileSync(path("old.toml"), gateway({ gold: "gold", canary: 5 }));
    writeFileSync(path("new.toml"), gateway({ gold: "platinum", canary: 6 }));
    write(path("customers.jsonl"), callers, customer);
    write(path("keys.jsonl"), callers, key);
    const args = ["diff", "--base", "old.toml", "--gateway", "new.toml", "--json", "--data"];
    const points = [];
    for (const [what, data] of [
      ["customers", "customers.jsonl"],
      ["customers and as many keys", "."],
    ]) {
      const seconds = [];
      const cpu = [];
      let [peak, told] = [0, /** @type {any} */ (undefined)];
      for (let round = 1; round <= rounds; round++) {
        progress(`${what}: round ${round} of ${rounds}`);
        const seen = await run([...args, data], folder);
        seconds.push(seen.milliseconds / 1000);
        cpu.push(seen.cpu / 1000);
        peak = Math.max(peak, seen.peak);
        told = seen.told;
      }
      points.push({
        what,
        callers,
        questions: told.questions,
        differ: told.differ,
        seconds: rounded(spread(seconds), 2),
        cpu: rounded(spread(cpu), 2),
        peak,
      });
    }
    return { rounds, bytes: statSync(path("customers.jsonl")).size, points };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
