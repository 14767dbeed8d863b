// What happens while the Worker's module is loaded, when no caller waits yet: the configuration is read. Whatever is
// wrong there, requests must be answered.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startOrigin } from "../../bench/lib/load.mjs";
import { FLAGS, modules } from "../../bench/lib/pointsman.mjs";
import { endAll } from "../../bench/lib/processes.mjs";
import { startWorkerd } from "../../bench/lib/workerd.mjs";
import { checkedForm } from "../../scripts/lib/pointsman.mjs";
import { path } from "./support/files.mjs";

/** The Worker, which answers with what its own answer was, and what was called and logged until then. */
const watching = (trapsAtLoad) => `
import { wrapInstances } from "./wrap-instances.js";
let calls = [], lines = [], loading = true;
wrapInstances((direction, name, call) => (...given) => {
  calls.push(name);
  if (loading && name === ${JSON.stringify(trapsAtLoad)}) throw new WebAssembly.RuntimeError("unreachable");
  return call(...given);
});
console.log = (line) => lines.push(JSON.parse(line));
const taken = () => {
  const all = { calls, events: lines.map(({ event }) => event), messages: lines.map(({ message }) => message) };
  [calls, lines] = [[], []];
  return all;
};
const { default: worker } = await import("./index.js");
const atLoad = taken();
loading = false;
export default {
  async fetch(request, env, ctx) {
    const answer = await worker.fetch(request, env, ctx);
    const problem = answer.status === 200 ? undefined : await answer.json();
    return Response.json({ status: answer.status, problem, atLoad, now: taken() });
  },
};`;

const INSTALLED = ["install", "installForward", "installLimits"];
const OPEN = {
  backends: { b: { url: "https://b.example.com" } },
  routes: [{ path: "/open/{+p}", auth: [], rules: [{ name: "r", to: "b" }] }],
};

let origin;
before(async () => {
  origin = await startOrigin();
});
after(endAll);

/** What a new Worker answers to some requests, one after the other. */
async function answers(count, { form, trapsAtLoad, flags = [] }) {
  const parts = [
    { name: "main.js", text: watching(trapsAtLoad) },
    { name: "wrap-instances.js", path: path("bench/workers/wrap-instances.js") },
    ...modules(OPEN, form === undefined ? {} : { form }),
  ];
  const worker = await startWorkerd({
    modules: parts,
    flags: [...FLAGS, ...flags],
    origin: origin.port,
    kv: {},
  });
  const all = [];
  for (let time = 0; time < count; time++)
    all.push(await (await fetch(`http://127.0.0.1:${worker.port}/open/x`)).json());
  await worker.stop();
  return all;
}

const includesAll = (calls, names) =>
  assert.deepEqual(
    names.filter((name) => !calls.includes(name)),
    [],
  );
const includesNone = (calls, names) =>
  assert.deepEqual(
    names.filter((name) => calls.includes(name)),
    [],
  );

test("the configuration is read before the first request, and nothing else is done", async () => {
  const [first, second] = await answers(2, {});
  assert.deepEqual([first.status, second.status], [200, 200]);
  includesAll(first.atLoad.calls, ["prepare", ...INSTALLED]);
  includesNone(first.atLoad.calls, [
    "randomBytes",
    "kvGet",
    "kvGetMany",
    "kvPutMany",
    "getDocument",
    "logMessage",
    "survey",
    "dispatch",
  ]);
  includesAll(first.now.calls, ["randomBytes", "dispatch"]);
  includesNone(first.now.calls, INSTALLED);
  includesNone(second.now.calls, ["randomBytes", ...INSTALLED]);
});

test("a configuration with faults keeps nothing from loading: the first request says why, each is answered", async () => {
  const form = JSON.stringify({
    ...JSON.parse(checkedForm(JSON.stringify(OPEN))),
    name: "${SEKRET}",
    user_agent: "${OTHER}",
  });
  const [first, second] = await answers(2, { form });
  includesAll(first.atLoad.calls, INSTALLED);
  assert.deepEqual(first.atLoad.events, []);
  assert.deepEqual(first.now.events, ["misconfigured", "misconfigured", "request"]);
  assert.match(first.now.messages.join("\n"), /SEKRET/);
  assert.deepEqual(second.now.events, ["request"]);
  for (const { status, problem } of [first, second]) {
    assert.equal(status, 500);
    assert.match(problem.type, /:gateway-misconfigured$/);
  }
});

for (const trapsAtLoad of ["install", "installForward"]) {
  test(`after a trap in ${trapsAtLoad} while it is loaded, the first request finds a new instance`, async () => {
    const [first, second] = await answers(2, { trapsAtLoad });
    includesAll(first.atLoad.calls, [trapsAtLoad]);
    includesNone(first.atLoad.calls, ["installLimits"]);
    assert.deepEqual([first.status, second.status], [200, 200]);
    includesAll(first.now.calls, ["randomBytes", ...INSTALLED]);
    includesNone(second.now.calls, ["randomBytes", ...INSTALLED]);
  });
}

test("where modules cannot have the bindings, the first request reads the configuration", async () => {
  const [first] = await answers(1, { flags: ["disallow_importable_env"] });
  includesNone(first.atLoad.calls, ["prepare", ...INSTALLED]);
  assert.equal(first.status, 200);
  includesAll(first.now.calls, INSTALLED);
});
