// The same as npm.test.mjs for the clients of tests/clients/requirements.txt, which pip installs into a folder of its own.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { DETAILS, openClientsGateway } from "./support/gateway.mjs";

const run = promisify(execFile);
const SCRIPT = inRoot("tests/clients/errors.py");
const REQUIREMENTS = inRoot("tests/clients/requirements.txt");

/** Python with what makes folders for its packages. A machine may have none, and the gateway needs none. */
const hasPython = spawnSync("python3", ["-c", "import venv, ensurepip"]).status === 0;
const skip = hasPython ? false : "python3 with venv is not installed (Debian: python3-venv)";

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
  let folder;
  let told;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "clients-"));
    await run("python3", ["-m", "venv", folder]);
    const pip = join(folder, "bin/pip");
    assert.ok(existsSync(pip), "no pip in the new folder");
    await run(pip, ["install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS]);
    opened = await openClientsGateway();
    const keys = {};
    for (const name of Object.keys(CLIENTS)) keys[name] = [opened.unknownKey(), await opened.newKey()];
    const base = `http://127.0.0.1:${opened.gateway.port}`;
    const { stdout } = await run(join(folder, "bin/python"), [SCRIPT, base, JSON.stringify(keys)]);
    told = JSON.parse(stdout);
  });
  after(async () => {
    await opened?.gateway.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

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
