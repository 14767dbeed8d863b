// What `pointsman test` compares, what `pointsman deploy` makes of the first answer, and what the log's reasons come to.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { unmet } from "../../packages/pointsman/lib/expect.mjs";
import { hintFor } from "../../packages/pointsman/lib/hints.mjs";
import { firstAnswer } from "../../packages/pointsman/lib/smoke.mjs";
import { inRoot } from "../../scripts/lib/paths.mjs";

// The same examples as the tests of crates/pointsman-cli/src/explain/expect.rs have.
const told = {
  outcome: "forward",
  decision: { backend: "shared", bucket: 17, variant: null },
  forward: { url: "https://shared.example.com/x", set: [["x-plan", "gold"]] },
};

test("what is as expected is not said, and what is otherwise is said with what it is", () => {
  const met = {
    outcome: "forward",
    backend: "shared",
    bucket: 17,
    url: "https://shared.example.com/x",
    "set.X-Plan": "gold",
    variant: null,
  };
  assert.deepEqual(unmet(told, met), []);
  assert.deepEqual(unmet(told, { bucket: "17" }), []);
  assert.deepEqual(unmet(told, { backend: "own" }), ["backend is shared, not own"]);
  assert.deepEqual(unmet(told, { status: 403 }), ["status is nothing, not 403"]);
  assert.deepEqual(unmet(told, { "set.x-plan": null }), ["set.x-plan is gold, not nothing"]);
  const refused = { outcome: "answer", decision: {}, answer: { status: 403, reason: "no_rule_matched" } };
  assert.deepEqual(unmet(refused, { backend: "own" }), [
    "backend is nothing, not own",
    "refused because no_rule_matched",
  ]);
});

/** The answer that the server gives next. */
let next;
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(next.status, { "content-type": next.type }).end(next.body);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
after(() => server.close());
const seen = (answer) => {
  next = answer;
  return firstAnswer(`http://127.0.0.1:${server.address().port}/`, { patience: 0 });
};
const problem = (status, title) => ({ status, type: "application/problem+json", body: JSON.stringify({ title }) });

test("the first answer says whether it is the gateway that answers", async () => {
  assert.deepEqual(await seen(problem(401, "Credential required")), {
    text: "401 Credential required",
    isGateway: true,
  });
  assert.equal((await seen({ status: 200, type: "text/plain", body: "ok" })).isGateway, true);
  const misconfigured = await seen(problem(500, "Gateway misconfigured"));
  assert.equal(misconfigured.isGateway, false);
  assert.match(misconfigured.advice, /wrangler tail/);
  assert.equal((await seen({ status: 404, type: "text/html", body: "error code: 1042" })).isGateway, false);
  assert.equal((await seen({ status: 522, type: "text/html", body: "" })).isGateway, false);
});

test("a gateway that is not there is waited for, and then it is said", async () => {
  const { isGateway, text } = await firstAnswer("http://127.0.0.1:1/", { patience: 60, pause: 10 });
  assert.equal(isGateway, false);
  assert.notEqual(text, "");
});

test("every reason that has a hint is one of the log's", () => {
  const reasons = readFileSync(inRoot("docs", "problems.md"), "utf8");
  const source = readFileSync(inRoot("packages", "pointsman", "lib", "hints.mjs"), "utf8");
  const named = [...source.slice(source.indexOf("HINTS = {"), source.indexOf("OF_EVENTS")).matchAll(/^ {2}(\w+):/gm)];
  assert.ok(named.length > 10);
  for (const [, reason] of named) assert.ok(reasons.includes(`\`${reason}\``), reason);
});

test("a hint names what its line is about", () => {
  const line = { event: "request", reason: "backend_unreachable", backend: "main", origin: "http://127.0.0.1:9000" };
  assert.match(hintFor(line), /^nothing answers at http:\/\/127\.0\.0\.1:9000: is backend main running\?/);
  assert.match(
    hintFor({ event: "misconfigured", message: "the variable NAME is not set: add it" }),
    /set NAME in \.dev\.vars/,
  );
  assert.equal(hintFor({ event: "request", status: 200 }), "");
});
