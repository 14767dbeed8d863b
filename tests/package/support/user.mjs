// A user of the packages: an empty folder, the archives, and a PATH on which there is no Rust.
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pack } from "../../../scripts/lib/package-pack.mjs";
import { stage } from "../../../scripts/lib/package-stage.mjs";
import { inRoot } from "../../../scripts/lib/paths.mjs";
import { which } from "../../../scripts/lib/run.mjs";

/** How long something may take on a machine that does other things too. */
const PATIENCE = 300_000;

/** How this machine reaches the registry: proxies, and who signs for them. */
const network = () => {
  const names =
    /^(?:NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|(?:https?|no)_proxy|npm_config_(?:cafile|registry|userconfig))$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => names.test(name)));
};

/** A folder with the archives, and the programs that a user has. `close` removes it. */
export function openUser() {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "pointsman-user-")));
  const path = (...parts) => join(folder, ...parts);
  const archives = Object.fromEntries(pack(path("dist")).map((packed) => [packed.name, packed]));
  mkdirSync(path("bin"));
  symlinkSync(process.execPath, path("bin", "node"));
  for (const name of ["npm", "npx", "sh", "tar", "gzip"]) symlinkSync(which(name) ?? name, path("bin", name));
  const env = {
    PATH: path("bin"),
    HOME: process.env.HOME,
    CI: "true",
    NO_COLOR: "1",
    WRANGLER_SEND_METRICS: "false",
    NPM_CONFIG_UPDATE_NOTIFIER: "false",
    ...network(),
  };

  /** Runs a program to its end. */
  const run = (program, args, { cwd = folder, input = "", more = {} } = {}) => {
    const { status, stdout, stderr } = spawnSync(program, args, {
      cwd,
      input,
      encoding: "utf8",
      env: { ...env, ...more },
      maxBuffer: 1 << 26,
      timeout: PATIENCE,
    });
    return { status, out: stdout, err: stderr, all: `${stdout}${stderr}` };
  };
  const must = (program, args, options) => {
    const ended = run(program, args, options);
    if (ended.status !== 0) throw new Error(`${program} ${args.join(" ")}: exit code ${ended.status}\n${ended.all}`);
    return ended;
  };
  // As `npm create` does it: the package that creates is installed somewhere else.
  mkdirSync(path("creator"));
  const offline = ["install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts"];
  must("npm", [...offline, path("dist", archives["create-pointsman"].file)], { cwd: path("creator") });
  const creator = path("creator", "node_modules", ".bin", "create-pointsman");

  return {
    folder,
    path,
    env,
    run,
    must,
    archives,
    archive: path("dist", archives.pointsman.file),
    create: (...args) => run(creator, args),
    /**
     * A new gateway in which everything is installed: `link` needs no network, `stage` no npm either, `npm` does what a user
     * does, false nothing.
     * The first argument may be `{ install }`, the others are flags of create-pointsman.
     */
    project(name, ...args) {
      const { install = "link" } = typeof args[0] === "object" ? args.shift() : {};
      must(creator, [name, "--yes", "--package", path("dist", archives.pointsman.file), ...args]);
      const project = openProject({ user: { env, run, must }, folder: path(name) });
      if (install === "link") project.install(path("dist", archives.pointsman.file));
      if (install === "stage") project.stage();
      if (install === "npm") project.installByNpm();
      return project;
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** @typedef {ReturnType<typeof openProject>} Project */
/** @typedef {Awaited<ReturnType<typeof startGateway>>} Gateway */

/** The repository of one gateway. */
function openProject({ user, folder }) {
  const path = (...parts) => join(folder, ...parts);
  const manifest = JSON.parse(readFileSync(path("package.json"), "utf8"));
  const project = {
    folder,
    path,
    read: (...parts) => readFileSync(path(...parts), "utf8"),
    write: (name, text) => writeFileSync(path(name), typeof text === "string" ? text : JSON.stringify(text)),
    /** Changes a file, which must have what is changed. */
    edit(name, from, to) {
      const text = project.read(name);
      if (!text.includes(from)) throw new Error(`${name} has no ${from}`);
      project.write(name, text.replaceAll(from, to));
    },
    /** Installs an archive; wrangler is this repository's. */
    install(archive) {
      const { wrangler, ...rest } = manifest.devDependencies;
      project.write("package.json", { ...manifest, devDependencies: { ...rest, pointsman: `file:${archive}` } });
      rmSync(path("node_modules"), { recursive: true, force: true });
      user.must("npm", ["install", "--offline", "--no-audit", "--no-fund", "--no-package-lock"], { cwd: folder });
      symlinkSync(inRoot("node_modules", "wrangler"), path("node_modules", "wrangler"));
    },
    /** Lays the package out as its archive has it; wrangler is this repository's. */
    stage() {
      mkdirSync(path("node_modules", ".bin"), { recursive: true });
      stage("pointsman", path("node_modules", "pointsman"));
      const program = path("node_modules", "pointsman", "bin", "pointsman.mjs");
      chmodSync(program, 0o755);
      symlinkSync(program, path("node_modules", ".bin", "pointsman"));
      symlinkSync(inRoot("node_modules", "wrangler"), path("node_modules", "wrangler"));
    },
    /** As a user does it: from the registry, or from what npm keeps of it. */
    installByNpm: () => user.must("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund"], { cwd: folder }),
    npm: (...args) => user.run("npm", args, { cwd: folder }),
    pointsman: (args, options) =>
      user.run(path("node_modules", ".bin", "pointsman"), args, { cwd: folder, ...options }),
    /** A deployment, while this process may answer its request. Resolves when it has ended. */
    deploy: (args) =>
      new Promise((resolve) => {
        const child = spawn(path("node_modules", ".bin", "pointsman"), ["deploy", ...args], {
          cwd: folder,
          env: user.env,
        });
        let all = "";
        for (const stream of [child.stdout, child.stderr])
          stream.setEncoding("utf8").on("data", (text) => (all += text));
        child.stdin.end();
        child.on("close", (status) => resolve({ status, all }));
      }),
    start: (...args) => startGateway({ user, folder, args }),
  };
  return project;
}

/** A port that nobody has. */
const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });

/** Sends a request. While a save is taken over, connections from before it end: then again on a new one. */
async function sent(url, headers, left = 20) {
  try {
    return await fetch(url, { headers });
  } catch (error) {
    if (left === 0 || !(error instanceof TypeError)) throw error;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return sent(url, headers, left - 1);
  }
}

/** `npm start`, until it says that it watches. */
async function startGateway({ user, folder, args }) {
  const port = await freePort();
  const child = spawn(join(folder, "node_modules", ".bin", "pointsman"), ["start", "--port", String(port), ...args], {
    cwd: folder,
    env: user.env,
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (part) => (text += part));
  const ended = new Promise((resolve) => child.on("close", (code) => resolve(code)));
  /** Waits until something is so. */
  const until = async (what, isSo) => {
    const end = Date.now() + PATIENCE;
    for (;;) {
      const found = await isSo();
      if (found) return found;
      if (child.exitCode !== null) throw new Error(`${what}: it ended with ${child.exitCode}\n${text}`);
      if (Date.now() > end) throw new Error(`${what}: not within ${PATIENCE} ms\n${text}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  };
  try {
    await until("started", () => text.includes("Ctrl-C ends it"));
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  const gateway = {
    url: `http://127.0.0.1:${port}`,
    text: () => text,
    until,
    /** What it says next, once it does. */
    says: (pattern) => until(String(pattern), () => pattern.exec(text)),
    /** The fields of the requests that it offers to paste, by what they are about. */
    offered: () =>
      Object.fromEntries(
        [...text.matchAll(/^ {2}(\S.*?) {2,}.*\ncurl -si (\S+)(.*)$/gm)].map(([, about, url, rest]) => [
          about,
          { url, fields: [...rest.matchAll(/-H '([^:]+): ([^']*)'/g)].map(([, name, value]) => [name, value]) },
        ]),
      ),
    /** Sends the request that it offers under this name. */
    async paste(about, path) {
      const { url, fields } = gateway.offered()[about];
      const response = await sent(path === undefined ? url : `${gateway.url}${path}`, Object.fromEntries(fields));
      return { status: response.status, body: await response.json() };
    },
    async stop() {
      child.kill("SIGINT");
      return ended;
    },
  };
  return gateway;
}
