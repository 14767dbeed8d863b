// What operators ask of the ledger by HTTP, without a runtime: how queries are read, and which status an answer has.
import assert from "node:assert/strict";
import { test } from "node:test";
import { lookIn } from "../../src/edge/operate_look.js";

const look = (query) => lookIn(new URLSearchParams(query));

test("a query says what is looked at", () => {
  assert.deepEqual(look("record=customer%3Aa%26b"), { op: "record", name: "customer:a&b" });
  assert.deepEqual(look("trail"), { op: "trail", before: undefined, name: undefined, actor: undefined, limit: 100 });
  assert.deepEqual(look("trail&before=17&name=key:ab&actor=ann&limit=50"), {
    op: "trail",
    before: 17,
    name: "key:ab",
    actor: "ann",
    limit: 50,
  });
  assert.deepEqual(look("keys&customer=acme&behind=00ff&limit=1000"), {
    op: "keys",
    customer: "acme",
    subject: undefined,
    behind: "00ff",
    limit: 1000,
  });
  assert.deepEqual(look("customers&prefix=ac"), { op: "customers", prefix: "ac", behind: undefined, limit: 100 });
});

test("what asks for none of these is for somebody else", () => {
  for (const query of ["", "audit=0", "limit=5", "status"]) assert.equal(look(query), undefined, query);
});

test("a search says by what, for which text, in which order, and which page", () => {
  const page = { op: "search", text: "", descending: false, offset: 0, limit: 100 };
  assert.deepEqual(look("search=id"), { ...page, by: "id" });
  const more = "search=subject&text=a%25%27&order=descending&offset=50&limit=25";
  assert.deepEqual(look(more), { op: "search", by: "subject", text: "a%'", descending: true, offset: 50, limit: 25 });
  for (const query of ["search=name", "search=", "search=id&offset=-1", "search=id&offset=x", "search=id&limit=0"])
    assert.equal(typeof look(query).fault, "string", query);
  assert.match(look(`search=id&text=${"a".repeat(1025)}`).fault, /1024/);
});

test("a number that is none is a fault, and never a default", () => {
  for (const query of ["keys&limit=0", "keys&limit=1001", "trail&limit=x", "customers&limit="])
    assert.match(look(query).fault, /^limit must be/, query);
  for (const query of ["trail&before=-1", "trail&before=", "trail&before=1e3"])
    assert.match(look(query).fault, /^before must be/, query);
});
