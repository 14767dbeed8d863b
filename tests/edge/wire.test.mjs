// The texts between JavaScript and Rust, by the examples of fixtures/wire: src/edge/wire/tests.rs writes and reads the same.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import * as wire from "../../src/edge/wire.js";

const folder = new URL("../../fixtures/wire/", import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8"));

/** Runs all examples of a file, which must not be none. */
function examples(name, run) {
  const all = read(name);
  assert.ok(all.length > 0, name);
  for (const { about, text, value } of all) run(text, value, `${name}: ${about}: ${JSON.stringify(text)}`);
}

/** As JSON has it: without the members that are undefined. */
const plain = (value) => JSON.parse(JSON.stringify(value));

function fieldsOf(text) {
  const fields = [];
  wire.forEachField(text, (name, value) => fields.push([name, value]));
  return fields;
}

function namesOf(text) {
  const names = [];
  wire.forEachName(text, (name) => names.push(name));
  return names;
}

test("a dispatch is read as Rust writes it", () => {
  examples("dispatch", (text, value, what) => assert.deepEqual(plain(wire.decodeDispatch(text)), value, what));
});

test("fields and names of a dispatch are read one by one", () => {
  const [, { value }] = read("dispatch");
  assert.deepEqual(namesOf(value.remove), ["x-a", "x-b"]);
  assert.deepEqual(fieldsOf(value.set), [
    ["via", "1.1 pointsman"],
    ["x-subject", ""],
  ]);
  assert.deepEqual(namesOf(""), []);
  assert.deepEqual(fieldsOf(""), []);
});

test("the edits of an answer are read as Rust writes them, the first time and later", () => {
  for (let time = 0; time < 2; time++)
    examples("edits", (text, value, what) => assert.deepEqual(plain(wire.decodeEdits(text)), value, what));
});

test("edits without fields are one object, which nobody can change", () => {
  const edits = wire.decodeEdits("---s-\n");
  assert.equal(wire.decodeEdits("---s-\n"), edits);
  assert.throws(() => {
    edits.isolates = true;
  }, TypeError);
  assert.throws(() => edits.set.push(["x-leaked", "to other answers"]), TypeError);
});

test("an answer is read as Rust writes it: without a body it is another than with an empty one", () => {
  examples("answer", (text, value, what) => assert.deepEqual(plain(wire.decodeAnswer(text)), value, what));
});

test("fields are read as Rust writes them", () => {
  examples("fields", (text, value, what) => assert.deepEqual(fieldsOf(text), value, what));
});

test("failures and signer are read as Rust writes them", () => {
  examples("failures", (text, value, what) => {
    assert.deepEqual(wire.decodeFailures(text), value, what);
    const { shapes, ...failures } = value;
    assert.deepEqual(shapes, [{}, { content_type: "text/plain", body: "{status}: {detail}\n" }]);
    for (const [name, failure] of Object.entries(failures)) {
      assert.deepEqual(Object.keys(failure).sort(), ["detail", "error", "reason", "status", "title", "type"], name);
      assert.ok(Number.isInteger(failure.status), name);
    }
  });
  examples("signer", (text, value, what) => assert.deepEqual(wire.decodeSigner(text), value, what));
});

test("what JavaScript writes is what Rust reads", () => {
  assert.deepEqual(wire.ENDED, read("ended"));
  examples("attempt-report", (text, value, what) => assert.equal(wire.encodeAttemptReport(value), text, what));
  examples("attempt-start", (text, value, what) => assert.equal(wire.encodeAttemptStart(value), text, what));
  examples("names", (text, value, what) => assert.equal(wire.encodeNames([...value, ...value]), text, what));
  examples("prelude", (text, { seen, method, url, fields }, what) => {
    const noted = fields.map(([name, value]) => wire.encodeNotedField(name, value)).join("");
    assert.equal(wire.encodePrelude(seen, method, url, noted), text, what);
  });
});

test("each file of examples is read here", () => {
  const source = readFileSync(new URL(import.meta.url), "utf8");
  for (const file of readdirSync(folder)) assert.ok(source.includes(`"${file.replace(/\.json$/, "")}"`), file);
});
