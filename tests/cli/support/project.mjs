// A project of its own for a test of the command line: gateway.toml, wrangler.toml and a local KV in a folder that is
// gone afterwards.
import { spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { startGateway } from "../../../demo/gateway.mjs";
import { createWorld } from "../../../demo/world.mjs";
import { withNpmBins } from "../../../scripts/lib/modern-node.mjs";
import { inRoot, npmBin } from "../../../scripts/lib/paths.mjs";
import { programUnderTest } from "./program.mjs";

const GATEWAY = `
[api_keys]
prefixes = ["sk_live", "sk_test"]

[customers]
claim = "customerId"

[[routes]]
path = "/{+path}"
auth = ["api_key"]
rules = [{ name = "customer", to = "customer" }]
`;

// POINTSMAN_BUILD names another folder than build/ to take the Worker from.
const built = process.env.POINTSMAN_BUILD ?? inRoot("build");

export async function openProject({ gateway = GATEWAY } = {}) {
  const program = await programUnderTest();
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "pointsman-cli-")));
  const path = (...parts) => join(folder, ...parts);
  // Where the command line puts its temporary files, so that one that stays behind is seen.
  mkdirSync(path("tmp"));
  copyFileSync(inRoot("wrangler.toml"), path("wrangler.toml"));

  const project = {
    folder,
    path,
    write(name, content) {
      mkdirSync(dirname(path(name)), { recursive: true });
      writeFileSync(path(name), typeof content === "string" ? content : JSON.stringify(content));
    },
    /** Runs the command line. Resolves to { code, signal, out, err }; `json()` reads what it printed. */
    run(args, { input = "", env = {} } = {}) {
      return new Promise((resolve, reject) => {
        const child = spawn(program, args, {
          cwd: folder,
          env: { ...withNpmBins(), CLOUDFLARE_ENV: "", TMPDIR: path("tmp"), REAL_WRANGLER: npmBin("wrangler"), ...env },
        });
        const out = { code: undefined, out: "", err: "" };
        child.stdout.setEncoding("utf8").on("data", (text) => (out.out += text));
        child.stderr.setEncoding("utf8").on("data", (text) => (out.err += text));
        child.on("error", reject);
        child.on("close", (code, signal) => resolve({ ...out, code, signal, json: () => JSON.parse(out.out) }));
        // A program that reads nothing may be gone before this is written.
        child.stdin.on("error", () => {});
        child.stdin.end(input);
      });
    },
    /** As `run`, in the local KV of the project (or of another name); `want` is the exit code that it must have. */
    async local(args, { kv = "kv", want = 0, ...options } = {}) {
      const ended = await project.run([...args, "--local", "--persist-to", path(kv)], options);
      if (ended.code !== want)
        throw new Error(`pointsman ${args.join(" ")}: exit code ${ended.code}, not ${want}\n${ended.out}${ended.err}`);
      return ended;
    },
    /** Puts a shell script in wrangler's place. It counts its calls in $CALLS; the real one is $REAL_WRANGLER. */
    replaceWrangler(script) {
      const file = path("node_modules", ".bin", "wrangler");
      const count = `CALLS=$(cat '${path("calls")}' 2>/dev/null || echo 0); CALLS=$((CALLS + 1)); echo $CALLS > '${path("calls")}'`;
      project.write("node_modules/.bin/wrangler", `#!/bin/sh\n${count}\n${script}\n`);
      chmodSync(file, 0o755);
      rmSync(path("calls"), { force: true });
    },
    restoreWrangler: () => rmSync(path("node_modules"), { recursive: true, force: true }),
    /** The names in a folder of the project, sorted. */
    names: (...parts) => readdirSync(path(...parts)).sort(),
    // wrangler leaves things of its own there.
    leftBehind: () => readdirSync(path("tmp")).filter((name) => name.startsWith("pointsman")),
    /** The built Worker over the same KV, with the project's gateway.toml. */
    async serve() {
      const world = await createWorld().start();
      const { out } = await project.run(["compile"]);
      const started = await startGateway({
        folder: built,
        world,
        persist: path("kv", "v3", "kv"),
        gateway: out,
        // What the command line writes to KV counts at once where no ledger is bound.
        overrides: { durableObjects: {} },
      });
      let restarts = 0;
      return {
        world,
        kv: started.kv,
        /** The status and the backend of a call with this key, from an isolate that remembers nothing. */
        async call(key) {
          await started.reload({ bindings: { RESTARTED: String(++restarts) } });
          const response = await fetch(`${started.url}/hello`, { headers: { authorization: `Bearer ${key}` } });
          const body = await response.json();
          return { status: response.status, backend: body.backend };
        },
        async stop() {
          await started.stop();
          await world.stop();
        },
      };
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
  project.write("gateway.toml", gateway);
  return project;
}

/** Everything in a namespace, as { name: value }, but for what tells the ledger where to look. */
export async function contentOf(kv) {
  const content = {};
  let cursor;
  do {
    const page = await kv.list({ cursor });
    for (const { name } of page.keys) {
      if (name !== "directory:touched") content[name] = await kv.get(name, "text");
    }
    cursor = page.list_complete ? undefined : page.cursor;
  } while (cursor);
  return content;
}
