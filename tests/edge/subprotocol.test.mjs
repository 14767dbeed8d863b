// The subprotocol that a handshake is answered with. Node makes no Response with status 101, so one stands in here.
import assert from "node:assert/strict";
import { test } from "node:test";
import { editAnswer, editFields } from "../../src/edge/answer.js";

const NAME = "sec-websocket-protocol";
const edits = (set) => ({
  replacesCors: false,
  varyOrigin: false,
  serverTiming: false,
  privacy: "untouched",
  isolates: false,
  set,
});

class Upgraded {
  constructor(body, { status, headers, webSocket }) {
    Object.assign(this, { body, status, headers: new Headers(headers), webSocket });
  }
}

function edited(fields, set) {
  const { Response } = globalThis;
  globalThis.Response = Upgraded;
  try {
    const answer = new Upgraded(null, { status: 101, headers: fields, webSocket: {} });
    return { answer, given: editAnswer(answer, 101, edits(set), 1, 2) };
  } finally {
    globalThis.Response = Response;
  }
}

test("where the backend chose none, a handshake is answered with the one that is set", () => {
  const { answer, given } = edited({ upgrade: "websocket" }, [[NAME, "bearer"]]);
  assert.equal(given.headers.get(NAME), "bearer");
  assert.equal(given.headers.get("upgrade"), "websocket");
  assert.equal(given.webSocket, answer.webSocket);
});

test("what the backend chose stays, and the answer is handed on as it came", () => {
  const { answer, given } = edited({ [NAME]: "chat" }, [[NAME, "bearer"]]);
  assert.equal(given, answer);
  assert.equal(given.headers.get(NAME), "chat");
});

test("a handshake without a credential there is handed on as it came", () => {
  for (const set of [[], [["x-request-id", "r"]]]) {
    const { answer, given } = edited({}, set);
    assert.equal(given, answer);
  }
});

test("an answer that is no handshake's does not get it, a problem neither", () => {
  const given = editAnswer(
    new Response("no", { status: 400 }),
    400,
    edits([
      [NAME, "bearer"],
      ["x-a", "1"],
    ]),
    1,
    2,
  );
  assert.deepEqual([given.headers.get(NAME), given.headers.get("x-a")], [null, "1"]);
  const headers = new Headers();
  editFields(headers, edits([[NAME, "bearer"]]));
  assert.equal(headers.has(NAME), false);
});
