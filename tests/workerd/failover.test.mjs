// Backends with several origins, which die, hang, answer badly and recover: what is safe to send again is answered as
// long as one origin is well, what is not is sent once, and an origin that fails is left alone.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { kvName, mint } from "../../demo/keys.mjs";
import { bearer, openGateway } from "./support/gateway.mjs";
import { until } from "./support/log.mjs";
import { BEHAVIOURS, openOriginsGateway } from "./support/origins.mjs";
import { runSoak } from "./support/soak.mjs";
import { requestHead, Wire } from "./support/wire.mjs";

/** What two busy cores may add to any wait. */
const MARGIN = 900;
const FIRST_TIMEOUT = 300;
const DEADLINE = 3000;
const PAUSE = 600;
const NEVER_OPEN = { failures: 1_000_000, failure_ratio: "100%" };

const pair = {
  origins: [{ origin: "first", timeout: `${FIRST_TIMEOUT}ms` }, { origin: "second" }],
  timeout: "1s",
  deadline: `${DEADLINE}ms`,
  failure_statuses: [502, 503],
};
const regional = {
  origins: [
    { origin: "first", region: "na" },
    { origin: "second", region: "eu" },
    { origin: "third", region: "eu" },
  ],
  timeout: "1s",
  ...NEVER_OPEN,
};

const KEYS = Object.fromEntries(
  ["several", "near", "shared-out", "dead", "beside", "bad-entry", "too-many", "none"].map((name) => [
    name,
    mint("sk_live"),
  ]),
);

let gateway;
let first;
let second;
let third;
before(async () => {
  gateway = await openOriginsGateway({
    api_keys: { prefixes: ["sk_live"] },
    customers: {},
    backends: {
      pair,
      stubborn: { ...pair, ...NEVER_OPEN },
      breaker: { ...pair, failures: 3, pause: `${PAUSE}ms` },
      // An origin that may take longer than a test does.
      patient: {
        origins: [{ origin: "first" }, { origin: "second" }],
        timeout: "20s",
        failures: 3,
        pause: `${PAUSE}ms`,
      },
      outage: { ...pair, ...NEVER_OPEN, failure_statuses: [503] },
      regional,
      pinned: regional,
      weighted: {
        origins: [
          { origin: "first", weight: 3 },
          { origin: "second", weight: 1 },
        ],
        balance: "weighted",
      },
      tight: { origins: [{ origin: "first" }, { origin: "second" }], timeout: "1s", deadline: "1200ms", failures: 1 },
      alone: { origins: [{ origin: "third" }] },
      edited: pair,
    },
    routes: {
      pinned: { rules: [{ name: "eu", to: "pinned", within: "eu" }] },
      edited: { cors: "anything-goes", server_timing: true, request_id: true },
      customer: { auth: ["api_key"], rules: [{ name: "customer", to: "customer" }] },
    },
  });
  ({ first, second, third } = gateway.origins);
});
after(() => gateway?.stop());
beforeEach(() => gateway.tidy());

const ask = (target, request) => gateway.send({ target, ...request });
/** From a client with an address of its own: the platform's edge writes this field. */
const askFrom = (address, target, request) => ask(target, { ...request, headers: [["CF-Connecting-IP", address]] });
const [ANNA, BERT, CARL] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
const lineOf = (record) => gateway.log.request(record.headers["x-request-id"]);
const failedAttempts = (id) =>
  gateway.log.lines.filter(({ event, request_id }) => event === "attempt_failed" && request_id === id);
const timed = async (promise) => {
  const began = Date.now();
  const answer = await promise;
  return { answer, took: Date.now() - began };
};
const answeredBy = (answer, origin) =>
  assert.deepEqual([answer.status, answer.get("x-origin")], [200, origin.name], answer.text());

/** Every way in which an origin fails: how it is brought about, what the log calls it, and what one alone comes to. */
const FAULTS = {
  "refuses the connection": { strike: (origin) => origin.die(), why: "unreachable", status: 502, arrives: 0 },
  "resets the connection": {
    strike: (origin) => origin.be(BEHAVIOURS.reset),
    why: "unreachable",
    status: 502,
    arrives: 1,
  },
  "hangs beyond its timeout": {
    strike: (origin) => origin.be(BEHAVIOURS.hang),
    why: "timeout",
    status: 504,
    arrives: 1,
  },
  "answers one of failure_statuses": {
    strike: (origin) => origin.be(BEHAVIOURS.status(503)),
    why: "status 503",
    status: 503,
    arrives: 1,
  },
};

describe("a request that is safe to send again", () => {
  beforeEach(() => gateway.begin());

  for (const [what, { strike, why, arrives }] of Object.entries(FAULTS)) {
    test(`is answered by the next origin where the first ${what}`, async () => {
      await strike(first);
      for (const method of ["GET", "HEAD", "OPTIONS"]) {
        first.seen.length = 0;
        second.seen.length = 0;
        const { answer, took } = await timed(ask("/pair/a/b?c=d", { method }));
        answeredBy(answer, second);
        assert.ok(took < DEADLINE + MARGIN, `${took} ms`);
        if (why === "timeout") assert.ok(took >= FIRST_TIMEOUT, `${took} ms`);
        assert.equal(first.seen.length, arrives);
        const [record] = second.seen;
        assert.deepEqual([second.seen.length, record.method, record.url], [1, method, "/pair/a/b?c=d"]);
        const line = await lineOf(record);
        assert.deepEqual([line.status, line.origin, line.attempt, line.reason], [200, second.url, 2, undefined]);
        const [failed, ...more] = failedAttempts(line.request_id);
        assert.deepEqual(more, []);
        assert.deepEqual([failed.origin, failed.attempt, failed.error_type, failed.level], [first.url, 1, why, "warn"]);
        assert.deepEqual(
          first.seen.map(({ headers }) => headers["x-request-id"]),
          first.seen.map(() => line.request_id),
          "one request, one id",
        );
      }
    });
  }

  test("is answered with whatever status is none of failure_statuses", async () => {
    for (const status of [400, 404, 429, 500, 501, 504, 599]) {
      first.be(BEHAVIOURS.status(status));
      const answer = await ask("/pair/x");
      assert.deepEqual([answer.status, answer.get("x-origin")], [status, "first"]);
    }
    assert.deepEqual(second.seen, []);
    assert.deepEqual(
      gateway.log.lines.filter(({ event }) => event === "attempt_failed"),
      [],
    );
  });

  test("has one line, with the first origin, where that answers", async () => {
    answeredBy(await ask("/pair/x"), first);
    const line = await lineOf(first.seen[0]);
    assert.deepEqual([line.backend, line.origin, line.attempt, line.rule], ["pair", first.url, 1, "all"]);
  });

  test("lets go of the origin that was too slow while the next one's answer goes on", async () => {
    first.be(BEHAVIOURS.hang);
    const end = Promise.withResolvers();
    second.be(async (request, response) => {
      response.write("begun ");
      await end.promise;
      response.end("ended");
    });
    const wire = new Wire(gateway.port);
    try {
      await wire.write(requestHead({ target: "/pair/x" }));
      const pieces = wire.body("GET", await wire.head());
      assert.equal(String((await pieces.next()).value), "begun ");
      await until(() => first.connections() === 0, "the end of the connection to the first origin", 2000);
      end.resolve();
      assert.equal(String((await pieces.next()).value), "ended");
    } finally {
      end.resolve();
      wire.close();
    }
  });
});

describe("a request that is not safe to send again", () => {
  before(() => gateway.begin());

  const UNSAFE = [
    ["POST", "once"],
    ["PUT", "once"],
    ["PATCH", "once"],
    ["DELETE", "once"],
    ["GET", "once"],
    ["HEAD", "once"],
    ["POST"],
    ["DELETE"],
  ];
  for (const [what, { strike, status, arrives }] of Object.entries(FAULTS)) {
    test(`is sent to one origin, once, where that ${what}`, async () => {
      await strike(first);
      const all = UNSAFE.map(async ([method, body]) => {
        const { answer, took } = await timed(ask("/stubborn/x", { method, body }));
        assert.equal(answer.status, status, `${method} ${body}: ${answer.text()}`);
        assert.ok(took < FIRST_TIMEOUT + MARGIN, `${took} ms`);
      });
      await Promise.all(all);
      assert.deepEqual(
        first.seen.map(({ method }) => method).sort(),
        arrives === 0 ? [] : UNSAFE.map(([method]) => method).sort(),
      );
      assert.deepEqual(second.seen, []);
    });
  }

  test("is told from one without a body also where the body is chunked", async () => {
    first.be(BEHAVIOURS.status(503));
    const wire = new Wire(gateway.port);
    await wire.write(requestHead({ target: "/stubborn/x", headers: [["Transfer-Encoding", "chunked"]] }));
    await wire.write("4\r\nonce\r\n0\r\n\r\n");
    assert.equal((await wire.head()).status, 503);
    wire.close();
    assert.deepEqual([first.seen.length, first.seen[0].body, second.seen.length], [1, "once", 0]);
  });

  test("arrives whole where its origin is well", async () => {
    const answer = await ask("/pair/x?y", { method: "POST", body: "a".repeat(100_000) });
    answeredBy(answer, first);
    await until(() => first.seen[0].whole, "the rest of the body");
    assert.deepEqual([first.seen.length, first.seen[0].body.length, first.seen[0].url], [1, 100_000, "/pair/x?y"]);
  });
});

describe("an origin that failed", () => {
  beforeEach(() => gateway.begin());

  const fail = async (times) => {
    for (let i = 0; i < times; i++) answeredBy(await ask("/breaker/x"), second);
  };

  test("is left alone for a while, by requests of every method", async () => {
    first.be(BEHAVIOURS.status(503));
    await fail(3);
    const opened = Date.now();
    first.seen.length = 0;
    gateway.log.clear();
    const methods = ["POST", "GET", "PUT", "DELETE", "HEAD", "POST"];
    const answers = await Promise.all(
      methods.map((method) => ask("/breaker/x", { method, body: method === "POST" ? "b" : undefined })),
    );
    assert.ok(Date.now() - opened < PAUSE, "too slow to tell");
    for (const answer of answers) answeredBy(answer, second);
    assert.deepEqual(first.seen, []);
    const line = await lineOf(second.seen.at(-1));
    assert.deepEqual([line.origin, line.attempt], [second.url, 1]);
    assert.deepEqual(failedAttempts(line.request_id), []);
  });

  test("is tried by one request after the pause, and is back when that goes well", async () => {
    first.be(BEHAVIOURS.status(503));
    await fail(3);
    await sleep(PAUSE + 50);
    first.seen.length = 0;
    // Slow, so that all the others come while it is being tried.
    first.be(BEHAVIOURS.slow(150));
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask("/breaker/x")));
    assert.equal(first.seen.length, 1, "exactly one trial");
    assert.deepEqual(answers.map((answer) => answer.get("x-origin")).sort(), ["first", ...Array(9).fill("second")]);
    first.be(BEHAVIOURS.ok);
    answeredBy(await ask("/breaker/x"), first);
    answeredBy(await ask("/breaker/x", { method: "POST", body: "b" }), first);
  });

  test("is left alone for twice as long where the trial fails", async () => {
    first.be(BEHAVIOURS.status(503));
    await fail(3);
    await sleep(PAUSE + 50);
    first.seen.length = 0;
    answeredBy(await ask("/breaker/x"), second);
    assert.equal(first.seen.length, 1);
    first.be(BEHAVIOURS.ok);
    await sleep(PAUSE + 50);
    answeredBy(await ask("/breaker/x"), second);
    assert.equal(first.seen.length, 1, "the second pause is longer");
    await until(async () => (await ask("/breaker/x")).get("x-origin") === "first", "its return", 2 * PAUSE + MARGIN);
  });

  test("is paused once for a crowd that was under way when it failed", async () => {
    first.be((request, response) => setTimeout(() => response.writeHead(503).end(), 150));
    const crowd = await Promise.all(Array.from({ length: 40 }, () => ask("/breaker/x", { method: "POST" })));
    assert.deepEqual([...new Set(crowd.map(({ status }) => status))], [503]);
    first.be(BEHAVIOURS.ok);
    await sleep(PAUSE + 100);
    answeredBy(await ask("/breaker/x"), first);
  });

  test("is not one that answers after all the others' time is used up", async () => {
    first.be(BEHAVIOURS.hang);
    second.be(BEHAVIOURS.slow(500));
    assert.equal((await ask("/tight/x")).status, 504, "200 ms were left for the second");
    second.be(BEHAVIOURS.ok);
    first.seen.length = 0;
    answeredBy(await ask("/tight/x", { method: "POST" }), second);
    assert.deepEqual(first.seen, [], "it is the first that is left alone");
  });
});

describe("an API that is only written to", () => {
  beforeEach(() => gateway.begin());

  const chunked = async (target) => {
    const wire = new Wire(gateway.port);
    await wire.write(requestHead({ method: "POST", target, headers: [["Transfer-Encoding", "chunked"]] }));
    await wire.write("4\r\nonce\r\n0\r\n\r\n");
    const { status } = await wire.head();
    wire.close();
    return status;
  };
  const sent = (method, body) => async (target) => (await ask(target, { method, body })).status;
  const WAYS = {
    POST: sent("POST", "once"),
    "POST with an empty body": sent("POST", ""),
    PUT: sent("PUT", "once"),
    "PATCH of 2 kB": sent("PATCH", "a".repeat(2000)),
    DELETE: sent("DELETE"),
    "POST in chunks": chunked,
  };
  for (const [what, { strike }] of Object.entries(FAULTS)) {
    for (const [how, send] of Object.entries(WAYS)) {
      test(`goes to the backup after three failures where its origin ${what} (${how})`, async () => {
        await strike(first);
        const statuses = [];
        for (let i = 0; i < 5; i++) statuses.push(await send("/breaker/x"));
        assert.deepEqual(statuses.slice(3), [200, 200]);
        assert.ok(
          statuses.slice(0, 3).every((status) => status >= 502),
          `${statuses}`,
        );
        assert.equal(second.seen.length, 2, "nothing was sent twice");
      });
    }
  }

  test("is back at its origin after the pause, also where a POST was the one to try it", async () => {
    await first.die();
    for (let i = 0; i < 3; i++) assert.equal((await ask("/patient/x", { method: "POST", body: "b" })).status, 502);
    answeredBy(await ask("/patient/x", { method: "POST", body: "b" }), second);
    await sleep(PAUSE + 50);
    assert.equal((await ask("/patient/x", { method: "POST", body: "b" })).status, 502, "the trial");
    await first.live();
    // Twice the pause, and not the 20 s that the origin may take.
    await until(
      async () => (await ask("/patient/x", { method: "POST", body: "b" })).get("x-origin") === "first",
      "its return",
      2 * PAUSE + MARGIN,
    );
  });
});

describe("one caller and another", () => {
  beforeEach(() => gateway.begin());

  for (const what of ["hangs beyond its timeout", "answers one of failure_statuses"]) {
    test(`the other keeps its origin where one alone asks for what ${what}`, async () => {
      await FAULTS[what].strike(first);
      for (let i = 0; i < 3; i++) answeredBy(await askFrom(ANNA, "/breaker/slow"), second);
      first.be(BEHAVIOURS.ok);
      answeredBy(await askFrom(BERT, "/breaker/x"), first);
      answeredBy(await askFrom(BERT, "/breaker/x", { method: "POST", body: "b" }), first);
      answeredBy(await askFrom(ANNA, "/breaker/x"), second);
      await sleep(PAUSE);
      answeredBy(await askFrom(ANNA, "/breaker/x"), first);
    });

    test(`all leave an origin alone where two meet what ${what}`, async () => {
      await FAULTS[what].strike(first);
      for (let i = 0; i < 2; i++) answeredBy(await askFrom(ANNA, "/breaker/slow"), second);
      answeredBy(await askFrom(BERT, "/breaker/slow"), second);
      first.be(BEHAVIOURS.ok);
      answeredBy(await askFrom(CARL, "/breaker/x"), second);
    });
  }

  test("all leave an origin alone that one of them found unreachable", async () => {
    await first.die();
    for (let i = 0; i < 3; i++) answeredBy(await askFrom(ANNA, "/breaker/x"), second);
    await first.live();
    answeredBy(await askFrom(BERT, "/breaker/x"), second);
  });

  test("one who spends all its further attempts leaves the other's", async () => {
    first.be(BEHAVIOURS.status(503));
    const statuses = async (address, count) => {
      const seen = [];
      for (let i = 0; i < count; i++) seen.push((await askFrom(address, "/outage/x")).status);
      return seen;
    };
    assert.ok((await statuses(ANNA, 40)).includes(503), "all that one has is spent");
    assert.deepEqual(await statuses(BERT, 4), [200, 200, 200, 200]);
  });

  test("a client that leaves while it tries an origin leaves the trial to the next", async () => {
    await first.die();
    for (let i = 0; i < 3; i++) answeredBy(await ask("/patient/x"), second);
    await first.live();
    first.be(BEHAVIOURS.hang);
    await sleep(PAUSE);
    const wire = new Wire(gateway.port);
    await wire.write(requestHead({ target: "/patient/x" }));
    await until(() => first.seen.length > 0, "the trial");
    wire.reset();
    await until(() => first.connections() === 0, "the end of the trial");
    first.be(BEHAVIOURS.ok);
    answeredBy(await ask("/patient/x"), first);
  });

  test("a body that breaks off while it tries an origin leaves the trial to the next", async () => {
    await first.die();
    for (let i = 0; i < 3; i++) answeredBy(await ask("/patient/x"), second);
    await first.live();
    first.be(BEHAVIOURS.read);
    await sleep(PAUSE);
    const wire = new Wire(gateway.port);
    await wire.write(requestHead({ method: "POST", target: "/patient/x", headers: [["Content-Length", "10"]] }));
    await wire.write("abc");
    wire.socket.end();
    assert.equal((await wire.head()).status, 400);
    wire.close();
    answeredBy(await ask("/patient/x"), first);
  });
});

describe("a total outage", () => {
  beforeEach(() => gateway.begin());

  for (const [what, { strike, status }] of Object.entries(FAULTS)) {
    test(`is ${status} within the deadline where every origin ${what}`, async () => {
      for (const origin of [first, second]) await strike(origin);
      for (const [method, attempt, origin] of [
        ["POST", 1, first],
        ["GET", 2, second],
      ]) {
        const { answer, took } = await timed(ask("/pair/x", { method }));
        assert.equal(answer.status, status, answer.text());
        assert.ok(took < DEADLINE + MARGIN, `${took} ms`);
        if (status === 503) {
          assert.equal(answer.get("x-origin"), origin.name);
          continue;
        }
        assert.equal(answer.get("content-type"), "application/problem+json");
        assert.doesNotMatch(answer.text(), /127\.0\.0\.1/);
        const line = await gateway.log.request(answer.json().instance);
        assert.deepEqual([line.status, line.attempt, line.origin], [status, attempt, origin.url]);
        assert.equal(line.reason, status === 502 ? "backend_unreachable" : "backend_timeout");
      }
    });
  }

  test("holds no connection: bodies of failed attempts are let go", async () => {
    // Bodies without an end: whoever does not cancel them holds their connection.
    let open = 0;
    const endless = (request, response) => {
      open += 1;
      response.on("close", () => (open -= 1));
      response.writeHead(503).write("x".repeat(64 * 1024));
    };
    first.be(endless);
    second.be(BEHAVIOURS.reset);
    for (let i = 0; i < 50; i++) {
      const wire = new Wire(gateway.port);
      await wire.write(requestHead({ target: "/outage/x" }));
      assert.ok([502, 503].includes((await wire.head()).status));
      wire.reset();
    }
    await until(() => open === 0, "the end of all failed answers");
    first.be(BEHAVIOURS.ok);
    const { took } = await timed(Promise.all(Array.from({ length: 20 }, () => ask("/regional/x"))));
    assert.ok(took < MARGIN, `20 requests took ${took} ms`);
  });

  test("of one origin sends a bounded share of requests again", async () => {
    first.be(BEHAVIOURS.status(503));
    const statuses = [];
    const ten = async () =>
      (await Promise.all(Array.from({ length: 10 }, () => ask("/outage/x")))).map(({ status }) => status);
    while (statuses.length < 100) statuses.push(...(await ten()));
    assert.equal(first.seen.length, 100, "the breaker stayed closed");
    const again = second.seen.length;
    assert.ok(again >= 10 && again <= 30, `${again} second attempts of 100 requests`);
    // Who may not be sent again is told what the first origin said.
    assert.deepEqual(
      [statuses.filter((status) => status === 200).length, statuses.filter((status) => status === 503).length],
      [again, 100 - again],
    );
  });
});

describe("regions", () => {
  before(() => gateway.begin());

  const from = async (continent, target) => gateway.sendFrom(continent ? { continent } : {}, { target });

  test("the nearest origin is first", async () => {
    answeredBy(await from("EU", "/regional/x"), second);
    answeredBy(await from("NA", "/regional/x"), first);
    answeredBy(await from("AS", "/regional/x"), first);
    answeredBy(await from(undefined, "/regional/x"), first);
  });

  test("then the next in the region, then another region", async () => {
    await second.die();
    answeredBy(await from("EU", "/regional/x"), third);
    await third.die();
    answeredBy(await from("EU", "/regional/x"), first);
  });

  test("but within a region no other one, whatever is down and wherever the client is", async () => {
    for (const continent of ["EU", "NA", undefined]) answeredBy(await from(continent, "/pinned/x"), second);
    await second.die();
    answeredBy(await from("NA", "/pinned/x"), third);
    await third.die();
    for (const continent of ["EU", "NA", undefined]) {
      const answer = await from(continent, "/pinned/x");
      assert.equal(answer.status, 502);
    }
    assert.deepEqual(first.seen, []);
  });
});

test("weights are shares of the requests", async () => {
  for (let sent = 0; sent < 400; sent += 20) await Promise.all(Array.from({ length: 20 }, () => ask("/weighted/x")));
  assert.equal(first.seen.length + second.seen.length, 400);
  // 300 are expected; 5 standard deviations are 43.
  assert.ok(first.seen.length > 255 && first.seen.length < 345, `${first.seen.length} of 400`);
  await first.die();
  answeredBy(await ask("/weighted/x"), second);
});

describe("a customer with several backends", () => {
  before(() => gateway.begin());

  const customer = async (name, record) => {
    const store = await gateway.store();
    await store.put(kvName(KEYS[name]), JSON.stringify({ subject: name, claims: { customerId: name } }));
    await store.put(`customer:${name}`, JSON.stringify({ customerId: name, ...record }));
  };
  const send = (name, { cf = {}, ...request } = {}) =>
    cf
      ? gateway.sendFrom(cf, { target: "/customer/x", headers: [bearer(KEYS[name])], ...request })
      : ask("/customer/x", { headers: [bearer(KEYS[name])], ...request });

  test("is served by the next where one fails", async () => {
    await customer("several", { backendUrl: `${first.url}/base`, backends: [{ url: second.url }] });
    answeredBy(await send("several"), first);
    assert.equal(first.seen[0].url, "/base/x");
    await first.die();
    answeredBy(await send("several"), second);
    const line = await lineOf(second.seen[0]);
    assert.deepEqual([line.customer, line.backend, line.origin, line.attempt], ["several", "customer", second.url, 2]);
    assert.equal(second.seen[0].headers["x-customer-id"], "several");
    assert.equal(second.seen[0].headers.authorization, undefined);
    assert.equal((await send("several", { cf: undefined, method: "POST", body: "once" })).status, 502);
  });

  test("is served by the nearest", async () => {
    await customer("near", {
      backends: [
        { url: first.url, region: "na" },
        { url: second.url, region: "eu" },
      ],
    });
    answeredBy(await send("near", { cf: { continent: "EU" } }), second);
    answeredBy(await send("near", { cf: { continent: "NA" } }), first);
    await second.die();
    answeredBy(await send("near", { cf: { continent: "EU" } }), first);
  });

  test("is shared out by weight", async () => {
    await customer("shared-out", {
      backends: [
        { url: first.url, weight: 1 },
        { url: second.url, weight: 1 },
      ],
    });
    for (let i = 0; i < 40; i++) await send("shared-out", { cf: undefined });
    assert.equal(first.seen.length + second.seen.length, 40);
    assert.ok(first.seen.length >= 5 && second.seen.length >= 5, `${first.seen.length} of 40`);
  });

  test("is served as if alone beside one whose origins are dead", async () => {
    const dead = "http://127.0.0.1:9";
    await customer("dead", { backends: [{ url: dead }, { url: `${dead}/b` }] });
    // The same dead origin first: what the other has spent and found out is not this one's.
    await customer("beside", { backends: [{ url: dead }, { url: second.url }] });
    for (let i = 0; i < 40; i++) assert.equal((await send("dead", { cf: undefined })).status, 502);
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await send("beside", { cf: undefined })).status);
    assert.deepEqual(statuses, [200, 200, 200, 200]);
    assert.equal(
      (await send("beside", { cf: undefined, method: "POST", body: "once" })).status,
      200,
      "its own three failures count",
    );
  });

  for (const [name, what, record, pointer] of [
    [
      "bad-entry",
      "a bad URL among them",
      () => ({ backends: [{ url: first.url }, { url: "http://backend.example.com" }] }),
      "/backends/1/url",
    ],
    [
      "too-many",
      "more than eight",
      () => ({ backends: Array.from({ length: 9 }, (_, i) => ({ url: `${first.url}/${i}` })) }),
      "/backends",
    ],
    ["none", "none", () => ({ backends: [] }), "backendUrl"],
  ]) {
    test(`is told that the gateway is misconfigured where there is ${what}`, async () => {
      await customer(name, record());
      const answer = await send(name);
      assert.equal(answer.status, 500, answer.text());
      const line = await gateway.log.request(answer.json().instance);
      assert.equal(line.reason, "customer_record_malformed");
      const { message: found } = await gateway.log.event("customer_record_malformed");
      assert.ok(found.includes(`customer:${name}`) && found.includes(pointer), found);
      assert.deepEqual(first.seen, []);
    });
  }
});

describe("a client that leaves", () => {
  before(() => gateway.begin());

  /** Longer than the time after which the gateway watches for it. */
  const WATCHED = 400;
  /** Leaves `wait` milliseconds after its request reached `origin`, while others wait; nobody but it is harmed. */
  const leave = async (target, origin, wait) => {
    third.be(BEHAVIOURS.slow(700));
    const others = Array.from({ length: 5 }, () => ask("/alone/x"));
    const wire = new Wire(gateway.port);
    await wire.write(requestHead({ target }));
    await until(() => origin.seen.length > 0, "the call of the origin");
    await sleep(wait);
    wire.reset();
    for (const answer of await Promise.all(others)) answeredBy(answer, third);
    return origin.seen[0];
  };

  test("in the first attempt ends it, and there is no other", async () => {
    first.be(BEHAVIOURS.hang);
    const line = await lineOf(await leave("/tight/x", first, WATCHED));
    assert.deepEqual([line.status, line.reason, line.origin, line.attempt], [499, "client_left", first.url, 1]);
    await until(() => first.connections() === 0, "the end of the connection to the first origin");
    // Its timeout would be over by now.
    await sleep(700);
    assert.deepEqual(second.seen, []);
    first.be(BEHAVIOURS.ok);
    answeredBy(await ask("/tight/x"), first);
  });

  test("in the second attempt ends it, and there is no third", async () => {
    first.be(BEHAVIOURS.reset);
    second.be(BEHAVIOURS.hang);
    const line = await lineOf(await leave("/regional/x", second, WATCHED));
    assert.deepEqual([line.status, line.reason, line.origin, line.attempt], [499, "client_left", second.url, 2]);
    await until(() => second.connections() === 0, "the end of the connection to the second origin");
    await sleep(700);
    assert.deepEqual(
      third.seen.filter(({ url }) => url.startsWith("/regional")),
      [],
    );
  });

  test("at once ends it too", async () => {
    first.be(BEHAVIOURS.hang);
    await leave("/pair/x", first, 0);
    await until(() => first.connections() === 0, "the end of the connection to the first origin");
    await sleep(FIRST_TIMEOUT);
    assert.deepEqual(second.seen, []);
  });
});

describe("what is edited in answers", () => {
  before(() => gateway.begin());

  const headers = [["Origin", "https://app.example.com"]];
  const isEdited = (answer) => {
    assert.deepEqual(answer.all("access-control-allow-origin"), ["https://app.example.com"]);
    assert.match(answer.get("vary"), /Origin/);
    assert.match(answer.get("x-request-id"), /^[0-9a-f-]{8,}$/);
  };

  test("is edited in those of the second attempt", async () => {
    first.be(BEHAVIOURS.hang);
    second.be((request, response, origin) =>
      response.writeHead(200, { "access-control-allow-origin": "*", "x-origin": origin.name }).end(),
    );
    const answer = await ask("/edited/x", { headers });
    answeredBy(answer, second);
    isEdited(answer);
    const [, gatewayMs, backendMs] = /^gateway;dur=(\d+), backend;dur=(\d+)$/.exec(answer.get("server-timing"));
    assert.ok(backendMs >= FIRST_TIMEOUT, `backend ${backendMs} ms: all attempts together`);
    assert.ok(gatewayMs < MARGIN, `gateway ${gatewayMs} ms`);
  });

  test("and in problems", async () => {
    for (const { strike, status } of [FAULTS["refuses the connection"], FAULTS["hangs beyond its timeout"]]) {
      await strike(first);
      const answer = await ask("/edited/x", { method: "POST", headers });
      assert.equal(answer.status, status);
      isEdited(answer);
      assert.equal(answer.get("x-request-id"), answer.json().instance);
      await first.live();
    }
  });
});

describe("a WebSocket", () => {
  before(() => gateway.begin());

  const open = (target) =>
    new WebSocket(`ws://127.0.0.1:${gateway.port}${target}`, { headers: { host: "gateway.example.com" } });

  test("goes through to the first origin", async () => {
    const socket = open("/pair/socket");
    const echoed = new Promise((resolve, reject) => {
      socket.on("open", () => socket.send("hello"));
      socket.on("message", (data) => resolve(String(data)));
      socket.on("error", reject);
    });
    assert.equal(await echoed, "hello");
    socket.close();
    assert.deepEqual([first.seen.length, second.seen.length], [1, 0]);
    const line = await lineOf(first.seen[0]);
    assert.deepEqual([line.status, line.origin, line.attempt], [101, first.url, 1]);
  });

  test("is asked for once", async () => {
    first.be(BEHAVIOURS.reset);
    const socket = open("/pair/socket");
    const refused = await new Promise((resolve) => {
      socket.on("unexpected-response", (request, response) => resolve(response.statusCode));
      socket.on("open", () => resolve("open"));
      socket.on("error", () => {});
    });
    socket.terminate();
    assert.deepEqual([refused, first.seen.length, second.seen.length], [502, 1, 0]);
  });
});

describe("a Worker that is called by its binding", () => {
  const INNER = `
    export default {
      async fetch(request) {
        if (new URL(request.url).pathname.endsWith("/down")) throw new Error("out of order");
        return Response.json({ url: request.url, method: request.method, headers: [...request.headers], body: await request.text() }, { headers: { "x-origin": "inner" } });
      },
    };`;
  const toml = `
    [api_keys]
    prefixes = ["sk_live"]
    [backends.inner]
    url = "binding:INNER_APP"
    [backends.based]
    url = "binding:INNER_APP/base/v1"
    [backends.backed-up]
    origins = [{ url = "binding:NOT_BOUND" }, { url = "binding:INNER_APP" }]
    ${["inner", "based", "backed-up"]
      .map(
        (name) =>
          `[[routes]]\npath = "/${name}/{+path}"\nauth = ["api_key"]\nrewrite = "/{+path}"\nrules = [{ name = "all", to = "${name}" }]`,
      )
      .join("\n")}`;
  const key = mint("sk_live");
  let bound;
  before(async () => {
    const inner = { name: "inner", modules: true, script: INNER, compatibilityDate: "2026-07-30" };
    bound = await openGateway({ toml, overrides: { serviceBindings: { INNER_APP: "inner" } }, workers: [inner] });
    await (await bound.store()).put(kvName(key), JSON.stringify({ subject: "caller", claims: {} }));
  });
  after(() => bound?.stop());
  beforeEach(() => bound.world.clear());
  const call = (target, request) =>
    bound.send({ target, ...request, headers: [bearer(key), ["X-Custom", "1"], ["X-Subject", "forged"]] });

  test("gets what a backend gets, and nothing goes out", async () => {
    for (const [target, url] of [
      ["/inner/a%2Fb?c=%20d", "https://inner-app.binding/a%2Fb?c=%20d"],
      ["/based/a", "https://inner-app.binding/base/v1/a"],
    ]) {
      for (const [method, body] of [["GET"], ["POST", "a body"], ["DELETE"]]) {
        const answer = await call(target, { method, body });
        assert.equal(answer.status, 200, answer.text());
        const got = answer.json();
        assert.deepEqual([got.url, got.method, got.body], [url, method, body ?? ""]);
        const values = (name) => got.headers.filter(([own]) => own === name).map(([, value]) => value);
        assert.deepEqual(
          [values("x-custom"), values("x-subject"), values("via"), values("authorization")],
          [["1"], ["caller"], ["1.1 pointsman"], []],
        );
        assert.ok(!answer.text().includes(key), "the credential was passed on");
        const line = await bound.log.request(values("x-request-id")[0]);
        assert.deepEqual([line.origin, line.attempt, line.status], ["https://inner-app.binding", 1, 200]);
      }
    }
    assert.deepEqual(bound.world.requests, []);
  });

  test("is 502 where it fails, and fails over like any other", async () => {
    const down = await call("/inner/down");
    assert.equal(down.status, 502, down.text());
    assert.doesNotMatch(down.text(), /out of order/);
    const answer = await call("/backed-up/x");
    assert.deepEqual([answer.status, answer.get("x-origin")], [200, "inner"]);
    assert.deepEqual(bound.world.requests, []);
  });
});

test("twenty seconds of origins that come and go", async () => {
  const { violations, summary } = await runSoak({ seconds: 20 });
  assert.deepEqual(violations, [], summary);
});
