// The one end of every request: what it tells of a request, that nothing else tells it, and that requests which are sent to
// a backend have exactly one, however they end.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { finish, installLog, openLine } from "../../src/edge/finish.js";
import { forward, forwardByPlan, installForward } from "../../src/edge/forward.js";
import { logEvent, logMessage } from "../../src/edge/log_event.js";
import { decodeEdits } from "../../src/edge/wire.js";
import { faultsOfLine } from "../support/log-schema.mjs";

const root = new URL("../../", import.meta.url);
const [{ text: FAILURES }] = JSON.parse(readFileSync(new URL("fixtures/wire/failures.json", root), "utf8"));

/** The lines that `act` writes, parsed. */
async function linesOf(context, act) {
  const lines = [];
  const { mock } = context.mock.method(console, "log", (line) => lines.push(JSON.parse(line)));
  try {
    await act();
  } finally {
    mock.restore();
  }
  return lines;
}

const REQUEST = { line: '{"event":"request","route":"/a"', began: 1000 };
const CALLED = { origin: '"https://a.example"', attempt: 2, sentAt: 1100 };

for (const [what, request, end, expected] of [
  ["an answer of the core", REQUEST, { status: 204 }, { status: 204, duration_ms: 500 }],
  ["a refusal", REQUEST, { status: 403, reason: "rule" }, { reason: "rule", status: 403, duration_ms: 500 }],
  [
    "a backend's answer",
    REQUEST,
    { status: 200, called: CALLED },
    { origin: "https://a.example", attempt: 2, status: 200, duration_ms: 500, backend_ms: 400 },
  ],
  [
    "limits, whatever their names",
    REQUEST,
    { status: 429, reason: "rate_limited", limits: ['a"', "b"] },
    { limit: 'a" b', reason: "rate_limited", status: 429, duration_ms: 500 },
  ],
  ["a request of which nobody knows when it came", { line: REQUEST.line }, { status: 500 }, { status: 500 }],
]) {
  test(`the line of ${what} has what its end knows`, async (context) => {
    const [line, ...more] = await linesOf(context, () => finish(request, { now: 1500, ...end }));
    assert.deepEqual(more, []);
    assert.deepEqual(line, { event: "request", route: "/a", ...expected });
  });
}

test("a share of the successful requests is logged, and every other request", async (context) => {
  context.after(() => installLog(false, 1_000_000));
  const count = async (end, times) =>
    (
      await linesOf(context, () => {
        for (let time = 0; time < times; time++) finish(REQUEST, end);
      })
    ).filter((line) => line.sample === undefined || line.sample === 0.1).length;
  installLog(false, 100_000);
  for (const end of [
    { status: 400 },
    { status: 503, called: CALLED },
    { status: 403, reason: "rule" },
    { status: 499 },
  ])
    assert.equal(await count(end, 50), 50, JSON.stringify(end));
  const written = await count({ status: 200 }, 10_000);
  assert.ok(written > 800 && written < 1200, `${written} of 10 000`);
  const [line] = await linesOf(context, () => {
    for (let time = 0; time < 500; time++) finish(REQUEST, { status: 200 });
  });
  assert.equal(line.sample, 0.1);
  installLog(false, 0);
  assert.equal(await count({ status: 200 }, 1000), 0);
});

test("sizes are told where their heads say them and the setting asks for them", async (context) => {
  context.after(() => installLog(false, 1_000_000));
  const headers = (length) => new Headers(length === undefined ? {} : { "content-length": length });
  const sizes = async (method, sent, received) => {
    const incoming = { method, fields: headers(sent) };
    const answer = { headers: headers(received) };
    const [line] = await linesOf(context, () =>
      finish({ ...REQUEST, incoming }, { status: 200, called: CALLED, answer }),
    );
    return [line.request_bytes, line.response_bytes];
  };
  assert.deepEqual(await sizes("POST", "12", "34"), [undefined, undefined]);
  installLog(true, 1_000_000);
  assert.deepEqual(await sizes("POST", "12", "34"), [12, 34]);
  assert.deepEqual(await sizes("GET", undefined, undefined), [undefined, undefined]);
  assert.deepEqual(await sizes("HEAD", undefined, "34"), [undefined, undefined], "of what is not sent");
  for (const odd of ["-1", "1e3", "12, 12", "x"])
    assert.deepEqual(await sizes("POST", odd, odd), [undefined, undefined]);
});

test("a line that nothing was decided for begins with what every line begins with", async (context) => {
  const line = openLine({ time: "2026-07-30T12:00:00.000Z", requestId: 'a"b', method: "GET" });
  assert.deepEqual(await linesOf(context, () => finish({ line }, { status: 500 })), [
    { event: "request", time: "2026-07-30T12:00:00.000Z", request_id: 'a"b', method: "GET", status: 500 },
  ]);
});

test("events have one shape, whoever tells them", async (context) => {
  const lines = await linesOf(context, () => {
    logEvent("warn", "limit_failed", { limit: "a", message: "out of order" });
    logMessage("info", "customers_refreshed", "1 listed");
  });
  assert.deepEqual(
    lines.map(({ event }) => event),
    ["limit_failed", "customers_refreshed"],
  );
  assert.deepEqual(lines.flatMap(faultsOfLine), []);
});

test("nothing else in the edge writes a log line", () => {
  const writers = globSync("src/edge/**/*.js", { cwd: root }).filter((file) => {
    const code = readFileSync(new URL(file, root), "utf8").replaceAll(/\/\/.*$|\/\*[\s\S]*?\*\//gm, "");
    return /console\s*(\.\s*(log|info|warn|debug)|\[)/.test(code);
  });
  assert.deepEqual(writers.sort(), ["src/edge/finish.js", "src/edge/log_event.js"]);
  for (const file of globSync("src/**/*.rs", { cwd: root })) {
    const code = readFileSync(new URL(file, root), "utf8").replaceAll(/\/\/.*$/gm, "");
    assert.doesNotMatch(code, /js_namespace\s*=\s*console|console_(log|warn|error|debug)!/, file);
  }
});

const ID = "8f1c0000000000ab-FRA";

/** As `forward` and `forwardByPlan` take it: a GET that came when the clock stood at 0. */
function sendingOf({ signal = new AbortController().signal, edits = "" } = {}) {
  const request = { signal, body: null };
  return {
    env: {},
    incoming: { request, method: "GET", fields: new Headers(), headers: new Headers() },
    remove: "",
    set: "via\n1.1 pointsman\n",
    edits: decodeEdits(edits),
    line: `${openLine({ time: "2026-07-30T12:00:00.000Z", requestId: ID, method: "GET" })},"backend":"shared"`,
    requestId: ID,
    origin: '"https://a.example"',
    began: Date.now(),
    sentAt: Date.now(),
  };
}

const attempt = (name) => ({
  url: `https://${name}.example/x`,
  origin: `https://${name}.example`,
  key: name,
  timeout: 50,
});
const planOf = (...attempts) => ({
  attempts,
  deadline: 200,
  statuses: [503],
  breaker: [3, 50, 5000],
  caller: "c",
  needs_size: false,
});

const WAYS = {
  "one call": (sending) => forward(sending, "https://a.example/x", 50),
  "a plan of one origin": (sending) => forwardByPlan(sending, { ...planOf(attempt("a")), caller: undefined }),
  "a plan of two origins": (sending) => forwardByPlan(sending, planOf(attempt("a"), attempt("b"))),
};

/** [what, how a backend ends its call, status, reason] */
const ENDS = [
  ["answers", async () => new Response("ok"), 200, undefined],
  ["answers an error", async () => new Response("no", { status: 503 }), 503, undefined],
  ["is not reached", async () => Promise.reject(new TypeError("Network connection lost.")), 502, "backend_unreachable"],
  ["hangs", () => new Promise(() => {}), 504, "backend_timeout"],
  [
    "cannot be called",
    () => {
      throw new TypeError("Invalid URL");
    },
    502,
    "backend_unreachable",
  ],
  ["answers what is no answer", async () => ({ status: 103, headers: new Headers() }), 502, "backend_unreachable"],
];

for (const [way, send] of Object.entries(WAYS)) {
  for (const [what, call, status, reason] of ENDS) {
    test(`by ${way}, a backend that ${what} leaves one line`, async (context) => {
      context.mock.method(globalThis, "fetch", call);
      installForward(FAILURES, () => true);
      let answer;
      const lines = await linesOf(context, async () => (answer = await send(sendingOf())));
      for (const line of lines) assert.deepEqual(faultsOfLine(line), [], JSON.stringify(line));
      const [line, ...more] = lines.filter(({ event }) => event === "request");
      assert.deepEqual(more, []);
      assert.deepEqual([answer.status, line.status, line.reason], [status, status, reason]);
      const last = way === "a plan of two origins" && status !== 200 ? 2 : 1;
      assert.deepEqual([line.origin, line.attempt], [`https://${last === 2 ? "b" : "a"}.example`, last]);
      assert.ok(Number.isInteger(line.duration_ms) && Number.isInteger(line.backend_ms), JSON.stringify(line));
      const failed = lines.filter(({ event }) => event === "attempt_failed");
      assert.deepEqual(
        failed.map((one) => one.attempt),
        last === 2 ? [1] : [],
      );
    });
  }
}

test("a client that leaves leaves one line, and an answer that comes later none", async (context) => {
  // Clients are watched from 250 ms on.
  const patient = { ...planOf({ ...attempt("a"), timeout: 2000 }), deadline: 2000 };
  for (const send of [
    (sending) => forward(sending, "https://a.example/x", 2000),
    (sending) => forwardByPlan(sending, patient),
  ]) {
    const leaver = new AbortController();
    const { promise, resolve } = Promise.withResolvers();
    context.mock.method(globalThis, "fetch", () => promise);
    installForward(FAILURES, () => true);
    const lines = await linesOf(context, async () => {
      const answered = send(sendingOf({ signal: leaver.signal }));
      leaver.abort();
      assert.equal((await answered).status, 499);
      resolve(new Response("late"));
      await promise;
    });
    assert.deepEqual(lines.flatMap(faultsOfLine), []);
    assert.deepEqual(
      lines.map(({ event, status, reason }) => [event, status, reason]),
      [["request", 499, "client_left"]],
    );
  }
});
