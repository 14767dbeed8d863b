// `npm create pointsman`: what it asks, what it writes, and that it writes over nothing.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, test } from "node:test";
import { parse } from "smol-toml";
import { optionsOf } from "../../packages/create-pointsman/lib/options.mjs";
import { wranglerFile } from "../../packages/create-pointsman/lib/template-wrangler.mjs";
import { inRoot } from "../../scripts/lib/paths.mjs";

const PROGRAM = inRoot("packages", "create-pointsman", "bin", "create-pointsman.mjs");
const folder = mkdtempSync(join(tmpdir(), "create-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function create(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { cwd: folder, encoding: "utf8" });
  return { status, stdout, stderr };
}
const read = (...parts) => readFileSync(join(folder, ...parts), "utf8");

test("a new gateway has these files, and the three commands that come next are said", () => {
  const { status, stdout } = create("My Gateway", "--yes");
  assert.equal(status, 0);
  for (const file of [
    ".dev.vars.example",
    ".github/workflows/gateway.yml",
    ".gitignore",
    "README.md",
    "cases/routing.toml",
    "data/customers.json",
    "data/keys.json",
    "gateway.toml",
    "package.json",
    "worker.js",
    "wrangler.toml",
  ])
    assert.ok(existsSync(join(folder, "My Gateway", file)), file);
  assert.match(stdout, /Next:\n {2}cd My Gateway\n {2}npm install\n {2}npm start -- --demo\n$/);
  assert.equal(parse(read("My Gateway", "wrangler.toml")).name, "my-gateway");
  const { dependencies, devDependencies } = JSON.parse(read("My Gateway", "package.json"));
  assert.equal(dependencies, undefined);
  assert.deepEqual(Object.keys(devDependencies), ["pointsman", "wrangler"]);
});

test("what stands there already is never written over", () => {
  mkdirSync(join(folder, "taken"));
  writeFileSync(join(folder, "taken", "gateway.toml"), "mine");
  const { status, stderr } = create("taken", "--yes");
  assert.equal(status, 1);
  assert.match(stderr, /^error: taken is there already, and is not empty\./);
  assert.equal(read("taken", "gateway.toml"), "mine");
  assert.ok(!existsSync(join(folder, "taken", "package.json")));
});

test("an empty folder is taken", () => {
  mkdirSync(join(folder, "empty"));
  assert.equal(create("empty", "--yes").status, 0);
});

test("wrong usage ends with 2, and says what would be right", () => {
  for (const [args, said] of [
    [[], /say how the gateway is called/],
    [["a", "b"], /one name is enough/],
    [["a", "--callers", "passwords"], /--callers passwords: write keys, tokens or both/],
    [["a", "--customers", "sheet"], /--customers sheet: write files or api/],
    [["a", "--issuer", "id.example.com"], /--issuer: an issuer is a URL/],
    [["a", "--from", "kong", "."], /--from kong: there is zuplo/],
    [["a", "--from", "zuplo"], /wants the project's folder/],
    [["a", "--colour"], /--colour/],
    [["..."], /a name has letters/],
  ]) {
    const { status, stderr } = create(...args, ...(args.length > 0 ? ["--yes"] : []));
    assert.equal(status, 2, stderr);
    assert.match(stderr, said);
    assert.ok(!existsSync(join(folder, "a")));
  }
});

test("an archive or an import that is not there is said before anything is written", () => {
  const archive = create("with-archive", "--yes", "--package", "nowhere.tgz");
  assert.equal(archive.status, 1);
  assert.match(archive.stderr, /--package nowhere\.tgz: there is no such file/);
  const project = create("imported", "--yes", "--from", "zuplo", "nowhere");
  assert.equal(project.status, 1);
  assert.match(project.stderr, /there is no such folder/);
  for (const name of ["with-archive", "imported"]) assert.ok(!existsSync(join(folder, name)));
});

test("help is help", () => {
  const { status, stdout } = create("--help");
  assert.equal(status, 0);
  assert.match(stdout, /--callers keys\|tokens\|both/);
});

/** A terminal at which these answers are typed, each after a question. */
async function typed(answers, args = []) {
  const [input, output] = [new PassThrough(), new PassThrough()];
  input.isTTY = output.isTTY = true;
  const questions = [];
  output.on("data", (chunk) => {
    const text = String(chunk);
    // What is typed comes back letter by letter.
    if (text.trim().length > 1 && !text.startsWith("\x1b")) questions.push(text.trim());
    if (text.endsWith(": ") && answers.length > 0) setImmediate(() => input.write(`${answers.shift()}\n`));
  });
  const options = await optionsOf(args, { input, output, cwd: folder });
  return { options, questions };
}

test("a terminal is asked for what no flag says, and asked again where an answer will not do", async () => {
  const { options, questions } = await typed(["acme", "passwords", "both", "id.acme.com", "https://id.acme.com/", ""]);
  assert.equal(options.name, "acme");
  assert.equal(options.callers, "both");
  assert.equal(options.issuer, "https://id.acme.com/");
  assert.equal(options.customers, "files");
  assert.ok(questions.includes("write keys, tokens or both"));
  assert.ok(questions.some((text) => text.includes("an issuer is a URL")));
});

test("a terminal is not asked for what flags say, nor for an issuer of keys", async () => {
  const { options, questions } = await typed(["api"], ["acme", "--callers", "keys"]);
  assert.equal(options.customers, "api");
  assert.equal(questions.filter((text) => text.endsWith(":")).length, 1, questions.join("\n"));
  const told = await typed([], ["acme", "--yes"]);
  assert.equal(told.questions.length, 0);
  assert.equal(told.options.callers, "keys");
});

test("wrangler's file says the same as TOML and as JSON with comments", () => {
  for (const callers of ["keys", "both"])
    for (const customers of ["files", "api"]) {
      const options = { name: "acme", callers, customers, issuer: "https://id.acme.com/", audience: "acme" };
      const json = wranglerFile({ ...options, jsonc: true });
      assert.equal(json.name, "wrangler.jsonc");
      const fromJson = JSON.parse(json.text.replace(/^\s*\/\/.*$/gm, ""));
      delete fromJson.$schema;
      assert.deepEqual(fromJson, JSON.parse(JSON.stringify(parse(wranglerFile({ ...options, jsonc: false }).text))));
    }
});
