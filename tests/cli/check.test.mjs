// What `pointsman check` prints, to the letter: fixtures/check/<case>/expected.txt is its standard error, with the exit
// code in the first line. `UPDATE=1 node --test tests/cli/check.test.mjs` writes these files anew.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { OPERATOR_SECRET } from "../../demo/gateway.mjs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { freshPointsman } from "../../scripts/lib/pointsman.mjs";
import { openProject } from "./support/project.mjs";

let program;
before(async () => {
  program = await freshPointsman();
});

const check = (cwd, ...more) => {
  const data = existsSync(join(cwd, "data")) ? ["--data", "data"] : [];
  return spawnSync(program, ["check", ...data, ...more], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, CLOUDFLARE_ENV: "", NO_COLOR: "1" },
  });
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
      assert.ok(
        lines.includes(`${file}:${line}: ${severity}: ${pointer || "(the whole)"}: ${message}`),
        `${file}:${line} ${message}`,
      );
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

test("check: what an environment lacks is a fault, and names the line to add", () => {
  const folder = mkdtempSync(join(tmpdir(), "pointsman-check-"));
  const write = (name, text) => writeFileSync(join(folder, name), text);
  try {
    write(
      "gateway.toml",
      '[api_keys]\nprefixes = ["sk"]\n[backends.b]\nurl = "${B}"\n[[routes]]\npath = "/{+path}"\nauth = ["api_key"]\nrules = [{ name = "b", to = "b" }]\n',
    );
    write(
      "wrangler.toml",
      'name = "g"\n[[kv_namespaces]]\nbinding = "POINTSMAN_KV"\n[vars]\nB = "https://b.example.com"\n[env.staging]\n',
    );
    assert.equal(check(folder).status, 0);
    const bare = check(folder, "--env", "staging");
    assert.equal(bare.status, 1);
    assert.match(
      bare.stderr,
      /the variable B is not set in \[env\.staging\].*add it under \[env\.staging\.vars\] in wrangler\.toml/,
    );
    write(
      "wrangler.toml",
      'name = "g"\n[[kv_namespaces]]\nbinding = "POINTSMAN_KV"\n[env.staging.vars]\nB = "https://b.example.com"\n',
    );
    const { status, stderr } = check(folder, "--env", "staging");
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^gateway\.toml:1: error: \/api_keys: .*\[\[env\.staging\.kv_namespaces\]\] binding = "POINTSMAN_KV"/m,
    );
    // Whoever explains a request has no Worker to bind anything to.
    const explained = spawnSync(program, ["explain", "--env", "staging", "--path", "/x", "--claims", "{}"], {
      cwd: folder,
      encoding: "utf8",
    });
    assert.equal(explained.status, 0, explained.stderr);

    rmSync(join(folder, "wrangler.toml"));
    write("wrangler.jsonc", "{ // a comment\n}");
    for (const more of [[], ["--wrangler", "wrangler.jsonc"]]) {
      const json = check(folder, ...more);
      assert.equal(json.status, 1);
      assert.match(json.stderr, /only (the|its) TOML form/);
      assert.doesNotMatch(json.stderr, /expected|parse/);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("check: a secret that the gateway would not take is a fault where its value is known", () => {
  const folder = mkdtempSync(join(tmpdir(), "pointsman-check-"));
  const route =
    '[backends.b]\nurl = "https://b.example.com"\n[[routes]]\npath = "/{+path}"\nauth = []\nrules = [{ name = "b", to = "b" }]\n';
  try {
    for (const [secret, wrangler, status] of [
      ["a secret that somebody made up", "", 1],
      ["${S}", '[vars]\nS = "a secret that somebody made up"\n', 1],
      ["${S}", '[secrets]\nrequired = ["S"]\n', 0],
      [OPERATOR_SECRET, "", 0],
    ]) {
      writeFileSync(join(folder, "gateway.toml"), `${route}[operator]\nsecret = "${secret}"\n`);
      writeFileSync(join(folder, "wrangler.toml"), `name = "g"\n${wrangler}`);
      const said = check(folder);
      assert.equal(said.status, status, said.stderr);
      assert.equal(/\/operator\/secret: .*pointsman secret create/.test(said.stderr), status === 1);
      assert.doesNotMatch(said.stderr, /somebody made up/);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("check: this repository's Workers are in order", () => {
  for (const more of [[], ["--env", "console"]]) {
    const { status, stderr } = check(inRoot(), ...more);
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stderr, /warning|error/);
  }
  assert.match(
    check(inRoot(), "--env", "console").stderr,
    /\[env\.console\] of wrangler\.toml is the operators' console/,
  );
});

test("check: what KV holds is judged too", async () => {
  const project = await openProject();
  try {
    project.write(
      "keys.jsonl",
      JSON.stringify({ sha256: "0".repeat(64), subject: "s", claims: { customerId: "nobody" } }),
    );
    await project.local(["keys", "import", "keys.jsonl"]);
    // As one that was written while http was allowed.
    await project.local([
      "customers",
      "put",
      "old",
      "--backend-url",
      "http://old.example.com",
      "--allow-http",
      "always",
    ]);
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
