// The size of bodies whose requests do not say it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gatewayToml } from "./support/files.mjs";
import { openGateway } from "./support/gateway.mjs";
import { answerTo, requestHead, Wire } from "./support/wire.mjs";

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
  await wire.write(Buffer.concat([head, Buffer.from(`${size.toString(16)}\r\n${body}\r\n0\r\n\r\n`)]));
  try {
    return await answerTo(wire, method);
  } finally {
    wire.close();
  }
}
const arrived = () => gateway.world.requests.filter(({ host }) => host === SHARED);

for (const [method, size] of [
  ["POST", 1],
  ["POST", 1025],
  ["PUT", 100_000],
  ["GET", 4],
]) {
  test(`${method} with a chunked body of ${size} bytes is 411 and goes nowhere`, async () => {
    const answer = await chunked(method, size);
    assert.equal(answer.status, 411, answer.text());
    assert.match(answer.json().type, /length-required$/);
    assert.deepEqual(arrived(), []);
    assert.equal((await gateway.log.request(answer.get("x-request-id"))).reason, "body_size_unknown");
  });
}

test("what has no body needs no size", async () => {
  for (const method of ["GET", "DELETE", "POST"])
    assert.equal((await gateway.send({ method, target: "/small/x" })).status, 200, method);
});
