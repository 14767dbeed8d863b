// The ledger by the command line: a gateway that answers as the operator's endpoint does, and what it was asked.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { openProject } from "./support/project.mjs";

const SECRET = "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2";
const ON = {
  on: true,
  off: null,
  leaving: null,
  epoch: "00ff",
  revision: 12,
  records: 3,
  revocations: 0,
  shards: 1,
  complete: { keys: true, customers: true },
  outstandingWrites: 0,
  failingWrites: 0,
  refusedRemovals: 0,
};

let project;
let server;
let url;
let answers = [];
let asked = [];

before(async () => {
  project = await openProject();
  project.write("gateway.toml", '[operator]\nledger = "/ops/ledger"\n');
  server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    asked.push({ line: `${request.method} ${request.url}`, secret: request.headers.authorization, body });
    const [status, answer, fields = {}] = answers.shift() ?? [200, ON];
    response.writeHead(status, fields).end(JSON.stringify(answer));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${server.address().port}`;
});
after(() => {
  server?.close();
  project?.close();
});
beforeEach(() => {
  answers = [];
  asked = [];
});

const run = (args, options = { input: `${SECRET}\n` }) =>
  project.run(["directory", ...args, "--gateway", url], options);
const lines = () => asked.map(({ line }) => line);

test("the status is shown, with the secret of standard input or of a variable", async () => {
  const shown = await run(["status"]);
  assert.equal(shown.code, 0, shown.err);
  assert.match(shown.out, /^on\nepoch 00ff, revision 12\n3 records in 1 shards/);
  const json = await run(["status", "--json"], { env: { POINTSMAN_OPERATOR_SECRET: SECRET } });
  assert.deepEqual(json.json(), ON);
  assert.deepEqual(lines(), ["GET /ops/ledger", "GET /ops/ledger"]);
  for (const { secret } of asked) assert.equal(secret, `Bearer ${SECRET}`);
  assert.deepEqual(project.leftBehind(), []);
});

test("a ledger is switched off and waited for, and on again", async () => {
  const leaving = { ...ON, leaving: { providedTold: true }, outstandingWrites: 3 };
  answers = [
    [200, {}],
    [200, leaving],
    [200, { ...ON, on: false, off: "an operator" }],
  ];
  const off = await run(["off", "--drop-revocations"]);
  assert.equal(off.code, 0, off.err);
  assert.match(off.err, /3 writes to KV wait/);
  assert.match(off.out, /the ledger is off/);
  assert.deepEqual([asked[0].line, asked[0].body], ["POST /ops/ledger?do=off", '{"dropRevocations":true}']);
  answers = [
    [200, {}],
    [200, leaving],
  ];
  assert.equal((await run(["off", "--wait", "0"])).code, 4, "it is on its way");
  asked = [];
  for (const action of ["on", "accept-removals", "restored"]) {
    answers = [[200, {}]];
    assert.equal((await run([action])).code, 0, action);
  }
  assert.deepEqual(
    lines(),
    ["on", "accept-removals", "restored"].map((action) => `POST /ops/ledger?do=${action}`),
  );
});

test("what keeps it from being done is said, and never the secret", async () => {
  const cases = [
    [409, { error: "revocationsAlive", revocations: 2 }, {}, 1, /2 revocations of tokens .* --drop-revocations/],
    [401, {}, {}, 1, /does not take this secret/],
    [404, {}, {}, 1, /is \[operator\] ledger of gateway.toml deployed/],
    [503, { error: "off" }, {}, 3, /off for another reason/],
    // The secret follows no redirect.
    [307, {}, { location: "/elsewhere" }, 3, /answered 307/],
  ];
  for (const [status, answer, fields, code, words] of cases) {
    answers = [[status, answer, fields]];
    asked = [];
    const ended = await run(["off"]);
    assert.equal(ended.code, code, ended.err);
    assert.match(ended.err.replaceAll("\n", " "), words);
    assert.ok(!`${ended.out}${ended.err}`.includes(SECRET));
    assert.equal(asked.length, 1);
  }
  const among = await run(["status", "--env", SECRET]);
  assert.deepEqual([among.code, among.out], [2, ""]);
  assert.match((await run(["status"], { input: "" })).err, /standard input has no credential/);
  const silent = await project.run(["directory", "status", "--gateway", "http://127.0.0.1:9"], { input: SECRET });
  assert.equal(silent.code, 3);
  project.write("gateway.toml", "");
  const pathless = await run(["status"]);
  assert.equal(pathless.code, 1);
  assert.match(pathless.err, /has no \[operator\] ledger/);
});
