// What `pointsman check` prints, to the letter: fixtures/check/<case>/expected.txt is its standard error, with the exit
// code in the first line; where there is an arguments.json, these arguments come behind the command. `UPDATE=1 node --test
// tests/cli/check.test.mjs` writes the expected files anew.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { OPERATOR_SECRET } from "../../demo/gateway.mjs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { programUnderTest } from "./support/program.mjs";
import { openProject } from "./support/project.mjs";

let program;
before(async () => {
  program = await programUnderTest();
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
  const given = join(folder, "arguments.json");
  const more = existsSync(given) ? JSON.parse(readFileSync(given, "utf8")) : [];
  test(`check: ${name}`, () => {
    const { status, stderr, stdout } = check(folder, ...more);
    assert.equal(stdout, "");
    const said = `exit code ${status}\n${stderr}`;
    if (process.env.UPDATE) writeFileSync(join(folder, "expected.txt"), said);
    assert.equal(said, readFileSync(join(folder, "expected.txt"), "utf8"));

    // The same for machines.
    const { findings } = JSON.parse(check(folder, ...more, "--json").stdout);
    const lines = stderr.split("\n").filter((line) => / (error|warning): /.test(line));
    assert.equal(findings.length, lines.length);
    for (const { file, line, column, severity, pointer, message } of findings) {
      const place = [file, line, column].filter((part) => part !== undefined).join(":");
      assert.ok(
        lines.includes(`${place}: ${severity}: ${pointer || "(the whole)"}: ${message}`),
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
      /the variable B is not set in \[env\.staging\].*add \[env\.staging\.vars\] B = "…" to wrangler\.toml/,
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

    const unknown = check(folder, "--env", "stagign");
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /^error: wrangler\.toml:1: has no \[env\.stagign\]: there are \[env\.staging\]/m);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("check: wrangler's file is the one that wrangler reads, whatever its form", () => {
  const folder = mkdtempSync(join(tmpdir(), "pointsman-check-"));
  const write = (name, text) => writeFileSync(join(folder, name), text);
  const settings =
    '"preview_urls": false, "compatibility_flags": ["global_fetch_strictly_public", "enable_request_signal"]';
  try {
    write(
      "gateway.toml",
      '[api_keys]\nprefixes = ["sk"]\n[backends.b]\nurl = "${B}"\n[[routes]]\npath = "/{+path}"\nauth = ["api_key"]\nrules = [{ name = "b", to = "b" }]\n',
    );
    write("wrangler.toml", "nonsense");
    const kv = '"kv_namespaces": [{ "binding": "POINTSMAN_KV", "id": "a1" }]';
    write("wrangler.jsonc", `\ufeff{ // a comment\n${kv}, ${settings}, "vars": { "B": "https://b.example.com", }, }`);
    const jsonc = check(folder);
    assert.equal(jsonc.status, 0, jsonc.stderr);
    assert.match(
      jsonc.stderr,
      /^wrangler\.jsonc:1: warning: .*is what wrangler reads, and not wrangler\.toml beside it/m,
    );
    rmSync(join(folder, "wrangler.toml"));
    assert.doesNotMatch(check(folder).stderr, /warning|error/);

    write("wrangler.json", `{ ${kv}, ${settings},\n"vars": {},\n"env": { "staging": {} } }`);
    const json = check(folder);
    assert.equal(json.status, 1);
    assert.match(
      json.stderr,
      /the variable B is not set: add "vars": \{ "B": "…" \} to wrangler\.json, or set the secret/,
    );
    const named = check(folder, "--wrangler", "wrangler.json", "--env", "staging");
    assert.match(
      named.stderr,
      /the variable B is not set in env\.staging, .*add "env": \{ "staging": \{ "vars": \{ "B": "…" \} \} \} to/,
    );
    assert.equal(check(folder, "--wrangler", "wrangler.jsonc").status, 0);

    write("wrangler.json", '{\n  "vars": { "B": "x" }\n  "name": "g"\n}');
    assert.match(check(folder).stderr, /^error: wrangler\.json:2:23: is not JSON: expected comma/m);
    // Whatever else reads the file does it in the same way.
    write("wrangler.json", `{ ${kv}, "vars": { "B": "https://b.example.com" } }`);
    const explained = spawnSync(program, ["explain", "--path", "/x", "--claims", "{}"], {
      cwd: folder,
      encoding: "utf8",
    });
    assert.equal(explained.status, 0, explained.stderr);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("check: a file that is broken or in another encoding is named with its place", () => {
  const folder = mkdtempSync(join(tmpdir(), "pointsman-check-"));
  try {
    writeFileSync(join(folder, "wrangler.toml"), 'name = "g"\n');
    for (const [bytes, said] of [
      [
        Buffer.from("\ufeff[backends.b]\nurl = https://b.example.com\n"),
        /^gateway\.toml:2:7: error: .*write url = "https:\/\/b\.example\.com"$/m,
      ],
      [Buffer.from([0xff, 0xfe, 0x5b, 0]), /^error: gateway\.toml:1: is UTF-16: save it as UTF-8/m],
      [Buffer.from("# caf\xe9\n", "latin1"), /^error: gateway\.toml:1: is not UTF-8: save it as UTF-8/m],
      [Buffer.from('{ "routes": [], }'), /^gateway\.toml:1:15: error: .*is not JSON: trailing commas are not allowed/m],
    ]) {
      writeFileSync(join(folder, "gateway.toml"), bytes);
      const { status, stderr } = check(folder);
      assert.equal(status, 1);
      assert.match(stderr, said);
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
    // But for the id of a namespace, which each account has its own of.
    const said = stderr.split("\n").filter((line) => /warning|error/.test(line));
    assert.equal(said.length, 1, stderr);
    assert.match(said[0], /^wrangler\.toml:\d+: warning: (\/env\/console)?\/kv_namespaces\/0\/id: is no id but zeros/);
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
      findings.filter(({ entry }) => entry).map(({ severity, entry, pointer }) => [severity, entry, pointer]),
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
