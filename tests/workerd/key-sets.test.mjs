// Issuers' keys over time: rotation under load, and what isolates share of them through KV.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { json } from "./support/files.mjs";
import { until } from "./support/log.mjs";
import { CONFIG_API, configuration, distinct, ISSUER, openSourcesGateway } from "./support/sources-gateway.mjs";
import { fresh, signed, signedBy } from "./support/tokens.mjs";

let gateway;
before(async () => {
  gateway = await openSourcesGateway();
});
after(() => gateway?.stop());

const [OLD] = json("fixtures/keys/issuer.jwks.json").keys;
const [NEW] = json("fixtures/keys/issuer-rotated.jwks.json").keys;
const publish = (...keys) => {
  gateway.world.issuer.jwks = { keys };
  return Date.now();
};

/** What two busy cores may add to a time that is measured from outside. */
const LATE = 300;

test("keys change under load: no good token is refused after the cooldown, and none of an old key accepted after fresh", async () => {
  const [cooldown, life] = [1000, 2000];
  await gateway.begin({ issuers: { cooldown: `${cooldown}ms`, fresh: `${life}ms` } });
  publish(OLD);
  // Each way with a token that is verified each time, and one that the isolate has seen before.
  const ways = {
    old: (number) => gateway.status(number % 2 ? fresh(OLD.kid) : signed(OLD.kid)),
    new: (number) => gateway.status(number % 2 ? fresh(NEW.kid) : signed(NEW.kid)),
  };
  assert.equal(await ways.old(), 200);
  const seen = [];
  const during = async (milliseconds, chosen) => seen.push(...(await gateway.load(chosen, Date.now() + milliseconds)));
  await during(300, { old: ways.old });
  const added = publish(OLD, NEW);
  await during(cooldown + 700, ways);
  const withdrawn = publish(NEW);
  await during(life + 900, ways);

  const at = ({ way, at, took, status }) =>
    `${status} for a token of the ${way} key, ${at - added} ms after the rotation, in ${took} ms`;
  const refusedNew = seen.filter(({ way, status, at }) => way === "new" && status !== 200 && at > added + cooldown);
  assert.deepEqual(refusedNew.map(at), []);
  const refusedOld = seen.filter(
    ({ way, status, at, took }) => way === "old" && status !== 200 && at + took < withdrawn,
  );
  assert.deepEqual(refusedOld.map(at), []);
  const acceptedOld = seen.filter(({ way, status, at }) => way === "old" && status === 200 && at > withdrawn + life);
  assert.deepEqual(acceptedOld.map(at), []);
  assert.ok(
    seen.some(({ way, status, at }) => way === "old" && status === 401 && at > withdrawn),
    "the old key stopped",
  );
  assert.deepEqual(
    distinct(seen.map(({ status }) => status)).filter((status) => status !== 200),
    [401],
  );
  // Two in the first second at the most, and then one a cooldown or one each half of fresh.
  const asked = gateway.calls(ISSUER);
  assert.ok(asked >= 3 && asked <= 8, `asked ${asked} times in ${Date.now() - added} ms`);
});

test("a key that takes the place of another under its name works after the cooldown", async () => {
  await gateway.begin({ issuers: { cooldown: "1s", fresh: "1h" } });
  publish(OLD);
  assert.equal(await gateway.status(fresh(OLD.kid)), 200);
  const stranger = { ...NEW, kid: OLD.kid };
  const changed = publish(stranger);
  const renamed = () => gateway.status(fresh(NEW.kid, {}, OLD.kid));
  await until(async () => (await renamed()) === 200, "the other key");
  assert.ok(Date.now() - changed < 1000 + LATE, `it took ${Date.now() - changed} ms`);
  assert.equal(await gateway.status(fresh(OLD.kid)), 401);
});

// ---- Sets as issuers write them

/** A pair whose x begins with a byte of zero, and its public key written without that. */
function shortPair(namedCurve) {
  for (;;) {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
    const jwk = publicKey.export({ format: "jwk" });
    const x = Buffer.from(jwk.x, "base64url");
    if (x[0] === 0)
      return { privateKey, jwk: { ...jwk, x: x.subarray(x.findIndex((byte) => byte !== 0)).toString("base64url") } };
  }
}

test("coordinates without their leading zeros, in plain base64 and with members that are null", async () => {
  const algorithms = { ES256: "P-256", ES384: "P-384", ES512: "P-521" };
  const pairs = Object.entries(algorithms).map(([alg, curve]) => ({ alg, ...shortPair(curve) }));
  await gateway.begin({ issuers: { algorithms: Object.keys(algorithms) } });
  const plain = (text) => `${text.replaceAll("-", "+").replaceAll("_", "/")}${"=".repeat(-text.length & 3)}`;
  publish(
    ...pairs.map(({ alg, jwk }) => ({
      ...jwk,
      kid: alg,
      use: null,
      d: null,
      key_ops: [],
      x: plain(jwk.x),
      y: plain(jwk.y),
    })),
  );
  for (const { alg, privateKey } of pairs)
    assert.equal(await gateway.status(signedBy(privateKey, { alg, kid: alg })), 200, alg);
});

test("without a name on either side, at most four keys are tried, in the first request and in later ones", async () => {
  const pairs = Array.from({ length: 5 }, () => generateKeyPairSync("ec", { namedCurve: "P-256" }));
  const jwks = pairs.map(({ publicKey }, index) => ({ ...publicKey.export({ format: "jwk" }), kid: `k${index}` }));
  const without = jwks.map(({ kid, ...jwk }) => jwk);
  let number = 0;
  const status = ({ privateKey }, kid) =>
    gateway.status(signedBy(privateKey, { alg: "ES256", kid }, { jti: `several-${++number}` }));
  for (const [set, kid] of [
    [jwks, undefined],
    [without, undefined],
    [without, "made-up"],
  ]) {
    await gateway.begin();
    publish(...set.slice(0, 4));
    // The first round imports the keys, and the next ones find them imported.
    for (let round = 0; round < 3; round++)
      for (const pair of pairs.slice(0, 4)) assert.equal(await status(pair, kid), 200);
    assert.equal(await status(pairs[4], kid), 401);
    await gateway.begin();
    publish(...set);
    assert.equal(await status(pairs[0], kid), 401, "five are too many");
  }
  await gateway.begin();
  publish(...jwks.slice(0, 2));
  assert.equal(await status(pairs[0], "k1"), 401, "no key of another name");
  assert.equal(await status(pairs[1], "k1"), 200);
});

test("a token that was verified by one of several keys stops when that key is withdrawn", async () => {
  await gateway.begin({ issuers: { fresh: "1s", cooldown: "100ms" } });
  publish(OLD, NEW);
  const tokens = [OLD, NEW].map(({ kid }) => signed(kid, { jti: "kidless" }, null));
  for (const token of [...tokens, ...tokens]) assert.equal(await gateway.status(token), 200);
  publish(NEW);
  await until(async () => (await gateway.status(tokens[0])) === 401, "the withdrawal");
  assert.equal(await gateway.status(tokens[1]), 200);
});

test("a set without usable keys is what the issuer says: its tokens are refused within fresh", async () => {
  for (const keys of [[], [{ ...OLD, use: "enc" }], [{ kty: "oct", k: "AA" }]]) {
    await gateway.begin({ issuers: { fresh: "1s" } });
    publish(OLD);
    const token = signed(OLD.kid);
    assert.equal(await gateway.status(token), 200);
    const withdrawn = publish(...keys);
    await until(async () => (await gateway.status(token)) === 401, "the withdrawal");
    assert.ok(Date.now() - withdrawn < 1000 + LATE, `it took ${Date.now() - withdrawn} ms`);
    await gateway.log.event("key_set_is_empty");
  }
});

test("an issuer and a config API behind a firewall that wants a User-Agent are asked with one", async () => {
  await gateway.begin();
  const agents = [];
  for (const [host, handler] of [
    [ISSUER, "issuer"],
    [CONFIG_API, "configApi"],
  ]) {
    gateway.world.replace(host, (request, response) => {
      agents.push(request.headers["user-agent"]);
      if (request.headers["user-agent"] === undefined) return response.writeHead(403).end();
      return gateway.world[handler].handle(request, response);
    });
  }
  assert.equal(await gateway.status(signed(OLD.kid, { customerId: "c-1" }), "/customer/x"), 200);
  assert.deepEqual(distinct(agents.map((agent) => /^pointsman\/\d+\.\d+\.\d+$/.test(agent))), [true], String(agents));
});

test("a redirect of the issuer is told with its place and without its query", async () => {
  await gateway.begin();
  gateway.world.replace(ISSUER, (request, response) =>
    response.writeHead(302, { location: "https://u:secret@login.example.com/a?state=secret" }).end(),
  );
  await gateway.unavailable(signed(OLD.kid), "/x/y", "key_set_unavailable");
  assert.match(
    (await gateway.log.event("key_set_failed")).message,
    /302, a redirect to https:\/\/login\.example\.com\/a$/,
  );
});

test("a clock that is three seconds ahead refuses nobody, and exp is not stretched for it", async () => {
  await gateway.begin();
  const now = Math.floor(Date.now() / 1000);
  assert.equal(await gateway.status(signed(OLD.kid, { nbf: now + 3 })), 200);
  assert.equal(await gateway.status(signed(OLD.kid, { nbf: now + 60 })), 401);
  assert.equal(await gateway.status(signed(OLD.kid, { exp: now })), 401);
});

// ---- Shared between isolates

describe("a key set in KV", () => {
  const HOUR = 3600_000;
  const name = async () => Object.keys(await gateway.records()).find((key) => key.startsWith("keyset:"));
  /** One isolate loads the set, and the next one finds it in KV as `change` left it. */
  const handOver = async (change = (record) => record, lives = {}) => {
    await gateway.begin(lives);
    assert.equal(await gateway.status(signed(OLD.kid)), 200);
    await until(() => gateway.faults.count("put", "keyset:") === 1, "the key set to be shared");
    const key = await until(name, "the key set in KV");
    const record = change(await gateway.record(key));
    const store = await gateway.store();
    await store.put(key, typeof record === "string" ? record : JSON.stringify(record));
    await gateway.begin(lives, { keepStore: true });
  };
  const aged = (milliseconds) => (record) => ({
    ...record,
    fetchedAt: new Date(Date.parse(record.fetchedAt) - milliseconds).toISOString(),
  });
  const good = async () => assert.equal(await gateway.status(fresh(OLD.kid)), 200);
  const down = () => gateway.world.fault("issuer");

  test("spares the next isolate the issuer while it is fresh", async () => {
    await handOver();
    await Promise.all(Array.from({ length: 20 }, good));
    assert.equal(gateway.calls(ISSUER), 0);
    assert.equal(gateway.faults.count("put", "keyset:"), 0);
  });

  test("serves while the issuer is down, up to stale", async () => {
    for (const age of [0, HOUR, 23 * HOUR]) {
      await handOver(aged(age));
      down();
      await good();
      assert.equal(gateway.calls(ISSUER), age === 0 ? 0 : 1);
      await good();
    }
    await handOver(aged(25 * HOUR));
    down();
    await gateway.unavailable(fresh(OLD.kid), "/x/y", "key_set_unavailable");
  });

  test("is made anew where it is not fresh", async () => {
    await handOver(aged(HOUR));
    const loaded = Date.now();
    await good();
    assert.equal(gateway.calls(ISSUER), 1);
    const fetchedAt = async () => Date.parse((await gateway.record(await name())).fetchedAt);
    await until(async () => (await fetchedAt()) >= loaded - LATE, "the new one");
  });

  test("does not lengthen the life of a withdrawn key", async () => {
    const life = 1000;
    await handOver(undefined, { issuers: { fresh: `${life}ms` } });
    const withdrawn = publish(NEW);
    const seen = await gateway.load({ old: () => gateway.status(fresh(OLD.kid)) }, withdrawn + life + 500);
    const accepted = seen.filter(({ status, at }) => status === 200 && at > withdrawn + life);
    assert.deepEqual(accepted, []);
    assert.equal(seen.at(-1).status, 401);
  });

  test("lets a new key in after the cooldown, from when the issuer was asked by whichever isolate", async () => {
    await handOver(aged(40_000));
    publish(OLD, NEW);
    assert.equal(await gateway.status(fresh(NEW.kid)), 200, "the cooldown of 30 s is over");
    assert.equal(gateway.calls(ISSUER), 1);
    await handOver();
    publish(OLD, NEW);
    assert.equal(await gateway.status(fresh(NEW.kid)), 401, "it is not");
    assert.equal(gateway.calls(ISSUER), 0);
  });

  for (const [what, change] of [
    ["that cannot be read", () => "<html>"],
    ["with a member more", (record) => ({ ...record, more: 1 })],
    ["that is no set", (record) => ({ ...record, set: [] })],
    ["without a time", ({ set }) => ({ set })],
    ["out of the future", aged(-HOUR)],
  ]) {
    test(`${what} is not used: the issuer is asked`, async () => {
      await handOver(change);
      await good();
      assert.equal(gateway.calls(ISSUER), 1);
      assert.ok((await gateway.log.event("key_set_store_failed")).message.includes("keyset:"));
    });
  }

  test("is not used for another place that the issuer's keys are said to be at", async () => {
    await handOver();
    const moved = JSON.parse(configuration());
    moved.issuers[0].jwks_url = `https://${ISSUER}/.well-known/jwks.json?elsewhere`;
    await gateway.restart({ gateway: JSON.stringify(moved), keepStore: true });
    gateway.forget();
    await good();
    assert.equal(gateway.calls(ISSUER), 1);
  });
});
