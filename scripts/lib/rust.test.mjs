import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inRoot } from "./paths.mjs";

const SCRIPT = `
import { needRust } from ${JSON.stringify(inRoot("scripts", "lib", "rust.mjs"))};
import { main } from ${JSON.stringify(inRoot("scripts", "lib", "failure.mjs"))};
await main(async () => { await needRust(); console.log("uses", process.env.RUSTUP_TOOLCHAIN ?? "the file's"); });
`;

// A rustup of shell scripts: rustc runs where its toolchain is the default one or was installed, and never by itself.
const PROGRAMS = {
  cargo: "exit 0",
  rustc: `[ "$RUSTUP_AUTO_INSTALL" = 0 ] || [ -n "$RUSTUP_TOOLCHAIN" ] || exit 3
[ "\${RUSTUP_TOOLCHAIN:-file}" = mine ] || [ -e "$HERE/installed" ]`,
  rustup: `echo "$@" >> "$HERE/asked"
case "$1" in
  default) echo "$DEFAULT" ;;
  toolchain) [ -n "$REACHABLE" ] && : > "$HERE/installed" ;;
esac`,
};

function run(environment, { without = [], installed = false } = {}) {
  const here = mkdtempSync(join(tmpdir(), "rust-"));
  try {
    for (const [name, text] of Object.entries(PROGRAMS)) {
      if (!without.includes(name)) writeFileSync(join(here, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    }
    writeFileSync(join(here, "asked"), "");
    if (installed) writeFileSync(join(here, "installed"), "");
    const env = { PATH: here, HERE: here, DEFAULT: "mine (default)", ...environment };
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", SCRIPT], {
      env,
      encoding: "utf8",
    });
    const asked = spawnSync("/bin/cat", [join(here, "asked")], { encoding: "utf8" }).stdout;
    return { status, text: stdout + stderr, asked };
  } finally {
    rmSync(here, { recursive: true });
  }
}

test("a toolchain that is there is used, and rustup is not called", () => {
  const { status, text, asked } = run({}, { installed: true });
  assert.equal(status, 0, text);
  assert.match(text, /uses the file's/);
  assert.equal(asked, "");
});

test("the toolchain of the file is fetched, and rustup stays as it is", () => {
  const { status, text, asked } = run({ REACHABLE: "yes" });
  assert.equal(status, 0, text);
  assert.match(text, /uses the file's/);
  assert.match(asked, /^toolchain install stable .*--no-self-update/);
});

test("where it cannot be fetched, rustup's default is used by all that follows", () => {
  const { status, text } = run({});
  assert.equal(status, 0, text);
  assert.match(text, /uses mine/);
  assert.match(text, /export RUSTUP_TOOLCHAIN=mine/);
});

test("who wants nothing fetched gets nothing fetched", () => {
  const { text, asked } = run({ RUSTUP_AUTO_INSTALL: "0", REACHABLE: "yes" });
  assert.match(text, /uses mine/);
  assert.doesNotMatch(asked, /install/);
});

test("where nothing can be used it says what to do", () => {
  const none = run({ DEFAULT: "" });
  assert.equal(none.status, 1);
  assert.match(none.text, /rustup toolchain install stable/);
  const named = run({ RUSTUP_TOOLCHAIN: "other", REACHABLE: "yes" });
  assert.equal(named.status, 1);
  assert.match(named.text, /other is not installed, and RUSTUP_TOOLCHAIN names it/);
  const without = run({}, { without: ["rustc", "rustup"] });
  assert.equal(without.status, 1);
  assert.match(without.text, /rustc not found on PATH/);
});
