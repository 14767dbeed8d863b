// The ledger's map of bytes over SQLite, here over Node's own; tests/workerd/ledger.test.mjs has it in workerd.
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, test } from "node:test";
import { openEntries } from "../../src/edge/ledger_storage.js";

/** What an object's storage has as `sql`: blobs come and go as an ArrayBuffer, and as nothing else. */
function sqlOf(database) {
  const bind = (value) => {
    if (typeof value === "number") return value;
    assert.ok(value instanceof ArrayBuffer, "a view of memory that may move");
    return new Uint8Array(value);
  };
  const toBuffers = (row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => {
        if (typeof value === "number") return [name, value];
        const { buffer, byteOffset: at, byteLength } = value;
        return [name, buffer.slice(at, at + byteLength)];
      }),
    );
  return {
    exec: (query, ...values) => {
      const rows = database
        .prepare(query)
        .all(...values.map(bind))
        .map(toBuffers);
      return { toArray: () => rows };
    },
  };
}

const bytes = (...values) => new Uint8Array(values);

/** What a scan says, as numbers. */
function pairs(joined) {
  const view = new DataView(joined.buffer, joined.byteOffset, joined.byteLength);
  const parts = [];
  for (let at = 0; at < joined.length; ) {
    const end = at + 4 + view.getUint32(at);
    parts.push([...joined.subarray(at + 4, end)]);
    at = end;
  }
  return Array.from({ length: parts.length / 2 }, (_, index) => [parts[index * 2], parts[index * 2 + 1]]);
}

let database;
let entries;
beforeEach(() => {
  database = new DatabaseSync(":memory:");
  entries = openEntries(sqlOf(database));
});

describe("entries", () => {
  test("are there as they were put, until they are deleted", () => {
    assert.equal(entries.get(bytes(1)), undefined);
    entries.put(bytes(1), bytes(7, 0, 255));
    entries.put(bytes(1, 0), bytes());
    assert.deepEqual(entries.get(bytes(1)), bytes(7, 0, 255));
    assert.deepEqual(entries.get(bytes(1, 0)), bytes(), "an empty value is a value");
    entries.put(bytes(1), bytes(8));
    assert.deepEqual(entries.get(bytes(1)), bytes(8));
    entries.delete(bytes(1));
    entries.delete(bytes(1));
    assert.equal(entries.get(bytes(1)), undefined);
    assert.deepEqual(entries.get(bytes(1, 0)), bytes());
  });

  test("are scanned in the order of their bytes, from the first to before the last", () => {
    for (const key of [[2], [1, 255], [1], [255, 1], [1, 0], [3], [255]]) entries.put(bytes(...key), bytes(...key, 9));
    const scanned = (...order) => pairs(entries.scan(...order)).map(([key]) => key);
    assert.deepEqual(scanned(bytes(), bytes(255, 255), 100), [[1], [1, 0], [1, 255], [2], [3], [255], [255, 1]]);
    assert.deepEqual(scanned(bytes(1, 0), bytes(3), 100), [[1, 0], [1, 255], [2]]);
    assert.deepEqual(scanned(bytes(1), bytes(3), 2), [[1], [1, 0]]);
    assert.deepEqual(scanned(bytes(4), bytes(5), 9), []);
    assert.deepEqual(pairs(entries.scan(bytes(255), bytes(255, 1), 9)), [[[255], [255, 9]]]);
  });

  test("are found by a text in their keys, wherever it stands, in either case and by no pattern", () => {
    const encoder = new TextEncoder();
    const at = (text, behind = []) => new Uint8Array([105, ...encoder.encode(text), ...behind]);
    for (const id of ["acme", "beta-ACME-2", "100%", "1000", "a_b", "axb", "it's", "ümlaut", "zeta"])
      entries.put(at(id), bytes());
    entries.put(bytes(104, 97), bytes());
    const find = (part, more = {}) => {
      const order = { skip: 1, tail: 0, isHex: false, part, descending: false, offset: 0, limit: 50, ...more };
      const [[total, matching], ...found] = pairs(entries.search(bytes(105), bytes(106), JSON.stringify(order)));
      const number = (part) => Number(String.fromCharCode(...part));
      const text = ([key]) => new TextDecoder().decode(new Uint8Array(key.slice(1)));
      return [number(total), number(matching), found.map(text)];
    };
    assert.deepEqual(find("acme"), [9, 2, ["acme", "beta-ACME-2"]]);
    assert.deepEqual(find("%"), [9, 1, ["100%"]]);
    assert.deepEqual(find("a_b"), [9, 1, ["a_b"]]);
    assert.deepEqual(find("'"), [9, 1, ["it's"]]);
    assert.deepEqual(find("üml"), [9, 1, ["ümlaut"]]);
    assert.deepEqual(find("nobody"), [9, 0, []]);
    const all = ["100%", "1000", "a_b", "acme", "axb", "beta-ACME-2", "it's", "zeta", "ümlaut"];
    assert.deepEqual(find(""), [9, 9, all]);
    assert.deepEqual(find("", { descending: true, limit: 2, offset: 1 }), [9, 9, all.toReversed().slice(1, 3)]);
    assert.deepEqual(find("", { offset: 20 }), [9, 9, []]);
  });

  test("are searched behind what stands before their text, before what stands behind it, and by hexadecimal digits", () => {
    for (const [name, digest] of [
      ["b", 0xab],
      ["aa", 0x0c],
      ["c", 0xbc],
    ])
      entries.put(bytes(106, 0, name.length, ...name.split("").map((letter) => letter.charCodeAt(0)), digest), bytes());
    const search = (order) =>
      pairs(
        entries.search(bytes(106), bytes(107), JSON.stringify({ offset: 0, limit: 9, descending: false, ...order })),
      )
        .slice(1)
        .map(([key]) => key.at(-1));
    assert.deepEqual(
      search({ skip: 3, tail: 1, isHex: false, part: "" }),
      [0x0c, 0xab, 0xbc],
      "by text, not by length",
    );
    assert.deepEqual(search({ skip: 3, tail: 1, isHex: false, part: "a" }), [0x0c]);
    assert.deepEqual(search({ skip: 1, tail: 0, isHex: true, part: "62ab" }), [0xab]);
  });

  test("outlive the map, which a version before this one may have made", () => {
    entries.put(bytes(5), bytes(6));
    assert.deepEqual(openEntries(sqlOf(database)).get(bytes(5)), bytes(6));
  });

  test("are of the bytes as they were when they were put, wherever in memory these stood", () => {
    const memory = new Uint8Array(64).fill(1);
    entries.put(memory.subarray(3, 5), memory.subarray(10, 13));
    memory.fill(2);
    assert.deepEqual(entries.get(bytes(1, 1)), bytes(1, 1, 1));
    assert.equal(entries.get(bytes(2, 2)), undefined);
  });
});
