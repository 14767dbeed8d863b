// What the ledger's object does around a request to the management API, without a runtime: which questions follow which answer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { answerManaged, leakedIn } from "../../src/edge/ledger_management.js";

const SIGNER = { key: "k", signature: "s" };
const bytes = (text) => new TextEncoder().encode(text);
const reply = (status, body = {}) => ({ reply: { status, fields: [], body } });

/** Answers with these, one after the other, and notes what was asked and done. */
function world(answers, { verdict = "right", isRead = true } = {}) {
  const noted = [];
  const left = [...answers];
  return {
    noted,
    parts: {
      ask({ signature, body, wasRead, entriesRead }) {
        // What stays as it was first is left out.
        const known = { signature, body, ...(wasRead && { wasRead }), ...(entriesRead !== "no" && { entriesRead }) };
        noted.push(JSON.parse(JSON.stringify(known)));
        return left.shift();
      },
      verify: async (signer, body) => {
        noted.push(["verify", signer.key, new TextDecoder().decode(body)]);
        return verdict;
      },
      read: async (name) => void noted.push(["read", name]),
      readAll: async (names) => {
        noted.push(["readAll", ...names]);
        return isRead;
      },
      wake: async () => void noted.push("wake"),
    },
  };
}

test("a request that needs nothing is one question", async () => {
  const { parts, noted } = world([reply(200)]);
  assert.deepEqual(await answerManaged(parts, { method: "GET" }), reply(200));
  assert.deepEqual(noted, [{}]);
});

test("a ledger that is off is woken once", async () => {
  const { parts, noted } = world([reply(503), reply(503)]);
  assert.deepEqual(await answerManaged(parts, { method: "GET" }), reply(503));
  assert.deepEqual(noted, [{}, "wake", {}]);
});

test("a signature is checked over the bytes, and the text is handed in only where it is right", async () => {
  const right = world(["verify", reply(200)]);
  await answerManaged(right.parts, { method: "POST", signer: SIGNER }, bytes("\ufeff[]"));
  assert.deepEqual(right.noted, [
    { signature: "unchecked" },
    ["verify", "k", "[]"],
    { signature: "right", body: "\ufeff[]" },
  ]);
  for (const verdict of ["wrong", "unknown"]) {
    const other = world(["verify", reply(401)], { verdict });
    await answerManaged(other.parts, { method: "POST", signer: SIGNER }, bytes("[]"));
    assert.deepEqual(other.noted[2], { signature: verdict });
  }
});

test("what is asked ahead of the body is verified later, and a body that is no text is none", async () => {
  const ahead = world(["verify"]);
  assert.equal(await answerManaged(ahead.parts, { method: "POST", signer: SIGNER, isAhead: true }), "verify");
  assert.deepEqual(ahead.noted, [{ signature: "unchecked" }]);
  const broken = world(["verify", reply(422)]);
  await answerManaged(broken.parts, { method: "POST", signer: SIGNER }, Uint8Array.from([0xff]));
  assert.deepEqual(broken.noted[2], { signature: "right", body: "" });
});

test("no request says of itself that its signature is right", async () => {
  const { parts, noted } = world([reply(401)]);
  await answerManaged(parts, { method: "POST", signature: "right", entriesRead: "yes", wasRead: true });
  assert.deepEqual(noted, [{}]);
});

test("entries are read before the ledger is asked again, and a read that failed is told", async () => {
  for (const [isRead, entriesRead] of [
    [true, "yes"],
    [false, "failed"],
  ]) {
    const answers = ["verify", { readAll: ["key:a", "key:b"] }, reply(200)];
    const { parts, noted } = world(answers, { isRead });
    await answerManaged(parts, { method: "POST", signer: SIGNER }, bytes("[]"));
    assert.deepEqual(noted.slice(3), [["readAll", "key:a", "key:b"], { signature: "right", body: "[]", entriesRead }]);
  }
  const both = world([{ read: "key:root" }, { readAll: ["key:a"] }, reply(200)]);
  await answerManaged(both.parts, { method: "POST" });
  assert.deepEqual(both.noted, [
    {},
    ["read", "key:root"],
    { wasRead: true },
    ["readAll", "key:a"],
    { wasRead: true, entriesRead: "yes" },
  ]);
});

test("the keys of a report are counted once each", () => {
  const said = (hash, label) => ({ token_hash: hash, token_type: "t", label });
  const feedback = [said("a", "true_positive"), said("a", "true_positive"), said("b", "false_positive")];
  assert.equal(leakedIn(reply(200, feedback)), 1);
  for (const answer of [reply(200), reply(503), "verify", "description", { read: "key:a" }])
    assert.equal(leakedIn(answer), 0);
});
