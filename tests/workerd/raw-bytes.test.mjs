// No bytes on the wire stop the gateway, and none make one request two.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { KEY, openForwardingGateway, ROUTES } from "./support/forwarding-gateway.mjs";
import { bearer } from "./support/gateway.mjs";
import { answerTo, requestHead, sendBytes, Wire } from "./support/wire.mjs";

let gateway;
before(async () => {
  gateway = await openForwardingGateway();
});
after(() => gateway?.stop());
beforeEach(() => {
  gateway.world.mend();
  gateway.world.clear();
  gateway.log.clear();
});

const HOST = "Host: gateway.example.com\r\n";
const AUTH = `Authorization: Bearer ${KEY}\r\n`;
/** A request that is good but for these fields. */
const post = (fields, body, { method = "POST", target = "/plain/outer" } = {}) =>
  `${method} ${target} HTTP/1.1\r\n${HOST}${AUTH}${fields}\r\n${body}`;
/** A request hidden in the body of another. It has no credential: it can reach a backend only by passing for a part of the outer one. */
const HIDDEN = `GET /plain/hidden HTTP/1.1\r\n${HOST}X-Hidden: 1\r\n\r\n`;
const chunk = (text) => `${text.length.toString(16)}\r\n${text}\r\n`;

const JUNK = {
  nothing: "",
  "an empty line": "\r\n",
  "only line ends": "\r\n".repeat(5000),
  "a NUL": "\0",
  "all bytes": Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
  "a TLS hello": Buffer.from("16030100f1010000ed0303", "hex"),
  "an HTTP/2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
  "HTTP/0.9": "GET /plain/x\r\n\r\n",
  "HTTP/1.0": `GET /plain/x HTTP/1.0\r\n${HOST}\r\n`,
  "HTTP/3.7": `GET /plain/x HTTP/3.7\r\n${HOST}\r\n`,
  "no version": `GET /plain/x\r\n${HOST}\r\n`,
  "no target": `GET HTTP/1.1\r\n${HOST}\r\n`,
  "two spaces": `GET  /plain/x  HTTP/1.1\r\n${HOST}\r\n`,
  "a target with a space": `GET /plain/x y HTTP/1.1\r\n${HOST}\r\n`,
  "an absolute target": `GET https://evil.example/plain/x HTTP/1.1\r\n${HOST}${AUTH}\r\n`,
  "an asterisk": `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`,
  CONNECT: `CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n`,
  TRACE: `TRACE /plain/x HTTP/1.1\r\n${HOST}${AUTH}\r\n`,
  "no Host": `GET /plain/x HTTP/1.1\r\n${AUTH}\r\n`,
  "two Hosts": `GET /plain/x HTTP/1.1\r\n${HOST}Host: evil.example\r\n${AUTH}\r\n`,
  "a Host of junk": `GET /plain/x HTTP/1.1\r\nHost: a b/c?d#e@f\r\n${AUTH}\r\n`,
  "an empty Host": `GET /plain/x HTTP/1.1\r\nHost:\r\n${AUTH}\r\n`,
  "a Host with a port too high": `GET /plain/x HTTP/1.1\r\nHost: a:99999\r\n${AUTH}\r\n`,
  "a head without an end": `GET /plain/x HTTP/1.1\r\n${HOST}X: 1`,
  "a field of 300 kB": `GET /plain/x HTTP/1.1\r\n${HOST}X-Big: ${"a".repeat(300_000)}\r\n\r\n`,
  "a target of 300 kB": `GET /plain/${"a".repeat(300_000)} HTTP/1.1\r\n${HOST}\r\n`,
  "10 000 fields": `GET /plain/x HTTP/1.1\r\n${HOST}${"X-Many: 1\r\n".repeat(10_000)}\r\n`,
  "1000 names of fields": `GET /plain/x HTTP/1.1\r\n${HOST}${AUTH}${Array.from({ length: 1000 }, (_, i) => `X-${i}: 1\r\n`).join("")}\r\n`,
  "a field without a colon": `GET /plain/x HTTP/1.1\r\n${HOST}nonsense\r\n\r\n`,
  "a field without a name": `GET /plain/x HTTP/1.1\r\n${HOST}: x\r\n\r\n`,
  "a field with a NUL": `GET /plain/x HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`,
  "a bare CR in a field": `GET /plain/x HTTP/1.1\r\n${HOST}X: a\rY: b\r\n\r\n`,
  "bare LFs": `GET /plain/x HTTP/1.1\nHost: g\n${AUTH}\n`,
  "a folded field": `GET /plain/x HTTP/1.1\r\n${HOST}X: a\r\n b\r\n\r\n`,
  "a method of junk": `G\xff\x00T /plain/x HTTP/1.1\r\n${HOST}\r\n`,
  "a method of 100 kB": `${"A".repeat(100_000)} /plain/x HTTP/1.1\r\n${HOST}\r\n`,
  "control bytes in the target": `GET /plain/\x01\x1f\x7f HTTP/1.1\r\n${HOST}${AUTH}\r\n`,
  "bytes over 127 in the target": `GET /plain/\xc3\x28\xff?\xfe HTTP/1.1\r\n${HOST}${AUTH}\r\n`,
  "a WebSocket handshake without a key": `GET /plain/x HTTP/1.1\r\n${HOST}${AUTH}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
  "a WebSocket handshake by POST": `POST /plain/x HTTP/1.1\r\n${HOST}${AUTH}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 0\r\n\r\n`,
  "Expect: nonsense": post("Expect: the-spanish-inquisition\r\nContent-Length: 2\r\n", "ok"),
};

const SMUGGLING = {
  "CL.TE": post(`Content-Length: ${5 + HIDDEN.length}\r\nTransfer-Encoding: chunked\r\n`, `0\r\n\r\n${HIDDEN}`),
  "TE.CL": post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", `${chunk(HIDDEN)}0\r\n\r\n`),
  "TE of another case": post(
    `Content-Length: ${5 + HIDDEN.length}\r\ntransfer-ENCODING: CHUNKED\r\n`,
    `0\r\n\r\n${HIDDEN}`,
  ),
  "TE with a tab": post("Content-Length: 4\r\nTransfer-Encoding:\tchunked\r\n", `${chunk(HIDDEN)}0\r\n\r\n`),
  "TE with a space before the colon": post(
    `Content-Length: ${HIDDEN.length}\r\nTransfer-Encoding : chunked\r\n`,
    HIDDEN,
  ),
  "TE of an unknown coding": post(`Content-Length: ${HIDDEN.length}\r\nTransfer-Encoding: xchunked\r\n`, HIDDEN),
  "TE identity": post(`Content-Length: ${HIDDEN.length}\r\nTransfer-Encoding: identity\r\n`, HIDDEN),
  "TE twice": post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", `0\r\n\r\n${HIDDEN}`),
  "TE list": post("Transfer-Encoding: gzip, chunked\r\n", `0\r\n\r\n${HIDDEN}`),
  "two lengths": post(`Content-Length: 0\r\nContent-Length: ${HIDDEN.length}\r\n`, HIDDEN),
  "a list of lengths": post(`Content-Length: 0, ${HIDDEN.length}\r\n`, HIDDEN),
  "a length with a plus": post(`Content-Length: +${HIDDEN.length}\r\n`, HIDDEN),
  "a negative length": post("Content-Length: -1\r\n", HIDDEN),
  "a hexadecimal length": post("Content-Length: 0x10\r\n", HIDDEN),
  "a length too large": post("Content-Length: 99999999999999999999\r\n", HIDDEN),
  "a length of nothing": post("Content-Length: \r\n", HIDDEN),
  "a chunk's size with an extension": post("Transfer-Encoding: chunked\r\n", `2;a=b\r\nok\r\n0\r\n\r\n${HIDDEN}`),
  "a chunk's size of junk": post("Transfer-Encoding: chunked\r\n", `zz\r\n${HIDDEN}`),
  "a chunk's size too large": post("Transfer-Encoding: chunked\r\n", `fffffffffffffffff\r\n${HIDDEN}`),
  "a chunk's size with a minus": post("Transfer-Encoding: chunked\r\n", `-1\r\n${HIDDEN}`),
  "a chunk that ends in LF": post("Transfer-Encoding: chunked\r\n", `2\nok\n0\n\n${HIDDEN}`),
  trailers: post(
    "Transfer-Encoding: chunked\r\nTrailer: X-Customer-Id\r\n",
    "2\r\nok\r\n0\r\nX-Customer-Id: forged\r\nX-Subject: forged\r\n\r\n",
  ),
  "a GET with a hidden body": post(`Content-Length: ${HIDDEN.length}\r\n`, HIDDEN, { method: "GET" }),
  "a HEAD with a hidden body": post(`Content-Length: ${HIDDEN.length}\r\n`, HIDDEN, { method: "HEAD" }),
  "a GET with CL.TE": post(
    `Content-Length: ${5 + HIDDEN.length}\r\nTransfer-Encoding: chunked\r\n`,
    `0\r\n\r\n${HIDDEN}`,
    { method: "GET" },
  ),
  "a line end in the target": post("Content-Length: 0\r\n", "", {
    target: "/plain/a%0d%0aX-Hidden:%201%0d%0a%0d%0aGET%20/plain/hidden",
  }),
  "a line end in the query": post("Content-Length: 0\r\n", "", {
    target: "/plain/a?%0d%0a%0d%0aGET%20/plain/hidden%20HTTP/1.1",
  }),
  "a CR in a field": post(`X: a\rContent-Length: ${HIDDEN.length}\r\n`, HIDDEN),
  "a length hidden by Connection": post(
    `Connection: Content-Length, Transfer-Encoding, Host\r\nContent-Length: ${HIDDEN.length}\r\n`,
    HIDDEN,
  ),
  "an upgrade to h2c": post(
    `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: ${HIDDEN.length}\r\n`,
    HIDDEN,
  ),
  "Expect and a body": post(`Expect: 100-continue\r\nContent-Length: ${HIDDEN.length}\r\n`, HIDDEN),
  "a body after an upgrade": post(
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    HIDDEN,
    { method: "GET" },
  ),
};

/** What must hold after any bytes: the gateway answers, and no backend got a request that the gateway did not decide on. */
async function unharmed() {
  const calls = gateway.called();
  assert.ok(
    !calls.some(
      ({ url, headers }) =>
        url.startsWith("/hidden") ||
        url.startsWith("/plain/hidden") ||
        headers.some(([name]) => /^x-hidden$/i.test(name)),
    ),
    "the hidden request reached a backend",
  );
  assert.ok(calls.length <= 1, `${calls.length} calls of backends`);
  for (const { headers } of calls) {
    const ids = headers.filter(([name]) => name.toLowerCase() === "x-request-id").map(([, id]) => id);
    assert.equal(ids.length, 1);
    assert.equal((await gateway.log.request(ids[0])).backend, "shared");
    assert.doesNotMatch(JSON.stringify(headers), /forged/);
  }
  gateway.world.clear();
  const next = await gateway.send({ target: "/plain/after", headers: [bearer(KEY)] });
  assert.equal(next.status, 200);
  assert.deepEqual(
    gateway.called().map(({ url }) => url),
    ["/after"],
  );
  assert.equal(gateway.called()[0].bodyBytes, 0);
}

const statuses = (text) => [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));

describe("junk", () => {
  for (const [what, bytes] of Object.entries(JUNK)) {
    test(what, async (t) => {
      const answer = await sendBytes(gateway.port, Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes, "latin1"));
      t.diagnostic(`${statuses(answer).join(" ")} ${gateway.called().length} calls`);
      await unharmed();
    });
  }
});

describe("request smuggling", () => {
  for (const route of ROUTES) {
    for (const [what, bytes] of Object.entries(SMUGGLING)) {
      test(`${what} (${route})`, async (t) => {
        const answer = await sendBytes(
          gateway.port,
          Buffer.from(bytes.replace("/plain/outer", `${route}/outer`), "latin1"),
        );
        t.diagnostic(`${statuses(answer).join(" ")} ${gateway.called().length} calls`);
        await unharmed();
      });
    }
  }
});

test("pipelined requests are answered in order, each by its own identity", async () => {
  const wire = new Wire(gateway.port);
  try {
    const one = (n, headers) => requestHead({ target: `/plain/${n}`, headers });
    await wire.write(Buffer.concat([one(1, [bearer(KEY)]), one(2, []), one(3, [bearer(KEY)])]));
    const answers = [await answerTo(wire, "GET"), await answerTo(wire, "GET"), await answerTo(wire, "GET")];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 401, 200],
    );
    assert.deepEqual(
      gateway.called().map(({ url }) => url),
      ["/1", "/3"],
    );
  } finally {
    wire.close();
  }
});
