// WebSockets that show their credential among the subprotocols, as scripts in browsers must. The client checks what
// browsers check: of those that it offered, one must be answered.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WebSocket } from "ws";
import { demoKey } from "../../demo/seed.mjs";
import { gatewayToml } from "./support/files.mjs";
import { openGateway } from "./support/gateway.mjs";

let gateway;
before(async () => {
  gateway = await openGateway({ toml: gatewayToml("places") });
  await gateway.seed();
  await gateway.restart({ keepStore: true });
});
after(() => gateway.stop());

const key = demoKey("sandbox");
const encoded = Buffer.from(key).toString("base64url");

/** What the client is answered, and what the backend gets. */
async function open(offered, target = "/ws/x") {
  gateway.world.clear();
  gateway.log.clear();
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}${target}`, offered);
  const outcome = await new Promise((resolve) => {
    socket.on("open", () => resolve({ chosen: socket.protocol }));
    socket.on("unexpected-response", (_, response) => resolve({ status: response.statusCode }));
    socket.on("error", ({ message }) => resolve({ message }));
  });
  if (outcome.chosen !== undefined) {
    const echo = new Promise((resolve) => socket.once("message", (data) => resolve(String(data))));
    socket.send("hello");
    assert.equal(await echo, "hello");
  }
  socket.terminate();
  return outcome;
}

const sentToBackend = () => {
  const [call] = gateway.called();
  return call.headers.filter(([name]) => name.toLowerCase() === "sec-websocket-protocol").map(([, value]) => value);
};

for (const [title, offered, chosen, passed] of [
  ["a pair is answered by its name", ["bearer", key], "bearer", []],
  ["a backend's own choice stays", ["bearer", key, "chat"], "chat", ["chat"]],
  ["a prefix is answered by another one", ["chat", `insecure-key.${key}`], "chat", ["chat"]],
  ["so is one in base64url", [`base64url.bearer.example.${encoded}`, "chat"], "chat", ["chat"]],
]) {
  test(title, async () => {
    assert.deepEqual(await open(offered), { chosen });
    assert.deepEqual(sentToBackend(), passed);
    await gateway.log.event("request");
    const lines = gateway.log.texts.join("\n");
    assert.ok(!lines.includes(key) && !lines.includes(encoded), "no line has the key");
  });
}

test("a handshake with a bad credential, or with two, is refused and reaches no backend", async () => {
  for (const [offered, status] of [
    [["bearer", "secret"], 401],
    [["bearer", `${key}x`], 401],
    [["bearer"], 401],
    [["bearer", key, `insecure-key.${key}`], 400],
  ]) {
    assert.deepEqual(await open(offered), { status }, offered.join());
    assert.equal(gateway.called().length, 0);
  }
});

test("a route that does not name the place looks at none", async () => {
  assert.deepEqual(await open(["bearer", key], "/keys/x"), { status: 401 });
});
