// The outermost catch: whatever leaves wasm or JavaScript as an exception ends in one line and a problem document.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { answerAlways } from "../../src/edge/outermost.js";
import { faultsOfLine } from "../support/log-schema.mjs";

const source = readFileSync(new URL("../../src/edge/outermost.js", import.meta.url), "utf8");

/** The answer of an entry whose wasm function is `fetch`, and the lines that were written. */
async function run(context, fetch, init) {
  const lines = [];
  context.mock.method(console, "log", (line) => lines.push(JSON.parse(line)));
  try {
    const answer = await answerAlways(fetch)(new Request("https://api.example.com/?token=SECRET", init), {}, {});
    return { answer, lines };
  } finally {
    context.mock.restoreAll();
  }
}

const FAILURES = {
  "a trap": () => {
    throw new WebAssembly.RuntimeError("unreachable SECRET");
  },
  "an exception that is none": () => {
    // biome-ignore lint/style/useThrowOnlyError: what the test is about.
    throw undefined;
  },
  "a promise that is rejected": async () => {
    throw new TypeError("SECRET");
  },
};

const KINDS = {
  "a trap": "RuntimeError",
  "an exception that is none": undefined,
  "a promise that is rejected": "TypeError",
};

for (const [what, fetch] of Object.entries(FAILURES)) {
  test(`${what} has one line and a problem, and its kind is told`, async (context) => {
    const { answer, lines } = await run(context, fetch, { headers: { "cf-ray": "8f1c0000000000ab-FRA" } });
    assert.equal(answer.status, 500);
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    assert.equal(answer.headers.get("cache-control"), "no-store");
    const problem = await answer.json();
    assert.deepEqual([problem.status, problem.instance], [500, "8f1c0000000000ab-FRA"]);
    const [line, ...more] = lines.filter(({ event }) => event === "request");
    assert.deepEqual(more, []);
    assert.deepEqual(
      [line.request_id, line.method, line.reason, line.status],
      [problem.instance, "GET", "internal_error", 500],
    );
    const faults = lines.filter(({ event }) => event === "internal_error");
    assert.deepEqual(
      faults.map(({ level, request_id, error_type }) => [level, request_id, error_type]),
      [["error", problem.instance, KINDS[what]]],
    );
    assert.deepEqual(lines.flatMap(faultsOfLine), []);
    assert.ok(!JSON.stringify(lines).includes("SECRET"));
  });
}

test("HEAD gets no body, and an id that could not be the platform's is not believed", async (context) => {
  const { answer, lines } = await run(context, FAILURES["a trap"], { method: "HEAD", headers: { "cf-ray": "a b" } });
  assert.deepEqual([answer.status, answer.body], [500, null]);
  assert.match(lines[0].request_id, /^[0-9a-f-]{36}$/);
});

test("answers pass as they are, at once or later", async (context) => {
  const own = new Response("own");
  for (const fetch of [() => own, async () => own]) {
    const { answer, lines } = await run(context, fetch);
    assert.equal(answer, own);
    assert.deepEqual(lines, []);
  }
});

test("its words are those of the core", () => {
  const core = (name) =>
    readFileSync(new URL(`../../crates/pointsman-core/src/base/${name}.rs`, import.meta.url), "utf8");
  const errors = core("problem");
  const words = /Self::GatewayError => \(\s*"([^"]+)",\s*"([^"]+)",\s*"([^"]+)",?\s*\)/.exec(errors);
  for (const text of words.slice(1)) assert.ok(source.includes(text), text);
  assert.match(core("refusal"), /InternalError = "internal_error" => GatewayError/);
});
