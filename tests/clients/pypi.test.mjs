// The same as npm.test.mjs for the clients of tests/clients/requirements.txt, which pip installs into a folder of its own.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { DETAILS, openClientsGateway } from "./support/gateway.mjs";

const run = promisify(execFile);
const SCRIPT = inRoot("tests/clients/errors.py");
const REQUIREMENTS = inRoot("tests/clients/requirements.txt");

/** What pip says where nobody answers it, in place of an answer. */
const UNREACHABLE = /NewConnectionError|NameResolutionError|ConnectTimeoutError|ProxyError|Max retries exceeded/;

const folder = mkdtempSync(join(tmpdir(), "clients-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const skip = await install();

/** Why the clients cannot be had here; false where they are there. The gateway needs neither Python nor PyPI. */
async function install() {
  if (spawnSync("python3", ["-c", "import venv, ensurepip"]).status !== 0)
    return "python3 with venv is not installed (Debian: python3-venv)";
  await run("python3", ["-m", "venv", folder]);
  try {
    const quick = ["--quiet", "--disable-pip-version-check", "--retries=1", "--timeout=20"];
    await run(join(folder, "bin/pip"), ["install", ...quick, "--requirement", REQUIREMENTS]);
    return false;
  } catch (error) {
    if (UNREACHABLE.test(error.stderr)) return "PyPI cannot be reached";
    throw error;
  }
}

const CLIENTS = {
  stripe: ["AuthenticationError", "APIError", "RateLimitError"],
  openai: ["AuthenticationError", "InternalServerError", "RateLimitError"],
  anthropic: ["AuthenticationError", "GatewayTimeoutError", "RateLimitError"],
  s3: ["ClientError", "ClientError", "ClientError"],
  dynamodb: ["ClientError", "ClientError", "ClientError"],
};
const SLUGS = ["credential-invalid", "backend-timeout", "rate-limited"];

describe("clients from PyPI raise, and say why", { skip }, () => {
  let opened;
  let told;
  before(async () => {
    opened = await openClientsGateway();
    const keys = {};
    for (const name of Object.keys(CLIENTS)) keys[name] = [opened.unknownKey(), await opened.newKey()];
    const base = `http://127.0.0.1:${opened.gateway.port}`;
    const { stdout } = await run(join(folder, "bin/python"), [SCRIPT, base, JSON.stringify(keys)]);
    told = JSON.parse(stdout);
  });
  after(() => opened?.gateway.stop());

  for (const [name, types] of Object.entries(CLIENTS))
    test(name, () => {
      for (const [index, error] of told[name].entries()) {
        const slug = SLUGS[index];
        assert.equal(error.type, types[index], `${slug}: ${JSON.stringify(error)}`);
        assert.ok(error.message.includes(DETAILS[slug]), `${slug}: ${error.message}`);
        if (error.type === "ClientError") assert.equal(error.response.Error.Code, slug);
      }
    });
});
