// WebSocket handshakes of pages: browsers send no preflight for them, so a list of origins holds at the gateway.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WebSocket } from "ws";
import { demoKey } from "../../demo/seed.mjs";
import { gatewayToml } from "./support/files.mjs";
import { bearer, openGateway } from "./support/gateway.mjs";

let gateway;
before(async () => {
  gateway = await openGateway({ toml: gatewayToml("cors") });
  await gateway.seed();
  await gateway.restart({ keepStore: true });
});
after(() => gateway.stop());

/** "open", or the status of the refusal. */
async function handshake(target, origin) {
  const [name, value] = bearer(demoKey("acme"));
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}${target}`, {
    headers: { [name]: value },
    ...(origin && { origin }),
  });
  const outcome = await new Promise((resolve) => {
    socket.on("open", () => resolve("open"));
    socket.on("unexpected-response", (request, response) => resolve(response.statusCode));
    socket.on("error", () => {});
  });
  socket.terminate();
  return outcome;
}

test("a page of another origin opens none where the policy lists its origins", async () => {
  for (const origin of [
    "https://evil.example",
    "null",
    "https://app.example.com.evil.example",
    "http://app.example.com",
  ]) {
    const before = gateway.called().length;
    assert.equal(await handshake("/listed/ws", origin), 403, origin);
    assert.equal(gateway.called().length, before, "no backend is called");
  }
});

test("listed origins do, and whoever is no browser", async () => {
  for (const origin of [
    "https://app.example.com",
    "https://shop-git-main-acme-team.vercel.app",
    "http://localhost:5173",
    undefined,
  ]) {
    assert.equal(await handshake("/listed/ws", origin), "open", origin);
  }
});

test("any origin does where any is let in, or where there is no policy", async () => {
  for (const target of ["/any/ws", "/public/ws", "/none/ws"])
    assert.equal(await handshake(target, "https://whoever.example"), "open", target);
});
