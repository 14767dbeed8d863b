// The golden cases of fixtures/cases against the built Worker. tests/golden.rs runs the same files in the pure core.
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { demoKey } from "../../demo/seed.mjs";
import { gatewayToml, json, path } from "./support/files.mjs";
import { token } from "./support/fixed-world.mjs";
import { bearer, openGateway } from "./support/gateway.mjs";

const files = globSync("fixtures/cases/**/*.json", { cwd: path("") }).sort();
const cases = files.map((file) => ({ file: file.replace(/^fixtures\/cases\//, ""), faults: [], ...json(file) }));

test("there are cases", () => assert.ok(cases.length > 0, "no file matches fixtures/cases/**/*.json"));

const here = cases.filter(({ where }) => where !== "native");
for (const { file, because } of cases.filter((one) => !here.includes(one))) {
  test(`${file} (native only: ${because})`, () => assert.ok(because, "a case that runs natively only says why"));
}

// One start for each configuration and set of faults: a fault needs an isolate that has nothing cached.
const setups = Map.groupBy(here, ({ gateway, faults }) => `${gateway} ${faults.join(" ")}`.trim());

/** Services that routes ask: each has one answer for everybody. */
const services = Object.entries(json("fixtures/services.json")).map(([name, { status, body }]) => [
  name,
  () => Response.json(body, { status }),
]);

let gateway;
before(async () => {
  gateway = await openGateway({ overrides: { serviceBindings: Object.fromEntries(services) } });
});
after(() => gateway?.stop());

for (const [name, group] of setups) {
  describe(name, () => {
    const { gateway: configuration, faults } = group[0];
    before(async () => {
      await gateway.restart({ toml: gatewayToml(configuration), kv: !faults.includes("kv") });
      gateway.world.mend();
      gateway.world.fault(...faults);
    });
    after(() => gateway.world.mend());
    for (const one of group) test(one.file, () => run(one));
  });
}

function requestOf({ gateway: configuration, request }) {
  const headers = [...(request.headers ?? [])];
  if (request.key)
    headers.push(configuration === "own-field" ? ["X-Api-Key", demoKey(request.key)] : bearer(demoKey(request.key)));
  if (request.token) headers.push(bearer(token(request.token)));
  return { method: request.method, target: request.path, host: request.host, headers, body: request.body };
}

async function run(one) {
  gateway.world.clear();
  gateway.log.clear();
  const { expect } = one;
  const answer = await (one.request.cf
    ? gateway.sendFrom(one.request.cf, requestOf(one))
    : gateway.send(requestOf(one)));
  const id = expect.forward ? await forwarded(one, answer) : answered(one, answer);
  // A preflight's answer has no id, but its line is the only one.
  const line = await gateway.log.request(id);
  assert.equal(line.status, answer.status, "the log has the status");
  if (expect.reason) assert.equal(line.reason, expect.reason);
  for (const [member, value] of Object.entries(expect.log ?? {}))
    assert.deepEqual(line[member], value, `log: ${member}`);
}

function fieldsAre(answer, fields = {}) {
  for (const [name, value] of Object.entries(fields))
    assert.equal(answer.get(name), value ?? undefined, `answer: ${name}`);
}

function forwarded({ expect, request }, answer) {
  const calls = gateway.called();
  assert.equal(calls.length, 1, `${calls.length} calls of backends; answered ${answer.status} ${answer.body}`);
  const [call] = calls;
  assert.equal(`https://${call.host}${call.url}`, expect.forward);
  assert.equal(call.method, request.method ?? "GET");
  if (request.body !== undefined) assert.equal(call.bodyBytes, Buffer.byteLength(request.body));
  const values = (name) =>
    call.headers.filter(([own]) => own.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  for (const [name, value] of Object.entries(expect.set ?? {}))
    assert.deepEqual(values(name), [value], `to the backend: ${name}`);
  for (const name of expect.absent ?? []) assert.deepEqual(values(name), [], `to the backend: ${name}`);
  fieldsAre(answer, expect.answer_fields);
  return values("x-request-id")[0];
}

function answered({ expect, request }, answer) {
  assert.equal(answer.status, expect.status, answer.text());
  fieldsAre(answer, expect.fields);
  if (!expect.called) assert.deepEqual(gateway.called(), [], "no backend was called");
  if (!expect.problem) return answer.get("x-request-id");
  assert.equal(answer.get("content-type"), "application/problem+json");
  assert.equal(answer.get("cache-control"), "no-store");
  if (answer.status === 401) assert.ok(answer.get("www-authenticate"), "401 has a challenge");
  if (answer.status === 503) assert.match(answer.get("retry-after") ?? "", /^\d+$/);
  if (request.method === "HEAD") return answer.get("x-request-id");
  const problem = answer.json();
  assert.match(problem.type, new RegExp(`[/:]${expect.problem}$`));
  assert.equal(problem.status, answer.status);
  assert.equal(problem.instance, answer.get("x-request-id"));
  return problem.instance;
}
