import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { curl, quote } from "./curl.mjs";
import { readable } from "./log-line.mjs";
import { newEnough } from "./modern-node.mjs";
import { tilde, toolsFolder } from "./paths.mjs";
import { nextPort, wantedPort } from "./port.mjs";
import { duration } from "./say.mjs";
import { testFiles } from "./test-files.mjs";
import { chosen, STEPS } from "./test-steps.mjs";
import { keptExports, SECTION, withSections } from "./wasm-bytes.mjs";
import { withoutNames } from "./wasm-names.mjs";
import { watch } from "./watch.mjs";
import { welcome } from "./welcome.mjs";

test("a request as a line to paste", () => {
  const line = curl("http://127.0.0.1:8787", {
    method: "OPTIONS",
    path: "/a?b=c&d",
    headers: { origin: "https://x" },
    expect: 204,
  });
  assert.equal(line, "curl -si -X OPTIONS 'http://127.0.0.1:8787/a?b=c&d' -H 'origin: https://x'");
  assert.equal(quote("it's"), `'it'\\''s'`);
});

const METRICS = { account: "an account", token: "a token of the demo", url: "http://m/client/v4" };

test("the welcome says what asks the metrics that are kept meanwhile", () => {
  const text = welcome({ url: "http://g", examples: [], backends: [{ host: "h", url: "http://b" }], metrics: METRICS });
  for (const part of Object.values(METRICS)) assert.ok(text.join("\n").includes(part), part);
});

test("the welcome names each example's backend and every backend's own address", () => {
  const text = welcome({
    url: "http://g",
    examples: [
      { group: "one" },
      { about: "a", path: "/p", headers: {}, expect: "acme" },
      { about: "b", path: "/q", headers: {}, expect: 403 },
    ],
    backends: [{ host: "acme.example.com", url: "http://b" }],
    metrics: METRICS,
  }).join("\n");
  for (const part of [
    "→ acme",
    "curl -s http://g/p",
    "403, no backend called",
    "curl -si http://g/q",
    "curl -s http://b/hello",
  ])
    assert.ok(text.includes(part), part);
});

test("the welcome says where the console is, or how to have it", () => {
  const text = (more) =>
    welcome({
      url: "http://g",
      examples: [],
      backends: [{ host: "h", url: "http://b" }],
      metrics: METRICS,
      ...more,
    }).join("\n");
  assert.match(text({}), /npm start -- --console/);
  const told = text({ console: { url: "http://c", secret: "a secret" } });
  for (const part of ["http://c", "a secret"]) assert.ok(told.includes(part), part);
  assert.doesNotMatch(told, /--console/);
});

test("log lines read as name=value", () => {
  assert.equal(
    readable('{"status":200,"customer":"acme corp","none":null,"a":{"b":[1]}}'),
    'status=200 customer="acme corp" a.b=[1]',
  );
  for (const plain of ["plain", "[1]", "12", "null"]) assert.equal(readable(plain), plain);
});

test("versions of Node", () => {
  for (const version of ["v22.12.0", "v24.0.0"]) assert.ok(newEnough(version), version);
  for (const version of ["v20.20.2", "v22.11.9"]) assert.ok(!newEnough(version), version);
});

test("the tools folder follows POINTSMAN_TOOLS, then XDG_CACHE_HOME, then HOME", () => {
  assert.equal(toolsFolder({ POINTSMAN_TOOLS: "/t", XDG_CACHE_HOME: "/c", HOME: "/h" }), "/t");
  assert.equal(toolsFolder({ XDG_CACHE_HOME: "/c", HOME: "/h" }), "/c/pointsman");
  assert.equal(toolsFolder({ HOME: "/h" }), "/h/.cache/pointsman");
  assert.equal(tilde("/h/x", { HOME: "/h" }), "~/x");
});

test("ports", () => {
  assert.equal(wantedPort({}), 8787);
  assert.equal(wantedPort({ PORT: "9000" }), 9000);
  assert.deepEqual([8787, 65535].map(nextPort), [8788, 65534]);
  for (const PORT of ["x", "0", "65536", "-1"]) assert.throws(() => wantedPort({ PORT }), PORT);
});

test("durations", () => {
  assert.deepEqual([40, 9_960, 119_000, 125_000].map(duration), ["0.0 s", "10 s", "119 s", "2 min 5 s"]);
});

test("--only chooses a part; anything else is refused", () => {
  assert.deepEqual(chosen([]), STEPS);
  assert.ok(chosen(["--only=wasm"]).every(({ part }) => part === "wasm"));
  for (const argument of ["--only=nothing", "--fast"]) assert.throws(() => chosen([argument]), /unknown option/);
});

test("a pattern without a file is a fault", () => {
  assert.ok(testFiles(["scripts/**/*.test.mjs"]).length > 0);
  assert.throws(() => testFiles(["tests/nowhere/**/*.test.mjs"]), /no test file matches/);
});

test("the watcher tells of a changed file once", async () => {
  const folder = mkdtempSync(join(tmpdir(), "pointsman-watch-"));
  const file = join(folder, "gateway.toml");
  writeFileSync(file, "a");
  const told = [];
  const end = watch(
    { configuration: { files: [file] }, code: { folders: [join(folder, "src")] } },
    (name) => told.push(name),
    10,
  );
  writeFileSync(file, "changed");
  const deadline = Date.now() + 5000;
  while (told.length === 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
  await new Promise((resolve) => setTimeout(resolve, 50));
  end();
  rmSync(folder, { recursive: true });
  assert.deepEqual(told, ["configuration"]);
});

test("the watcher takes in what is watched from now on, and tells of it only where it was written since", async () => {
  const folder = mkdtempSync(join(tmpdir(), "pointsman-watch-"));
  const path = (name) => join(folder, name);
  for (const name of ["main.js", "old.js"]) writeFileSync(path(name), name);
  utimesSync(path("old.js"), new Date(0), new Date(0));
  let settings = { files: [path("main.js")] };
  const told = [];
  const end = watch(
    () => ({ settings }),
    async (name) => {
      told.push(name);
    },
    10,
  );
  const pause = () => new Promise((resolve) => setTimeout(resolve, 80));
  const toldBy = async (change) => {
    await change();
    const deadline = Date.now() + 5000;
    while (told.length === 0 && Date.now() < deadline) await pause();
    await pause();
    return told.splice(0);
  };
  try {
    // An import that was there before, one that somebody writes while the main module is read, and one that is to come.
    settings = { files: ["main.js", "old.js", "later.js"].map(path), since: Date.now() - 1000 };
    await pause();
    assert.deepEqual(told, []);
    assert.deepEqual(await toldBy(() => writeFileSync(path("later.js"), "1")), ["settings"]);
    writeFileSync(path("meanwhile.js"), "1");
    assert.deepEqual(await toldBy(() => settings.files.push(path("meanwhile.js"))), ["settings"]);
    // A whole folder, but for what is installed or hidden, and what was there before.
    settings = { ...settings, sources: [folder], since: Date.now() + 1000 };
    await pause();
    for (const hidden of ["node_modules", ".pointsman"]) {
      mkdirSync(path(hidden));
      writeFileSync(join(path(hidden), "a.js"), "1");
    }
    mkdirSync(path("lib"));
    await pause();
    assert.deepEqual(told, []);
    assert.deepEqual(await toldBy(() => writeFileSync(path("lib/a.js"), "1")), ["settings"]);
    const withWritten = { files: [], sources: [path("lib")], since: Date.now() - 1000 };
    assert.deepEqual(await toldBy(() => Object.assign(settings, withWritten)), ["settings"]);
  } finally {
    end();
    rmSync(folder, { recursive: true });
  }
});

test("a wasm file loses the names of its functions, and only these", () => {
  const section = (id, ...content) => [id, content.length, ...content];
  const chars = (text) => [text.length, ...Buffer.from(text)];
  const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const types = section(1, 1, 0x60, 0, 0);
  const functions = section(3, 2, 0, 0);
  const exported = section(7, 1, ...chars("f"), 0, 1);
  const code = section(10, 2, 2, 0, 0x0b, 2, 0, 0x0b);
  const named = section(
    0,
    ...chars("name"),
    ...section(0, ...chars("module")),
    ...section(1, 2, 0, ...chars("a::b"), 0x81, 0, ...chars("c")),
  );
  const more = section(0, ...chars("producers"), 0);
  const { wasm, names } = withoutNames(Buffer.from([head, more, types, functions, exported, code, named].flat()));
  assert.deepEqual(names, ["0 a::b", "1 c"]);
  assert.deepEqual([...wasm], [head, types, functions, exported, code].flat());
  assert.equal(typeof new WebAssembly.Instance(new WebAssembly.Module(wasm)).exports.f, "function");
});

test("a wasm file loses exports, and all else stays where it is", () => {
  const chars = (text) => [text.length, ...Buffer.from(text)];
  const long = "a".repeat(120);
  const content = [3, ...chars("f"), 0, 1, ...chars(long), 0, 0x80, 2, ...chars("g"), 2, 0];
  const kept = (isKept) => [...keptExports(Buffer.from(content), isKept)];
  assert.deepEqual(
    kept(() => true),
    content,
  );
  assert.deepEqual(
    kept((name) => name !== long),
    [2, ...chars("f"), 0, 1, ...chars("g"), 2, 0],
  );
  assert.deepEqual(
    kept(() => false),
    [0],
  );
  const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  // The length of a section is a number of two bytes from 128 on.
  const section = (length) => [7, 0x80 | (length & 0x7f), length >> 7, ...Array(length).fill(1)];
  const file = Buffer.from([...head, 1, 1, 9, ...section(300)]);
  assert.deepEqual([...withSections(file, (_, part) => part)], [...file]);
  const halved = withSections(file, (kind, part) => (kind === SECTION.exports ? part.subarray(0, 150) : part));
  assert.deepEqual([...halved], [...head, 1, 1, 9, ...section(150)]);
});
