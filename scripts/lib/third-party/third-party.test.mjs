import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../paths.mjs";
import { COMMAND, document, FILE } from "./document.mjs";
import { chosen, noticeOf, textOf } from "./licences.mjs";
import { crates, cratesOfCommandLine, npmPackages } from "./shipped.mjs";

test("THIRD-PARTY-LICENSES is what the lock files make of it", async () => {
  const wanted = await document();
  assert.ok(readFileSync(FILE, "utf8") === wanted, `THIRD-PARTY-LICENSES is out of date: ${COMMAND}`);
  assert.ok(!wanted.includes(ROOT) && !/\/registry\/src\//.test(wanted), "no path of this machine is in it");
});

test("what is linked is listed, and what only runs while it is compiled or tested is not", () => {
  const names = crates().map(({ name }) => name);
  for (const name of ["worker", "serde", "jwt-compact", "wasm-bindgen"]) assert.ok(names.includes(name), name);
  for (const name of ["serde_derive", "syn", "clap", "rsa", "proptest", "pointsman"])
    assert.ok(!names.includes(name), name);
});

test("the command line has crates that the Workers have not, and none of the native one alone", () => {
  const names = cratesOfCommandLine().map(({ name }) => name);
  for (const name of ["clap", "toml", "rsa", "serde", "wasi"]) assert.ok(names.includes(name), name);
  for (const name of ["clap_derive", "proptest", "worker", "wasm-bindgen"]) assert.ok(!names.includes(name), name);
});

test("of npm the console alone has packages", async () => {
  assert.deepEqual(
    (await npmPackages()).map(({ name }) => name),
    ["hono", "jose"],
  );
});

test("of a choice one licence is taken, of several parts all", () => {
  assert.deepEqual(chosen("MIT"), ["MIT"]);
  assert.deepEqual(chosen("MIT OR Apache-2.0"), ["Apache-2.0"]);
  assert.deepEqual(chosen("MIT/Apache-2.0"), ["Apache-2.0"]);
  assert.deepEqual(chosen("Unlicense OR MIT"), ["MIT"]);
  assert.deepEqual(chosen("MIT AND BSD-3-Clause"), ["MIT", "BSD-3-Clause"]);
  assert.deepEqual(chosen("(MIT OR Apache-2.0) AND Unicode-3.0"), ["Apache-2.0", "Unicode-3.0"]);
  assert.deepEqual(chosen("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT"), ["Apache-2.0"]);
  assert.deepEqual(chosen("GPL-3.0-only OR MIT"), ["MIT"]);
});

test("a licence that is not known is no licence", () => {
  for (const expression of [
    "GPL-3.0-only",
    "MIT AND GPL-3.0-only",
    "Apache-2.0 WITH LLVM-exception",
    "",
    "MIT OR",
    "(MIT",
    "MIT Apache-2.0",
  ]) {
    assert.throws(() => chosen(expression), { name: "Error", message: /^licence/ }, expression);
  }
});

test("the text of a licence is found by what it says, not by the name of its file", () => {
  const folder = mkdtempSync(join(tmpdir(), "third-party-"));
  try {
    mkdirSync(join(folder, "licenses"));
    writeFileSync(join(folder, "LICENSE-APACHE"), "Apache License\n Version 2.0, January 2004");
    writeFileSync(
      join(folder, "LICENSE"),
      "Copyright (c) Somebody\r\n\r\nPermission is hereby granted, free of charge, to any person\n",
    );
    assert.equal(
      textOf("MIT", folder),
      "Copyright (c) Somebody\n\nPermission is hereby granted, free of charge, to any person",
    );
    assert.equal(textOf("BSD-3-Clause", folder), undefined);
    assert.equal(noticeOf(folder), undefined);
    writeFileSync(join(folder, "NOTICE"), "Made by somebody\n");
    assert.equal(noticeOf(folder), "Made by somebody");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
