// The programs that the launcher starts for the wasm.
import assert from "node:assert/strict";
import { closeSync } from "node:fs";
import { test } from "node:test";
import { runAll } from "../../packages/pointsman/lib/programs.mjs";
import { openTemporary, readAt, writeAt } from "../../packages/pointsman/lib/temporary.mjs";

const MOST = 1 << 16;
const textOf = (file) => readAt(file, 0, MOST).toString();

function withFiles(count, use) {
  const files = Array.from({ length: count }, openTemporary);
  try {
    return use(...files);
  } finally {
    for (const file of files) closeSync(file);
  }
}

const shell = (script, output, more = {}) => ({
  name: "sh",
  arguments: ["-c", script],
  variables: { GREETING: "hello" },
  firstInPath: null,
  input: null,
  output,
  errors: output,
  ...more,
});

test("a program has its input, variables and PATH, and its end is told", () =>
  withFiles(3, (input, output, errors) => {
    writeAt(input, 0, Buffer.from("given"));
    // Twice: the second reads from the beginning too.
    for (const at of [0, 1]) {
      const script = 'cat; echo " $GREETING ${PATH%%:*}"; echo bad >&2; exit 7';
      const program = shell(script, output, { input, errors, firstInPath: "/first" });
      assert.deepEqual(runAll([program]), [{ success: false, how: "exit status: 7" }]);
      assert.equal(textOf(output), "given hello /first\n".repeat(at + 1));
      assert.equal(textOf(errors), "bad\n".repeat(at + 1));
    }
  }));

test("a signal, and a program that is not there, are said as the native command line says them", () =>
  withFiles(1, (output) => {
    assert.deepEqual(runAll([shell("kill -9 $$", output)]), [{ success: false, how: "signal: 9 (SIGKILL)" }]);
    const missing = shell("", output, { name: "/no/such/program" });
    assert.deepEqual(runAll([missing]), [{ error: "No such file or directory" }]);
  }));

test("several run at once, each with its own files", () =>
  withFiles(6, (a, b, c, aOut, bOut, cOut) => {
    writeAt(a, 0, Buffer.from("a"));
    writeAt(b, 0, Buffer.from("b"));
    // Each of the first two waits for the other: one after the other they would never end.
    const meet = (own, other) =>
      `cat; touch "$MEET.${own}"; for i in $(seq 500); do [ -e "$MEET.${other}" ] && exit 0; sleep 0.02; done; exit 1`;
    const variables = { MEET: `${process.env.TMPDIR ?? "/tmp"}/pointsman-meet-${process.pid}` };
    const ended = runAll([
      shell(meet(1, 2), aOut, { input: a, variables }),
      shell(meet(2, 1), bOut, { input: b, variables }),
      shell("", c, { name: "/no/such/program" }),
      shell("cat; exit 3", cOut),
    ]);
    assert.deepEqual(ended, [
      { success: true, how: "exit status: 0" },
      { success: true, how: "exit status: 0" },
      { error: "No such file or directory" },
      { success: false, how: "exit status: 3" },
    ]);
    assert.deepEqual([aOut, bOut, cOut].map(textOf), ["a", "b", ""]);
    runAll([shell('rm "$MEET.1" "$MEET.2"', c, { variables })]);
  }));
