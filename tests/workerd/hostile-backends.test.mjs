// Whatever a backend sends, it hurts nobody but those who called it: unrelated requests that are under way succeed, the
// isolate lives on, and what it had cached is still there.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { kvName, mint } from "../../demo/keys.mjs";
import { demoKey } from "../../demo/seed.mjs";
import { openForwardingGateway, ROUTES, SHARED } from "./support/forwarding-gateway.mjs";
import { bearer } from "./support/gateway.mjs";
import { until } from "./support/log.mjs";
import { answerTo, requestHead, Wire } from "./support/wire.mjs";

const HEALTHY = "acme.tenants.example.com";
const UNRELATED = 6;
const CALLER = bearer(demoKey("sandbox"));

let gateway;
/** A key that stands in KV no longer: only an isolate that still has its cache knows it. */
const cachedKey = mint("sk_live");
before(async () => {
  gateway = await openForwardingGateway();
  const store = await gateway.store();
  await store.put(
    kvName(cachedKey),
    JSON.stringify({ subject: "cached", claims: {}, createdAt: "2026-01-01T00:00:00Z" }),
  );
  assert.equal((await ask(cachedKey)).status, 200);
  await store.delete(kvName(cachedKey));
});
after(() => gateway?.stop());
beforeEach(() => gateway.world.mend());

const ask = (key) => gateway.send({ target: "/plain/x", headers: [bearer(key)] });

/** Runs `attack` while unrelated requests wait for a healthy backend, and then sees who was hurt. */
async function whileOthersAreServed(attack) {
  const release = Promise.withResolvers();
  let waiting = 0;
  gateway.world.replace(HEALTHY, async (request, response) => {
    waiting += 1;
    await release.promise;
    response.end("healthy");
  });
  const unrelated = Array.from({ length: UNRELATED }, () =>
    gateway.send({ target: "/customer/x", headers: [bearer(demoKey("acme"))] }),
  );
  const settled = Promise.allSettled(unrelated);
  try {
    await until(() => waiting === UNRELATED, "the unrelated requests at their backend");
    await attack();
  } finally {
    release.resolve();
    for (const { value, reason } of await settled) {
      assert.equal(reason, undefined, "an unrelated request failed");
      assert.deepEqual([value.status, value.text()], [200, "healthy"]);
    }
  }
  gateway.world.mend();
  const next = await ask(cachedKey);
  assert.equal(next.status, 200, `the isolate has lost its cache: ${next.body}`);
}

// ---- Answers that are none, and some that only look odd

const raw =
  (...parts) =>
  (request, response) => {
    request.resume();
    response.socket.end(Buffer.from(parts.join("\r\n"), "latin1"));
  };
const reset = (before) => (request, response) => {
  const { socket } = response;
  if (before === undefined) return socket.resetAndDestroy();
  return socket.write(before, () => socket.resetAndDestroy());
};
const OK = ["Content-Length: 2", "", "ok"];
const status = (line) => raw(`HTTP/1.1 ${line}`, ...OK);

const PASSES = {
  "status 600": [status("600 Odd"), 600],
  "status 700": [status("700 Odd"), 700],
  "status 999": [status("999 Odd"), 999],
  "status 599": [status("599 Odd"), 599],
  "no reason phrase": [status("200"), 200],
  "60 kB of fields": [raw("HTTP/1.1 200 OK", `X-Big: ${"a".repeat(60_000)}`, ...OK), 200],
  "500 fields": [raw("HTTP/1.1 200 OK", ...Array.from({ length: 500 }, (_, i) => `X-${i}: ${i}`), ...OK), 200],
  "the length of a chunked body": [
    raw("HTTP/1.1 200 OK", "Content-Length: 10", "Transfer-Encoding: chunked", "", "2", "ok", "0", "", ""),
    200,
  ],
  "HTTP/1.0": [raw("HTTP/1.0 200 OK", "", "ok"), 200],
  "Connection that names nonsense": [
    raw("HTTP/1.1 200 OK", "Connection: close, @, , \u00e9, content-type", "Content-Type: text/plain", ...OK),
    200,
  ],
};

const BAD_GATEWAY = {
  "status 1000": status("1000 Odd"),
  "status 099": status("099 Odd"),
  "status 000": status("000 Odd"),
  "a status of letters": status("abc"),
  "101 that nobody asked for": raw(
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "",
    "",
  ),
  // workerd takes an interim answer for the answer; Cloudflare's network takes them off before.
  "100 Continue": raw("HTTP/1.1 100 Continue", "", "HTTP/1.1 200 OK", ...OK),
  "103 Early Hints": raw("HTTP/1.1 103 Early Hints", "Link: </a>", "", "HTTP/1.1 200 OK", ...OK),
  "status 199": raw("HTTP/1.1 199 Odd", "", "HTTP/1.1 200 OK", ...OK),
  garbage: raw("!!!! this is no HTTP", "", ""),
  "binary garbage": raw("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\0\0\0\0", ""),
  "HTTP/2": raw("PRI * HTTP/2.0", "", "SM", "", ""),
  nothing: (request, response) => response.socket.end(),
  "a reset": reset(),
  "a reset in the head": reset("HTTP/1.1 200 OK\r\nContent-Le"),
  "an end in the head": raw("HTTP/1.1 200 OK", "Content-Le"),
  "200 kB of fields": raw("HTTP/1.1 200 OK", `X-Big: ${"a".repeat(200_000)}`, ...OK),
  "a negative length": raw("HTTP/1.1 200 OK", "Content-Length: -5", "", "ok"),
  "a length of letters": raw("HTTP/1.1 200 OK", "Content-Length: two", "", "ok"),
  "two lengths": raw("HTTP/1.1 200 OK", "Content-Length: 2", "Content-Length: 5", "", "ok"),
  "a field without a name": raw("HTTP/1.1 200 OK", ": x", ...OK),
  "a field with a space in its name": raw("HTTP/1.1 200 OK", "X Bad: x", ...OK),
};

for (const route of ROUTES) {
  for (const [what, [handler, expected]] of Object.entries(PASSES)) {
    test(`${what} (${route})`, () =>
      whileOthersAreServed(async () => {
        gateway.world.replace(SHARED, handler);
        const answer = await gateway.send({ target: `${route}/x`, headers: [CALLER] });
        assert.deepEqual([answer.status, answer.text()], [expected, "ok"]);
      }));
  }
  for (const [what, handler] of Object.entries(BAD_GATEWAY)) {
    test(`${what} (${route})`, () =>
      whileOthersAreServed(async () => {
        gateway.world.replace(SHARED, handler);
        const answer = await gateway.send({
          target: `${route}/x`,
          headers: [CALLER, ["Origin", "https://app.example.com"]],
        });
        assert.equal(answer.status, 502, answer.text());
        assert.equal(answer.get("content-type"), "application/problem+json");
        assert.match(answer.json().type, /:backend-unreachable$/);
        assert.doesNotMatch(answer.text(), /backends\.example|127\.0\.0\.1/);
        assert.equal(
          answer.get("access-control-allow-origin"),
          route === "/edited" ? "https://app.example.com" : undefined,
        );
        assert.equal((await gateway.log.request(answer.get("x-request-id"))).reason, "backend_unreachable");
      }));
  }

  // ---- Answers that never come

  for (const [what, begin] of [
    ["no head", () => {}],
    ["a head without an end", (socket) => socket.write("HTTP/1.1 200 OK\r\nX-A: 1\r\n")],
  ]) {
    test(`${what}: 504, and the backend is let go (${route})`, () =>
      whileOthersAreServed(async () => {
        let gone = false;
        gateway.world.replace(SHARED, (request, response) => {
          response.socket.on("close", () => (gone = true));
          begin(response.socket);
        });
        const answer = await gateway.send({
          method: "POST",
          target: `/impatient${route}/x`,
          headers: [CALLER],
          body: "once",
        });
        assert.equal(answer.status, 504, answer.text());
        assert.match(answer.json().type, /:backend-timeout$/);
        assert.equal((await gateway.log.request(answer.json().instance)).reason, "backend_timeout");
        await until(() => gone, "the end of the connection to the backend");
      }));
  }

  test(`a slow body is not a slow head: it may take longer than the timeout (${route})`, async () => {
    const rest = Promise.withResolvers();
    gateway.world.replace(SHARED, async (request, response) => {
      response.write("begun ");
      await rest.promise;
      response.end("ended");
    });
    const wire = new Wire(gateway.port);
    try {
      await wire.write(requestHead({ target: `/impatient${route}/x`, headers: [CALLER] }));
      const pieces = wire.body("GET", await wire.head());
      assert.equal(String((await pieces.next()).value), "begun ");
      // Longer than the 250 ms that this backend has for its head.
      const end = Date.now() + 400;
      await until(() => Date.now() > end, "the timeout to pass");
      rest.resolve();
      assert.equal(String((await pieces.next()).value), "ended");
    } finally {
      rest.resolve();
      wire.close();
    }
  });

  // ---- Bodies that break off or never end

  for (const [how, handler] of [
    ["is reset", reset],
    ["ends", raw],
  ]) {
    test(`a body of known length ${how} in the middle: the client can tell (${route})`, () =>
      whileOthersAreServed(async () => {
        gateway.world.replace(SHARED, handler("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"));
        await assert.rejects(gateway.send({ target: `${route}/x`, headers: [CALLER] }), /the connection ended/);
      }));

    // workerd writes the last chunk for a backend that did not. All that the client can see is that the connection ends.
    for (const [what, broken] of [
      ["", "4\r\nhalf\r\n"],
      [" and of nonsense", "4\r\nhalf\r\nzz\r\n"],
    ]) {
      test(`a chunked body${what} ${how} in the middle: nothing is added, and the connection ends (${route})`, () =>
        whileOthersAreServed(async () => {
          gateway.world.replace(SHARED, handler(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${broken}`));
          const wire = new Wire(gateway.port);
          await wire.write(requestHead({ target: `${route}/x`, headers: [CALLER] }));
          assert.equal((await answerTo(wire, "GET")).text(), "half");
          assert.equal(await wire.next(), undefined);
        }));
    }
  }

  test(`a body without end is let go when its client leaves (${route})`, () =>
    whileOthersAreServed(async () => {
      let gone = false;
      gateway.world.replace(SHARED, (request, response) => {
        response.on("close", () => (gone = true));
        const more = () => {
          while (!gone && response.write("x".repeat(1024)));
        };
        response.on("drain", more);
        more();
      });
      const wire = new Wire(gateway.port);
      await wire.write(requestHead({ target: `${route}/x`, headers: [CALLER] }));
      const pieces = wire.body("GET", await wire.head());
      await pieces.next();
      assert.equal(gone, false);
      wire.close();
      await until(() => gone, "the end of the connection to the backend");
    }));

  test(`a client that leaves before the head takes its call along, and leaves a line (${route})`, () =>
    whileOthersAreServed(async () => {
      let id;
      let gone = false;
      gateway.world.replace(SHARED, (request, response) => {
        id = request.headers["x-request-id"];
        response.on("close", () => (gone = true));
      });
      const wire = new Wire(gateway.port);
      await wire.write(requestHead({ target: `${route}/x`, headers: [CALLER] }));
      await until(() => id, "the call at the backend");
      // Only then does the gateway watch for it.
      const watched = Date.now() + 400;
      await until(() => Date.now() > watched, "the watch to begin");
      wire.reset();
      await until(() => gone, "the end of the connection to the backend", 2000);
      assert.equal((await gateway.log.request(id)).reason, "client_left");
    }));

  test(`a client that leaves at once takes its call along (${route})`, () =>
    whileOthersAreServed(async () => {
      let came = false;
      let gone = false;
      gateway.world.replace(SHARED, (request, response) => {
        came = true;
        response.on("close", () => (gone = true));
      });
      const wire = new Wire(gateway.port);
      await wire.write(requestHead({ target: `${route}/x`, headers: [CALLER] }));
      await until(() => came, "the call at the backend");
      wire.reset();
      await until(() => gone, "the end of the connection to the backend", 2000);
    }));

  test(`a client that leaves in the middle of its body (${route})`, () =>
    whileOthersAreServed(async () => {
      let came = 0;
      let gone = false;
      gateway.world.replace(SHARED, (request, response) => {
        request.on("data", (bytes) => (came += bytes.length));
        request.on("error", () => {});
        response.on("close", () => (gone = true));
      });
      const wire = new Wire(gateway.port);
      await wire.write(
        requestHead({ method: "POST", target: `${route}/x`, headers: [CALLER, ["Content-Length", "1000"]] }),
      );
      await wire.write("half");
      await until(() => came === 4, "half of the body at the backend");
      wire.reset();
      await until(() => gone, "the end of the connection to the backend", 2000);
    }));
}

test("a request with a body is sent once, whatever becomes of it", async () => {
  for (const handler of [reset(), reset("HTTP/1.1 200"), raw("nonsense", "")]) {
    gateway.world.clear();
    gateway.world.replace(SHARED, handler);
    for (const method of ["POST", "PUT", "DELETE", "GET"])
      await gateway.send({ method, target: "/plain/x", headers: [CALLER], body: "once" });
    assert.deepEqual(
      gateway.called().map(({ method }) => method),
      ["POST", "PUT", "DELETE", "GET"],
    );
  }
});
