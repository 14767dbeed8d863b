// The size of bodies whose requests do not say it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gatewayToml } from "./support/files.mjs";
import { openGateway } from "./support/gateway.mjs";
import { Wire, receive, requestHead } from "./support/wire.mjs";

const SHARED = "shared.backends.example.com";
let gateway;
before(async () => {
  gateway = await openGateway({ toml: gatewayToml("admission") });
});
after(() => gateway.stop());

async function chunked(method, size) {
  gateway.world.clear();
  const wire = new Wire(gateway.port);
  const body = "x".repeat(size);
  const head = requestHead({ method, target: "/small/x", headers: [["Transfer-Encoding", "chunked"]] });
  await wire.write(`${head}${size.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
  return receive(wire, method);
}
const arrived = () => gateway.world.requests.filter(({ host }) => host === SHARED);

test("a body that is small enough arrives whole", async () => {
  assert.equal((await chunked("POST", 1024)).status, 200);
  assert.deepEqual(arrived().map(({ bodyBytes }) => bodyBytes), [1024]);
});

test("one that is too large is 413, and no more of it than allowed arrives", async () => {
  const answer = await chunked("POST", 1025);
  assert.equal(answer.status, 413, answer.text());
  assert.match(answer.json().type, /content-too-large$/);
  assert.ok(arrived().every(({ bodyBytes }) => bodyBytes <= 1024));
});

test("a GET whose body does not say its size is 413 and goes nowhere", async () => {
  assert.equal((await chunked("GET", 4)).status, 413);
  assert.deepEqual(arrived(), []);
});
