// Secrets on the command line: made here, and never taken from an argument, which other users of the machine can see.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CONSOLE_SECRET } from "../../demo/console.mjs";
import { checksum } from "../../demo/keys.mjs";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { programUnderTest } from "./support/program.mjs";

let program;
const folder = mkdtempSync(join(tmpdir(), "pointsman-secrets-"));
before(async () => {
  program = await programUnderTest();
});
after(() => rmSync(folder, { recursive: true }));

const run = (args, options = {}) =>
  spawnSync(program, args, {
    encoding: "utf8",
    env: { ...process.env, CLOUDFLARE_ENV: "", NO_COLOR: "1" },
    ...options,
  });

const isMinted = (text) => {
  const [, body, sum] = /^(pso_[0-9A-Za-z]{43})_([0-9A-Za-z]{6})$/.exec(text) ?? [];
  return body !== undefined && checksum(body) === sum;
};

test("a secret is made, and is another one each time", () => {
  const made = new Set(Array.from({ length: 5 }, () => run(["secret", "create"]).stdout));
  assert.equal(made.size, 5);
  for (const line of made) assert.ok(isMinted(line.replace(/\n$/, "")), line);
});

test("in a file it is for its owner alone, and no file is written over", () => {
  const file = join(folder, "secret.txt");
  const { status, stdout } = run(["secret", "create", "--out", file]);
  assert.deepEqual([status, stdout], [0, ""]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const text = readFileSync(file, "utf8");
  assert.ok(isMinted(text.trim()));
  assert.equal(run(["secret", "create", "--out", file]).status, 1);
  assert.equal(readFileSync(file, "utf8"), text);
});

const KEY = "sk_live_DEMOacmeCorp0000000000_4LCaYg";
const TOKEN = readFileSync(inRoot("fixtures", "tokens", "good-es256.jwt"), "utf8").trim();
const PATH = ["--path", "/hybrid/x"];

test("no command takes a credential as an argument, and none repeats it", () => {
  for (const credential of [KEY, TOKEN, CONSOLE_SECRET]) {
    for (const args of [
      ["explain", ...PATH, "--key", credential],
      ["explain", ...PATH, `--jwt=${credential}`],
      ["explain", ...PATH, "--header", `Authorization: Bearer ${credential}`],
      ["explain", "--path", `/hybrid/x?key=${credential}`],
      ["keys", "inspect", credential],
      ["keys", "revoke", credential, "--local"],
      ["keys", "roll", credential, "--local"],
      ["keys", "list", "--subject", credential, "--local"],
      ["keys", "create", "--prefix", "sk_live", "--subject", "s", "--name", credential, "--dry-run"],
      ["customers", "put", "acme", "--backend-url", `https://a.example/?t=${credential}`, "--dry-run"],
    ]) {
      const { status, stdout, stderr } = run(args, { cwd: inRoot() });
      assert.equal(status, 2, `${args} ${stderr}`);
      assert.match(stderr, /stands among the arguments.*nothing was done.*standard input/);
      assert.ok(!stderr.includes(credential) && stdout === "", args.join(" "));
    }
  }
  // What has no form of ours, the options that would take it refuse.
  for (const args of [
    ["explain", ...PATH, "--key", "theirs"],
    ["explain", ...PATH, "--jwt", "theirs"],
    ["keys", "inspect", "theirs"],
  ]) {
    const { status, stderr } = run(args, { cwd: inRoot() });
    assert.equal(status, 1, stderr);
    assert.match(stderr, /takes no credential as an argument.*-file FILE/);
    assert.doesNotMatch(stderr, /theirs/);
  }
  const warned = run(["explain", ...PATH, "--header", "Cookie: session=theirs"], { cwd: inRoot() });
  assert.equal(warned.status, 0);
  assert.match(warned.stderr, /--header Cookie: .*--header-file/);
});

test("standard input and files are taken", () => {
  const write = (name, text) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const key = write("key.txt", `${KEY}\n`);
  const token = write("token.txt", TOKEN);
  const headers = write("headers.txt", `X-One: 1\nAuthorization: Bearer ${KEY}\n`);
  const explain = (args, input = "") =>
    JSON.parse(run(["explain", ...PATH, "--json", ...args], { cwd: inRoot(), input }).stdout);
  // No KV is asked, so a key that was read is one whose record is not to be had.
  for (const [args, input] of [
    [["--key", "-"], KEY],
    [["--key-file", key]],
    [["--key-file", "-"], `${KEY}\n`],
    [["--header-file", headers]],
  ]) {
    assert.equal(explain(args, input).answer.reason, "key_store_unavailable", args.join(" "));
  }
  const [first, ...others] = [
    explain(["--jwt-file", token]),
    explain(["--jwt", "-"], TOKEN),
    explain(["--token-file", token]),
  ];
  assert.notEqual(first.answer?.reason, "credential_missing");
  for (const other of others) assert.deepEqual(other.answer, first.answer);
  const inspected = run(["keys", "inspect", "--key-file", key, "--json"], { cwd: inRoot() });
  assert.equal(JSON.parse(inspected.stdout).accepted, true);
  assert.equal(run(["keys", "inspect", "--key-file", write("empty.txt", "\n")], { cwd: inRoot() }).status, 1);
  assert.equal(run(["keys", "inspect", "-", "--key-file", key], { cwd: inRoot() }).status, 2);
});
