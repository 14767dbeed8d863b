// Loads that many requests wait for: one of them loads, and all get the result, whoever leaves meanwhile.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { kvName } from "../../demo/keys.mjs";
import { demoKey } from "../../demo/seed.mjs";
import { until } from "./support/log.mjs";
import { CONFIG_API, distinct, ISSUER, openSourcesGateway } from "./support/sources-gateway.mjs";
import { fresh, tokenOf } from "./support/tokens.mjs";

let gateway;
before(async () => {
  gateway = await openSourcesGateway();
});
after(() => gateway?.stop());

const BY_ID = { source: { by_id: true } };
const times = (count, make) => Array.from({ length: count }, (_, i) => make(i));
const isKey = ({ keys: [name] }) => name === kvName(demoKey("acme"));

/** Holds KV's answers to these calls back until the function that it gives is called. */
function holdStore(only) {
  gateway.faults.hang(only);
  return () => gateway.faults.mend();
}

/** What is loaded: [title, configuration, what holds the load up, how often it was begun, a request that needs it,
 *  the entries of KV that it is shared by]. */
const LOADS = [
  [
    "the config API's list",
    {},
    () => gateway.hold(CONFIG_API),
    () => gateway.calls(CONFIG_API),
    () => [fresh("es256-1", { customerId: "c-0" }), "/customer/y"],
    ["source:customer:c-0", "keyset:"],
  ],
  [
    "a customer by id",
    BY_ID,
    () => gateway.hold(CONFIG_API),
    () => gateway.calls(CONFIG_API),
    () => [fresh("es256-1", { customerId: "c-0" }), "/customer/y"],
    ["source:customer:c-0", "keyset:"],
  ],
  [
    "an issuer's keys",
    {},
    () => gateway.hold(ISSUER),
    () => gateway.calls(ISSUER),
    () => [fresh("es256-1"), "/x/y"],
    ["keyset:"],
  ],
  [
    "an API key",
    {},
    () => holdStore(isKey),
    () => gateway.faults.calls.filter(isKey).length,
    () => [demoKey("acme"), "/x/y"],
    [],
  ],
];

describe("100 requests at once, of which nothing is known", () => {
  for (const [what, configuration, hold, begun, request, shares] of LOADS) {
    test(`load ${what} once, and share it through KV once`, async () => {
      await gateway.begin(configuration);
      const release = hold();
      const { statuses } = await gateway.crowd(times(100, request));
      await until(() => begun() > 0, "the load");
      await gateway.roundTrip();
      assert.equal(begun(), 1, "while all wait");
      release();
      assert.deepEqual(distinct(await statuses()), [200]);
      assert.equal(await gateway.status(...request()), 200);
      assert.equal(begun(), 1, "and then no more");
      const { count } = gateway.faults;
      for (const name of shares) await until(() => count("put", name) > 0, `${name} to be written`);
      // The second read looks whether a newer record stands there.
      for (const name of shares) assert.deepEqual([count("get", name), count("put", name)], [2, 1], name);
    });
  }

  describe("of 20 customers", () => {
    const crowd = async () => {
      const crowd = await gateway.crowd(times(100, (i) => [tokenOf(`c-${i % 20}`), "/customer/y"]));
      await until(() => gateway.calls(CONFIG_API) > 0 && gateway.faults.count("get", "customer:") === 20, "the load");
      await gateway.roundTrip();
      assert.equal(gateway.calls(CONFIG_API), 1);
      return crowd;
    };

    test("load the config API's list once", async () => {
      await gateway.begin();
      const release = gateway.hold(CONFIG_API);
      const { statuses } = await crowd();
      release();
      assert.deepEqual(distinct(await statuses()), [200]);
      assert.equal(gateway.calls(CONFIG_API), 1);
      await until(() => gateway.faults.count("put", "source:customer:") === 20, "all records to be written");
    });

    test("are all refused with 503 by the one load that fails", async () => {
      await gateway.begin({ customers: { back_off: "2s" } });
      const release = Promise.withResolvers();
      gateway.world.replace(CONFIG_API, async (request, response) => {
        await release.promise;
        response.writeHead(500).end();
      });
      const { statuses } = await crowd();
      release.resolve();
      assert.deepEqual(distinct(await statuses()), [503]);
      assert.equal(gateway.calls(CONFIG_API), 1);
    });
  });
});

describe("the client whose request began a load leaves: all who wait get its result", () => {
  for (const [what, configuration, hold, begun, request] of LOADS) {
    test(what, async () => {
      await gateway.begin(configuration);
      const release = hold();
      const { wires } = await gateway.crowd([request()]);
      await until(() => begun() > 0, "the load");
      const { statuses } = await gateway.crowd(times(20, request));
      wires[0].reset();
      await gateway.roundTrip();
      release();
      assert.deepEqual(distinct(await statuses()), [200]);
      assert.equal(await gateway.status(...request()), 200);
      assert.equal(begun(), 1);
    });
  }
});
