// The one shape of log lines: schemas/log-line.schema.json is the place of their names, and the code, the documents and the
// checker of other tests say the same.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { faultsOfLine, SCHEMA } from "../support/log-schema.mjs";

const root = new URL("../../", import.meta.url);
const read = (file) => readFileSync(new URL(file, root), "utf8");
const sorted = (names) => [...new Set(names)].sort();

test("the checker of these tests finds what a whole implementation finds", () => {
  const examples = JSON.parse(read("fixtures/log-lines.json"));
  for (const { about, valid, line } of examples) assert.equal(faultsOfLine(line).length === 0, valid, about);
});

test("faults are named with their place", () => {
  const [{ line }] = JSON.parse(read("fixtures/log-lines.json"));
  assert.deepEqual(faultsOfLine({ ...line, path: "/x" }), [" has path"]);
  assert.deepEqual(faultsOfLine({ ...line, bucket: -1 }), ["/bucket is below 0"]);
  assert.deepEqual(faultsOfLine({ ...line, event: "other" }), [" is 0 of the alternatives"]);
});

/** The alternatives of the schema, by the events that they are of. */
const SHAPES = SCHEMA.oneOf.map(({ $ref }) => SCHEMA.$defs[$ref.replace("#/$defs/", "")]);
const eventsOf = ({ properties: { event } }) => event.enum ?? [event.const];
const shapeOf = (name) => SHAPES.find((shape) => eventsOf(shape).includes(name));
const REQUEST = shapeOf("request");

test("the schema names each member that the line of a request can have, and says what it means", () => {
  const files = ["request_log.rs", "request_log/details.rs"].map((name) => `crates/pointsman-core/src/decide/${name}`);
  const core = files.map((file) => read(file).split("#[cfg(test)]")[0]).join("");
  const written = [...core.matchAll(/[{,]\\"(\w+)\\":/g), ...read("src/edge/finish.js").matchAll(/[{,]"(\w+)":/g)];
  assert.deepEqual(sorted(written.map(([, name]) => name)), sorted(Object.keys(REQUEST.properties)));
  for (const [name, { description, const: only }] of Object.entries(REQUEST.properties))
    if (only === undefined) assert.match(description, /\. (There|Always) .+\.$/, name);
});

/** [event, level] as the code has it. */
function eventsOfCode() {
  const found = [];
  for (const file of globSync(["src/**/*.rs", "crates/pointsman-{core,loader}/src/**/*.rs"], { cwd: root })) {
    const code = read(file).split("#[cfg(test)]")[0];
    for (const [, how, name] of code.matchAll(/\b(warn|note)\(\s*"(\w+)",/g))
      found.push([name, how === "warn" ? "warn" : "info"]);
  }
  for (const file of globSync("src/edge/*.js", { cwd: root }))
    for (const [, level, name] of read(file).matchAll(/\blogEvent\(\s*"(\w+)",\s*"(\w+)"/g)) found.push([name, level]);
  return found;
}

test("the schema has the events of the code, each with its level, and no others", () => {
  const events = eventsOfCode();
  assert.ok(events.length > 15, `${events.length} are found`);
  for (const [name, level] of events) assert.equal(shapeOf(name)?.properties.level.const, level, name);
  const known = SHAPES.flatMap(eventsOf).filter((name) => name !== "request");
  assert.deepEqual(sorted(events.map(([name]) => name)), sorted(known));
});

/** The names in the first column of each table of a part of a document. */
function firstColumns(document, heading) {
  const [, part] = document.split(`\n## ${heading}\n`);
  assert.ok(part, heading);
  const rows = part.split("\n## ")[0].matchAll(/^\| (`[^|]*) \|/gm);
  return sorted([...rows].flatMap(([, cell]) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name)));
}

test("docs/logs.md has the members of a request's line and the events, and no others", () => {
  const document = read("docs/logs.md");
  assert.deepEqual(firstColumns(document, "Fields"), sorted(Object.keys(REQUEST.properties)));
  const events = SHAPES.filter((shape) => shape !== REQUEST).flatMap(eventsOf);
  assert.deepEqual(firstColumns(document, "Other events"), sorted(events));
  const members = SHAPES.filter((shape) => shape !== REQUEST).flatMap(({ properties }) => Object.keys(properties));
  assert.deepEqual(firstColumns(document, "Fields of other events"), sorted(members));
  const all = [...members, ...Object.keys(REQUEST.properties)];
  assert.deepEqual(firstColumns(document, "Names in OpenTelemetry"), sorted(all));
});

test("the lines that docs/logs.md shows are as they must be", () => {
  const shown = [...read("docs/logs.md").matchAll(/```json\n(.*?)```/gs)].map(([, text]) => JSON.parse(text));
  assert.ok(shown.length >= 2);
  for (const line of shown) assert.deepEqual(faultsOfLine(line), [], JSON.stringify(line));
});
