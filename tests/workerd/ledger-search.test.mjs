// What a search costs over a hundred thousand customers, in the SQLite that an object has.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Miniflare } from "miniflare";

const CUSTOMERS = 100_000;
/** Customers have an index of their own, and so has much that no search for them may look at. */
const [OTHERS, INDEX] = ["h".charCodeAt(0), "i".charCodeAt(0)];

const module = (name) => ({
  type: "ESModule",
  path: name,
  contents: readFileSync(new URL(`../../src/edge/${name}`, import.meta.url), "utf8"),
});
const main = `
  import { DurableObject } from "cloudflare:workers";
  import { openEntries } from "./ledger_storage.js";
  const bytes = (space, text) => new Uint8Array([space, ...new TextEncoder().encode(text)]);
  export class Ledger extends DurableObject {
    #sql = this.ctx.storage.sql;
    #entries = openEntries(this.#sql);
    fill(from, to, space) {
      for (let n = from; n < to; n++) this.#entries.put(bytes(space, "customer-" + n), new Uint8Array(200));
    }
    search(order) {
      let rowsRead = 0;
      const counting = { exec: (...query) => {
        const cursor = this.#sql.exec(...query);
        const rows = cursor.toArray();
        rowsRead += cursor.rowsRead;
        return { toArray: () => rows };
      } };
      const found = openEntries(counting).search(bytes(${INDEX}, ""), bytes(${INDEX + 1}, ""), JSON.stringify(order));
      return { rowsRead, found };
    }
  }
  export default { fetch: () => new Response() };
`;

let miniflare;
let ledger;
before(async () => {
  miniflare = new Miniflare({
    modules: [
      { type: "ESModule", path: "main.js", contents: main },
      module("ledger_storage.js"),
      module("ledger_frames.js"),
    ],
    compatibilityDate: "2026-01-01",
    durableObjects: { LEDGER: { className: "Ledger", useSQLite: true } },
  });
  const { LEDGER } = await miniflare.getBindings();
  ledger = LEDGER.get(LEDGER.idFromName("one"));
  for (let from = 0; from < CUSTOMERS; from += 10_000) await ledger.fill(from, from + 10_000, INDEX);
  await ledger.fill(0, 10_000, OTHERS);
});
after(() => miniflare.dispose());

/** The texts of a search's answer. */
function textsOf(found) {
  const view = new DataView(found.buffer, found.byteOffset, found.byteLength);
  const texts = [];
  for (let at = 0; at < found.length; ) {
    const end = at + 4 + view.getUint32(at);
    texts.push(new TextDecoder().decode(found.subarray(at + 4, end)));
    at = end;
  }
  return texts;
}

test("a search in a hundred thousand customers reads each entry of their index twice at most, and no other", async (t) => {
  for (const [part, matching, first] of [
    ["99", 3691, "icustomer-10099"],
    ["customer-4242", 11, "icustomer-4242"],
    ["nobody", 0, undefined],
    ["", CUSTOMERS, "icustomer-0"],
  ]) {
    const begin = performance.now();
    const order = { skip: 1, tail: 0, isHex: false, part, descending: false, offset: 0, limit: 50 };
    const { rowsRead, found } = await ledger.search(order);
    t.diagnostic(`"${part}": ${rowsRead} rows read in ${Math.round(performance.now() - begin)} ms`);
    const [total, counted, key] = textsOf(found);
    assert.deepEqual([total, counted, key], [String(CUSTOMERS), String(matching), first]);
    assert.ok(rowsRead <= 2 * CUSTOMERS + 100, `${rowsRead} rows read`);
  }
});
