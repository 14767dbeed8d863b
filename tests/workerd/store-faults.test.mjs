// What happens to requests while KV fails, hangs or is slow: a failure is never taken for "no such entry".
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { kvName, mint } from "../../demo/keys.mjs";
import { demoKey } from "../../demo/seed.mjs";
import { until } from "./support/log.mjs";
import { CONFIG_API, distinct, MARGIN, openSourcesGateway, passed, SHARED } from "./support/sources-gateway.mjs";
import { fresh, tokenOf } from "./support/tokens.mjs";

const STORE_TIMEOUT = 300;
const STORE = { timeout: `${STORE_TIMEOUT}ms` };

let gateway;
let faults;
before(async () => {
  gateway = await openSourcesGateway();
  ({ faults } = gateway);
});
after(() => gateway?.stop());

const begin = (change) => gateway.begin({ store: STORE, ...change });
const FAULTS = { fails: () => faults.fail(), hangs: () => faults.hang() };
const longest = (seen) => Math.max(...seen.map(({ took }) => took));

async function refusedInTime(credential, target, reason) {
  const began = Date.now();
  await gateway.unavailable(credential, target, reason);
  // A request for a customer reads its key's entry and then the customer's.
  assert.ok(Date.now() - began < 2 * STORE_TIMEOUT + MARGIN, `503 took ${Date.now() - began} ms`);
}

for (const [how, begins] of Object.entries(FAULTS)) {
  describe(`KV ${how}`, () => {
    beforeEach(() => begin());

    test("a key that the isolate does not know is 503, and 200 with the next request after KV is back", async () => {
      begins();
      for (let i = 0; i < 3; i++) await refusedInTime(demoKey("acme"), "/x/y", "key_store_unavailable");
      faults.mend();
      assert.equal(await gateway.status(demoKey("acme")), 200);
    });

    test("a key that is in no entry is 503 as well, and 401 when KV is back", async () => {
      const key = mint("sk_live");
      begins();
      await refusedInTime(key, "/x/y", "key_store_unavailable");
      faults.mend();
      assert.equal(await gateway.status(key), 401);
    });

    test("known keys and customers do not notice", async () => {
      const lives = { fresh: "200ms", stale: "1h" };
      await begin({ keys: lives, customers: lives });
      const ways = {
        key: () => gateway.status(demoKey("acme")),
        customer: () => gateway.status(demoKey("wayne"), "/customer/y"),
        loaded: () => gateway.status(tokenOf("c-0"), "/customer/y"),
      };
      for (const ask of Object.values(ways)) assert.equal(await ask(), 200);
      begins();
      gateway.forget();
      const seen = await gateway.load(ways, Date.now() + 1200);
      assert.deepEqual(distinct(seen.map(({ status }) => status)), [200]);
      assert.ok(faults.count("get", "key:") > 0 && faults.count("get", "customer:") > 0, "KV was asked meanwhile");
      // A key is asked for after `fresh` before it is used: by one request at a time, and only KV's timeout long.
      assert.ok(longest(seen) < STORE_TIMEOUT + MARGIN, `one took ${longest(seen)} ms`);
      const waited = seen.filter(({ way, took }) => way === "loaded" && took >= STORE_TIMEOUT + MARGIN / 2);
      assert.deepEqual(waited, [], "a customer is never waited for");
    });

    test("a customer that the isolate does not know is 503 and nobody else's, and 200 with the next request after", async () => {
      begins();
      for (const target of ["/customer/y", "/hybrid/y"]) {
        await refusedInTime(tokenOf("c-0"), target, "customer_source_unavailable");
        await refusedInTime(tokenOf("acme-corp"), target, "customer_source_unavailable");
      }
      assert.deepEqual(gateway.called(), []);
      assert.equal(gateway.calls(CONFIG_API), 0, "whether an operator's own record stands in KV is not known");
      faults.mend();
      assert.equal(await gateway.status(tokenOf("c-0"), "/hybrid/y"), 200);
      assert.equal(await gateway.status(tokenOf("acme-corp"), "/hybrid/y"), 200);
      assert.ok(gateway.called().every(({ host }) => host !== SHARED));
      assert.equal(await gateway.status(tokenOf("nobody-inc"), "/hybrid/y"), 200);
      assert.equal(gateway.called().at(-1).host, SHARED, "who is listed nowhere goes there");
    });

    test("an issuer's keys are had from the issuer", async () => {
      begins();
      assert.equal(await gateway.status(fresh("es256-1")), 200);
      assert.ok((await gateway.log.event("key_set_store_failed")).message.startsWith("main: "));
      faults.mend();
    });

    test("the scheduled refresh changes nothing and says so", async () => {
      begins();
      const before = await gateway.records();
      await gateway.refresh();
      await gateway.log.event("customers_refresh_failed");
      assert.deepEqual(await gateway.records(), before);
    });
  });
}

test("100 requests that wait for a read of KV are all refused when it fails, by that one", async () => {
  await begin({ store: { timeout: "1s" } });
  faults.hang();
  const { statuses } = await gateway.crowd(Array.from({ length: 100 }, () => [demoKey("acme"), "/x/y"]));
  assert.deepEqual(distinct(await statuses()), [503]);
  assert.equal(faults.count("get", "key:"), 1);
  faults.mend();
  assert.equal(await gateway.status(demoKey("acme")), 200);
});

describe("KV fails for longer than", () => {
  test("stale: a key that was known is 503 and not 401, and 200 with the next request after KV is back", async () => {
    await begin({ keys: { fresh: "200ms", stale: "800ms", back_off: "2s" } });
    assert.equal(await gateway.status(demoKey("acme")), 200);
    const known = Date.now();
    faults.fail();
    const seen = await gateway.load({ key: () => gateway.status(demoKey("acme")) }, known + 700);
    assert.deepEqual(distinct(seen.map(({ status }) => status)), [200]);
    await until(async () => (await gateway.status(demoKey("acme"))) === 503, "the end of stale", 2000);
    await gateway.unavailable(demoKey("acme"), "/x/y", "key_store_unavailable");
    faults.mend();
    assert.equal(await gateway.status(demoKey("acme")), 200);
  });

  test("a key was known to be nobody's: it is 503 then, and 200 with the next request after it was made", async () => {
    await begin({ keys: { fresh: "200ms", stale: "1h", back_off: "2s" } });
    const key = mint("sk_live");
    assert.equal(await gateway.status(key), 401);
    const refused = Date.now();
    faults.fail();
    await passed(200, refused, "the time that a refusal is remembered");
    await gateway.unavailable(key, "/x/y", "key_store_unavailable");
    faults.mend();
    await (await gateway.store()).put(kvName(key), JSON.stringify({ subject: "s" }));
    assert.equal(await gateway.status(key), 200);
  });

  test("stale: a customer that was known is 503, and 200 with the next request after KV is back", async () => {
    await begin({ customers: { fresh: "200ms", stale: "800ms", back_off: "2s" } });
    assert.equal(await gateway.status(tokenOf("acme-corp"), "/hybrid/y"), 200);
    faults.fail();
    await until(
      async () => (await gateway.status(tokenOf("acme-corp"), "/hybrid/y")) === 503,
      "the end of stale",
      3000,
    );
    assert.ok(gateway.called().every(({ host }) => host !== SHARED));
    faults.mend();
    assert.equal(await gateway.status(tokenOf("acme-corp"), "/hybrid/y"), 200);
  });
});

test("KV that is slow, but not too slow, is waited for", async () => {
  await begin();
  faults.slow(100);
  assert.equal(await gateway.status(demoKey("acme"), "/customer/y"), 200);
  assert.equal(await gateway.status(tokenOf("c-0"), "/customer/y"), 200);
});

test("KV that cannot be written to costs no request", async () => {
  await begin();
  faults.fail(({ method }) => method === "put");
  assert.equal(await gateway.status(tokenOf("c-0"), "/customer/y"), 200);
  assert.equal(await gateway.status(tokenOf("c-0"), "/customer/y"), 200);
  await gateway.log.event("store_write_failed");
});

// ---- What is written, and over what

describe("a load that comes to its end late", () => {
  const RECORD = { customerId: "c-0", backendUrl: "https://wayne.tenants.example.com" };
  const at = (milliseconds) => new Date(Date.now() + milliseconds).toISOString();
  for (const [form, source] of [
    ["the list", {}],
    ["by id", { by_id: true }],
  ]) {
    for (const [what, name, there, stays] of [
      [
        "leaves a newer record",
        "source:customer:c-0",
        () => ({ ...RECORD, fetchedAt: at(10_000), generation: 7 }),
        true,
      ],
      [
        "takes the place of an older one",
        "source:customer:c-0",
        () => ({ ...RECORD, fetchedAt: at(-3600_000), generation: 7 }),
        false,
      ],
      [
        "takes the place of one whose time lies ahead",
        "source:customer:c-0",
        () => ({ ...RECORD, fetchedAt: at(3600_000), generation: 7 }),
        false,
      ],
    ]) {
      test(`${what} (${form})`, async () => {
        await begin({ source });
        const release = gateway.hold(CONFIG_API);
        const { statuses } = await gateway.crowd([[tokenOf("c-0"), "/customer/y"]]);
        await until(() => gateway.calls(CONFIG_API) > 0, "the load");
        const store = await gateway.store();
        const written = JSON.stringify(there());
        await store.put(name, written);
        release();
        assert.deepEqual(await statuses(), [200]);
        if (stays) {
          await until(() => faults.count("get", name) === 2, "the look at what stands there");
          await gateway.roundTrip();
        } else {
          await until(() => faults.count("put", name) === 1, "the record");
          await until(async () => (await store.get(name)) !== written, "the record");
        }
        assert.equal(faults.count("put", name), stays ? 0 : 1);
        assert.equal((await store.get(name)) === written, stays);
        await store.delete(name);
      });
    }

    // Its location still has the miss, or the operator came in between: the load cannot know.
    test(`leaves an operator's own record alone, which counts from then on (${form})`, async () => {
      await begin({ source });
      const release = gateway.hold(CONFIG_API);
      const { statuses } = await gateway.crowd([[tokenOf("c-0"), "/customer/y"]]);
      await until(() => gateway.calls(CONFIG_API) > 0, "the load");
      const store = await gateway.store();
      const written = JSON.stringify({ ...RECORD, disabled: true });
      await store.put("customer:c-0", written);
      release();
      assert.deepEqual(await statuses(), [200]);
      await until(async () => (await store.get("source:customer:c-0")) !== null, "the record of the config API");
      assert.equal(await store.get("customer:c-0"), written);
      assert.equal(faults.count("put", "customer:"), 0);
      await gateway.begin({ store: STORE, source }, { keepStore: true });
      assert.equal(await gateway.status(tokenOf("c-0"), "/customer/y"), 403);
      const again = await gateway.store();
      for (const name of ["customer:c-0", "source:customer:c-0"]) await again.delete(name);
    });
  }
});
