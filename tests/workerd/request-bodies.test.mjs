// Bodies of requests that break off: whose fault that was, what the client is told, and that no backend takes what came
// for the whole.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { until } from "./support/log.mjs";
import { BEHAVIOURS, openOriginsGateway } from "./support/origins.mjs";
import { answerTo, requestHead, Wire } from "./support/wire.mjs";

let gateway;
let only;
let first;
let second;
before(async () => {
  // Straight to the network: the Worker that stands there for the zone's cache elsewhere ends a body properly where the
  // gateway has cut it off.
  gateway = await openOriginsGateway(
    {
      backends: {
        plain: { origins: [{ origin: "only" }] },
        planned: { origins: [{ origin: "first" }, { origin: "second" }], failures: 1_000_000, failure_ratio: "100%" },
        marked: { origins: [{ origin: "first" }, { origin: "second" }], failures: 2, pause: "60s" },
      },
    },
    { overrides: { outboundService: undefined } },
  );
  ({ only, first, second } = gateway.origins);
});
after(() => gateway?.stop());
beforeEach(() => gateway.tidy());

const CHUNKED = ["Transfer-Encoding", "chunked"];
const sized = (length) => ["Content-Length", String(length)];

/** What clients do to their bodies: the field that frames it, what comes of it, and whether it is ended there. */
const BREAKS = {
  "ends before its Content-Length": [sized(1000), "abc", "end"],
  "ends in the middle of a chunk": [CHUNKED, "5\r\nhel", "end"],
  "ends before the last chunk": [CHUNKED, "5\r\nhello\r\n", "end"],
  "has a chunk's size of junk": [CHUNKED, "5\r\nhello\r\nzz\r\n"],
  "has a chunk that is longer than it says": [CHUNKED, "2\r\nhello\r\n0\r\n\r\n"],
};

async function open(route, field, method = "POST") {
  const wire = new Wire(gateway.port);
  await wire.write(requestHead({ method, target: `/${route}/x`, headers: [field] }));
  return wire;
}

for (const [route, origin] of [
  ["plain", () => only],
  ["planned", () => first],
]) {
  describe(`a body on a ${route} route`, () => {
    before(() => gateway.begin());

    for (const [what, [field, bytes, end]] of Object.entries(BREAKS)) {
      for (const method of ["POST", "DELETE"]) {
        test(`of a ${method} that ${what} is the client's fault`, async () => {
          origin().be(BEHAVIOURS.read);
          const wire = await open(route, field, method);
          await wire.write(bytes);
          if (end) wire.socket.end();
          const answer = await answerTo(wire, method);
          wire.close();
          assert.equal(answer.status, 400, answer.text());
          assert.match(answer.json().type, /request-body-broken$/);
          const line = await gateway.log.request(answer.json().instance);
          assert.deepEqual([line.reason, line.status], ["request_body_broken", 400]);
          assert.deepEqual(
            origin().seen.map(({ whole }) => whole),
            origin().seen.map(() => false),
            "the backend took it for the whole",
          );
        });
      }
    }

    for (const [what, field, bytes] of [
      ["with a length", sized(1000), "abc"],
      ["in chunks", CHUNKED, "5\r\nhello\r\n"],
    ]) {
      test(`${what} whose client leaves has a line, and the backend does not take it for the whole`, async () => {
        origin().be(BEHAVIOURS.read);
        const wire = await open(route, field);
        await wire.write(bytes);
        await until(
          () => origin().seen[0]?.body !== undefined && origin().seen[0].body !== "",
          "its beginning at the backend",
        );
        wire.reset();
        const line = await gateway.log.request();
        assert.deepEqual([line.reason, line.status], ["client_left", 499]);
        await until(() => origin().connections() === 0, "the end of the connection to the backend");
        assert.equal(origin().seen[0].whole, false);
      });

      test(`${what} that a backend does not want to the end is the backend's to refuse`, async () => {
        origin().be((request) => request.once("data", () => request.socket.resetAndDestroy()));
        const wire = await open(route, field);
        await wire.write(bytes);
        const answer = await answerTo(wire, "POST");
        wire.close();
        assert.equal(answer.status, 502, answer.text());
        assert.equal((await gateway.log.request(answer.json().instance)).reason, "backend_unreachable");
      });
    }

    test("arrives as it was sent, length and all", async () => {
      origin().be(BEHAVIOURS.read);
      for (const size of [0, 1, 100, 70_000, 3_000_000]) {
        origin().seen.length = 0;
        const answer = await gateway.send({ method: "POST", target: `/${route}/x`, body: "a".repeat(size) });
        assert.equal(answer.status, 200, answer.text());
        const [{ body, headers, whole }] = origin().seen;
        assert.deepEqual(
          [body.length, headers["content-length"], headers["transfer-encoding"], whole],
          [size, String(size), undefined, true],
        );
      }
      origin().seen.length = 0;
      const wire = await open(route, CHUNKED);
      await wire.write("5\r\nhello\r\n0\r\n\r\n");
      assert.equal((await answerTo(wire, "POST")).status, 200);
      wire.close();
      const [{ body, headers }] = origin().seen;
      assert.deepEqual(
        [body, headers["content-length"], headers["transfer-encoding"]],
        ["hello", undefined, "chunked"],
      );
    });

    test("goes on while the answer comes", async () => {
      origin().be((request, response) => {
        response.write("begun;");
        request.on("data", (bytes) => response.write(`<${bytes}>`));
        request.on("end", () => response.end());
      });
      for (const [field, frame, last] of [
        [sized(2), (text) => text, ""],
        [CHUNKED, (text) => `1\r\n${text}\r\n`, "0\r\n\r\n"],
      ]) {
        const wire = await open(route, field);
        const pieces = wire.body("POST", await wire.head());
        let come = "";
        const expectPiece = async (text) => {
          while (!come.endsWith(text)) come += String((await pieces.next()).value);
        };
        await expectPiece("begun;");
        await wire.write(frame("a"));
        await expectPiece("<a>");
        await wire.write(frame("b") + last);
        await expectPiece("<b>");
        wire.close();
      }
    });

    test("that was answered before its end does not cut the answer", async () => {
      const text = "x".repeat(200_000);
      for (const field of [sized(50_000_000), CHUNKED]) {
        origin().be((request, response) => response.writeHead(413, { "content-length": text.length }).end(text));
        const wire = await open(route, field);
        const part = "a".repeat(60_000);
        await wire.write(field === CHUNKED ? `${part.length.toString(16)}\r\n${part}\r\n` : part);
        const answer = await answerTo(wire, "POST");
        wire.close();
        assert.deepEqual([answer.status, answer.text().length], [413, text.length]);
      }
    });
  });
}

test("clients that break off their bodies leave no mark on an origin", async () => {
  await gateway.begin();
  first.be(BEHAVIOURS.read);
  for (let i = 0; i < 4; i++) {
    for (const [field, bytes, end] of Object.values(BREAKS)) {
      const wire = await open("marked", field);
      await wire.write(bytes);
      if (end) wire.socket.end();
      assert.equal((await answerTo(wire, "POST")).status, 400);
      wire.close();
    }
  }
  for (const method of ["GET", "POST"]) {
    const answer = await gateway.send({ method, target: "/marked/x" });
    assert.deepEqual([answer.status, answer.get("x-origin")], [200, "first"]);
  }
  assert.deepEqual(second.seen, []);
});
