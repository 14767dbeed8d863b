// How `pointsman deploy` asks for secrets: nobody sees the answer.
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { askSecret } from "../../packages/pointsman/lib/prompt.mjs";

/** A terminal that somebody types at, and what it shows. */
function openTerminal() {
  const [input, output] = [new PassThrough(), new PassThrough()];
  return {
    streams: { input, output },
    type: (text) => input.write(text),
    shown: () => String(output.read() ?? ""),
  };
}

for (const kind of ["xterm", "dumb"])
  test(`an answer is not shown, and an empty one is asked for again: ${kind}`, async (context) => {
    const before = process.env.TERM;
    context.after(() => {
      if (before === undefined) delete process.env.TERM;
      else process.env.TERM = before;
    });
    process.env.TERM = kind;
    const terminal = openTerminal();
    const answer = askSecret("TOKEN: ", terminal.streams);
    terminal.type("\r");
    // A letter that was taken back, and what was typed before, by the arrow.
    terminal.type(" hunter3\x7f2 \x1b[A\r");
    assert.equal(await answer, "hunter2");
    assert.equal(terminal.shown(), "TOKEN: \nTOKEN: \n");
  });

test("one secret is asked for after the other, and each question hears its own answer only", async () => {
  const terminal = openTerminal();
  const first = askSecret("FIRST: ", terminal.streams);
  terminal.type("one\r");
  assert.equal(await first, "one");
  const second = askSecret("SECOND: ", terminal.streams);
  terminal.type("\r");
  terminal.type("two\r");
  assert.equal(await second, "two");
  assert.equal(terminal.shown(), "FIRST: \nSECOND: \nSECOND: \n");
});

test("whoever ends it with Ctrl-C is told that nothing was deployed", async () => {
  const terminal = openTerminal();
  const answer = askSecret("TOKEN: ", terminal.streams);
  terminal.type("half\x03");
  await assert.rejects(answer, /nothing was deployed/);
  assert.ok(!terminal.shown().includes("half"));
});
