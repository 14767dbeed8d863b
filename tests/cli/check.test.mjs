// What `pointsman check` prints, to the letter: fixtures/check/<case>/expected.txt is its standard error, with the exit
// code in the first line. `UPDATE=1 node --test tests/cli/check.test.mjs` writes these files anew.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { freshPointsman } from "../../scripts/lib/pointsman.mjs";
import { openProject } from "./support/project.mjs";

let program;
before(async () => {
  program = await freshPointsman();
});

const check = (cwd, ...more) => {
  const data = existsSync(join(cwd, "data")) ? ["--data", "data"] : [];
  return spawnSync(program, ["check", ...data, ...more], { cwd, encoding: "utf8", env: { ...process.env, CLOUDFLARE_ENV: "", NO_COLOR: "1" } });
};

for (const name of readdirSync(inRoot("fixtures", "check"))) {
  const folder = inRoot("fixtures", "check", name);
  test(`check: ${name}`, () => {
    const { status, stderr, stdout } = check(folder);
    assert.equal(stdout, "");
    const said = `exit code ${status}\n${stderr}`;
    if (process.env.UPDATE) writeFileSync(join(folder, "expected.txt"), said);
    assert.equal(said, readFileSync(join(folder, "expected.txt"), "utf8"));

    // The same for machines.
    const { findings } = JSON.parse(check(folder, "--json").stdout);
    const lines = stderr.split("\n").filter((line) => / (error|warning): /.test(line));
    assert.equal(findings.length, lines.length);
    for (const { file, line, severity, pointer, message } of findings) {
      assert.ok(lines.includes(`${file}:${line}: ${severity}: ${pointer || "(the whole)"}: ${message}`), `${file}:${line} ${message}`);
    }
  });
}

test("check: no file's path depends on where the project lies", () => {
  const elsewhere = mkdtempSync(join(tmpdir(), "pointsman-check-"));
  try {
    cpSync(inRoot("fixtures", "check", "faults"), elsewhere, { recursive: true });
    assert.equal(check(elsewhere).stderr, check(inRoot("fixtures", "check", "faults")).stderr);
  } finally {
    rmSync(elsewhere, { recursive: true });
  }
});

test("check: what KV holds is judged too", async () => {
  const project = await openProject();
  try {
    project.write("keys.jsonl", JSON.stringify({ sha256: "0".repeat(64), subject: "s", claims: { customerId: "nobody" } }));
    await project.local(["keys", "import", "keys.jsonl"]);
    // As one that was written while http was allowed.
    await project.local(["customers", "put", "old", "--backend-url", "http://old.example.com", "--allow-http", "always"]);
    const { findings } = (await project.local(["check", "--json"], { want: 1 })).json();
    assert.deepEqual(
      findings.map(({ severity, entry, pointer }) => [severity, entry, pointer]),
      [
        ["error", "customer:old", "/backendUrl"],
        ["warning", `key:${"0".repeat(64)}`, "/claims/customerId"],
      ],
    );
    const said = await project.local(["check"], { want: 1 });
    assert.match(said.err, /^KV customer:old: error: \/backendUrl: must be https/m);
    assert.match(said.err, /1 error in gateway\.toml and KV/);
  } finally {
    project.close();
  }
});
