// The scheduled refresh: KV is brought in line with the config API's list, and requests need not ask it any more.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { kvName, mint } from "../../demo/keys.mjs";
import { until } from "./support/log.mjs";
import { CONFIG_API, customersOf, ISSUER, openSourcesGateway, SHARED } from "./support/sources-gateway.mjs";
import { tokenOf } from "./support/tokens.mjs";

const STATE = "source:customers";
const INDEX = "source:customers:index";

let gateway;
before(async () => {
  gateway = await openSourcesGateway();
});
after(() => gateway?.stop());

/** A fresh isolate beside a config API of so many customers, all of them refreshed. */
async function refreshed(count = 12, change) {
  await gateway.begin(change);
  gateway.world.configApi.customers = customersOf(count);
  await gateway.refresh();
  gateway.forget();
}

const list = (...customers) => (gateway.world.configApi.customers = customers);
const nextIsolate = async (change) => {
  const { customers, etags } = gateway.world.configApi;
  await gateway.begin(change, { keepStore: true });
  Object.assign(gateway.world.configApi, { customers, etags });
};
const requests = (id) => gateway.status(tokenOf(id), "/customer/y");
const names = (records) => Object.keys(records).sort();
/** The names of the records that differ. */
const differing = (before, now) => names({ ...before, ...now }).filter((name) => before[name] !== now[name]);
/** The same without key sets, which are the issuers'. */
const changed = (before, now) => differing(before, now).filter((name) => !name.startsWith("keyset:"));
/** What stands in KV of the customers that customersOf() made. */
const customersIn = (records) =>
  names(records)
    .filter((name) => name.startsWith("source:customer:c-"))
    .map((name) => JSON.parse(records[name]));

/** Runs the refresh, which must leave everything as it is and say why. */
async function changesNothing(why) {
  const before = await gateway.records();
  gateway.log.clear();
  await gateway.refresh();
  assert.deepEqual(changed(before, await gateway.records()), []);
  assert.match((await gateway.log.event("customers_refresh_failed")).message, why);
}

test("it writes every customer of the list, and a second run writes the state alone", async () => {
  const began = Date.now();
  await gateway.begin();
  list(...customersOf(12));
  const before = await gateway.records();
  await gateway.refresh();
  const first = await gateway.records();
  for (const customer of customersOf(12)) {
    const { fetchedAt, generation, ...record } = JSON.parse(first[`source:customer:${customer.customerId}`]);
    assert.deepEqual({ ...record, ...customer }, record);
    assert.equal(generation, 1);
    assert.match(fetchedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    assert.ok(Date.parse(fetchedAt) >= began - 1 && Date.parse(fetchedAt) <= Date.now());
  }
  assert.deepEqual(
    changed(before, first),
    [...customersOf(12).map(({ customerId }) => `source:customer:${customerId}`), STATE, INDEX].sort(),
  );
  assert.match((await gateway.log.event("customers_refreshed")).message, /^12 listed, 12 written, 0 /);
  const state = JSON.parse(first[STATE]);
  assert.deepEqual([state.count, state.generation, state.pending], [12, 1, 0]);

  gateway.forget();
  await gateway.refresh();
  const second = await gateway.records();
  assert.deepEqual(differing(first, second), [STATE]);
  assert.deepEqual(
    gateway.faults.calls.filter(({ method }) => method === "put").flatMap(({ keys }) => keys),
    [STATE],
  );
  assert.ok(JSON.parse(second[STATE]).confirmedAt > state.confirmedAt);
});

test("it writes each issuer's key set", async () => {
  await gateway.begin();
  await gateway.refresh();
  assert.equal(gateway.faults.count("put", "keyset:"), 2);
  await nextIsolate();
  assert.equal(await requests("c-0"), 200);
  assert.equal(gateway.calls(ISSUER), 0);
});

test("a customer that has changed is written anew, with the next generation", async () => {
  await refreshed();
  const before = await gateway.records();
  const changes = customersOf(12);
  changes[3].backendUrl = "https://wayne.tenants.example.com";
  list(...changes);
  await gateway.refresh();
  const now = await gateway.records();
  assert.deepEqual(changed(before, now), ["source:customer:c-3", STATE, INDEX]);
  const { fetchedAt, ...record } = JSON.parse(now["source:customer:c-3"]);
  assert.deepEqual({ ...record, ...changes[3], generation: 2 }, record);
  assert.ok(fetchedAt > JSON.parse(before["source:customer:c-3"]).fetchedAt);
  await nextIsolate();
  assert.equal(await requests("c-3"), 200);
  assert.equal(gateway.called().at(-1).backend, "wayne.tenants");
});

test("a customer that is no longer listed is refused, and let in again when it is listed again", async () => {
  const lives = { customers: { fresh: "300ms", stale: "1h" } };
  await refreshed(12, lives);
  assert.equal(await requests("c-5"), 200);
  list(...customersOf(12).filter(({ customerId }) => customerId !== "c-5"));
  await gateway.refresh();
  const { disabled, gone, generation } = await gateway.record("source:customer:c-5");
  assert.deepEqual({ disabled, gone, generation }, { disabled: true, gone: true, generation: 2 });
  await until(async () => (await requests("c-5")) === 403, "the isolate that knew it to refuse it");
  await nextIsolate();
  gateway.log.clear();
  assert.equal(await requests("c-5"), 403);
  assert.equal((await gateway.log.request()).reason, "customer_disabled");
  assert.equal(await gateway.status(tokenOf("c-5"), "/hybrid/y"), 403);
  assert.deepEqual(gateway.called(), [], "neither its own backend nor a shared one");
  assert.equal(gateway.calls(CONFIG_API), 0);

  list(...customersOf(12));
  await gateway.refresh();
  const back = await gateway.record("source:customer:c-5");
  assert.deepEqual([back.disabled, back.gone, back.generation], [undefined, undefined, 3]);
  await nextIsolate();
  assert.equal(await requests("c-5"), 200);
});

describe("a list that cannot be right changes nothing", () => {
  before(() => refreshed());
  for (const [what, answer, why] of [
    ["an empty one", () => list(), /lists 0 customers and listed 12 before/],
    ["one that has lost more than a fifth", () => list(...customersOf(9)), /lists 9 customers and listed 12 before/],
    [
      "one of customers whom nobody knows",
      () => list({ customerId: "new", backendUrl: "https://acme.tenants.example.com" }),
      /max_removed/,
    ],
    [
      "none at all, but a 500",
      () => gateway.world.replace(CONFIG_API, (request, response) => response.writeHead(500).end("[]")),
      /500/,
    ],
    [
      "a redirect",
      () =>
        gateway.world.replace(CONFIG_API, (request, response) =>
          response.writeHead(302, { location: `https://${SHARED}/` }).end(),
        ),
      /302/,
    ],
    ["an object", () => gateway.world.replace(CONFIG_API, (request, response) => response.end("{}")), /not an array/],
    [
      "half of one",
      () =>
        gateway.world.replace(CONFIG_API, (request, response) =>
          response.end(JSON.stringify(customersOf(12)).slice(0, -20)),
        ),
      /JSON/,
    ],
    [
      "one without an end",
      () =>
        gateway.world.replace(CONFIG_API, (request, response) =>
          response.end(JSON.stringify(customersOf(12)) + " ".repeat(70_000)),
        ),
      /65536/,
    ],
    ["one that does not come", () => gateway.world.replace(CONFIG_API, () => {}), /1000 ms/],
  ]) {
    test(what, async () => {
      gateway.tidy();
      answer();
      await changesNothing(why);
    });
  }

  test("and the next good one counts", async () => {
    gateway.tidy();
    list(...customersOf(13));
    gateway.forget();
    await gateway.refresh();
    assert.equal((await gateway.record("source:customer:c-12")).generation, 1);
    assert.equal((await gateway.record(STATE)).count, 13);
  });
});

test("with max_removed = 100 % a list may lose everybody", async () => {
  await refreshed(12, { source: { max_removed: "100%" } });
  list();
  await gateway.refresh();
  const records = customersIn(await gateway.records());
  assert.deepEqual(
    records.map(({ gone }) => gone),
    Array(12).fill(true),
  );
});

test("a bad entry is named in the log, and keeps nobody else's from being written", async () => {
  await refreshed();
  const before = await gateway.records();
  const entries = customersOf(14);
  entries[3].backendUrl = "ftp://acme.tenants.example.com";
  entries[4].backendUrl = 7;
  entries[5] = { ...entries[5], backendURL: entries[5].backendUrl };
  entries[6].environmentName = "changed";
  list(...entries);
  await gateway.refresh();
  const after = await gateway.records();
  // The records of bad entries are written once more: from now on nothing vouches for them, and they grow old.
  const doubted = ["source:customer:c-3", "source:customer:c-4", "source:customer:c-5"];
  assert.deepEqual(changed(before, after), [
    "source:customer:c-12",
    "source:customer:c-13",
    ...doubted,
    "source:customer:c-6",
    STATE,
    INDEX,
  ]);
  for (const name of doubted)
    assert.equal(JSON.parse(after[name]).backendUrl, JSON.parse(before[name]).backendUrl, name);
  const said = () =>
    gateway.log.lines.filter(({ event }) => event === "customer_record_malformed").map(({ message }) => message);
  await until(() => said().length >= 3, "three warnings");
  for (const [id, pointer] of [
    ["c-3", "/backendUrl"],
    ["c-4", "/4/backendUrl"],
    ["c-5", "/5/backendURL"],
  ]) {
    assert.ok(
      said().some((what) => what.includes(`${id} ${pointer}: `)),
      `${id} ${pointer} in ${said()}`,
    );
  }
  await nextIsolate();
  for (const id of ["c-3", "c-4", "c-5", "c-13"]) assert.equal(await requests(id), 200, id);
  assert.equal(gateway.calls(CONFIG_API), 0);
});

test("while an entry has no customerId that can be read, nobody is taken for gone", async () => {
  await refreshed();
  const before = await gateway.records();
  list(...customersOf(11), { customerid: "c-11", backendUrl: "https://acme.tenants.example.com" });
  await gateway.refresh();
  const after = await gateway.records();
  assert.deepEqual(changed(before, after), ["source:customer:c-11", STATE, INDEX]);
  assert.equal(JSON.parse(after["source:customer:c-11"]).gone, undefined);
  assert.match((await gateway.log.event("customer_record_malformed")).message, /no customerId/);
});

test("an operator's own records decide, whatever the list says, and stay as they are", async () => {
  await gateway.begin();
  const own = (id, more) => [
    `customer:${id}`,
    JSON.stringify({ customerId: id, backendUrl: "https://stark.tenants.example.com", ...more }),
  ];
  const records = [own("c-1"), own("c-2", { disabled: true }), own("not-listed"), ["customer:c-3", "<html>"]];
  const store = await gateway.store();
  // By hand, with an end that KV keeps: no refresh takes it away.
  const expiration = Math.floor(Date.now() / 1000) + 3600;
  for (const [name, text] of records) await store.put(name, text, { expiration, metadata: { note: "mine" } });
  const asTheyWere = async () => {
    for (const [name, text] of records) assert.equal(await store.get(name), text);
    const { keys } = await store.list({ prefix: "customer:" });
    const own = keys.filter(({ expiration: end }) => end !== undefined);
    assert.deepEqual(own.map(({ name }) => name).sort(), names(Object.fromEntries(records)).sort());
    for (const key of own) assert.deepEqual([key.expiration, key.metadata], [expiration, { note: "mine" }], key.name);
    assert.equal(
      keys.some(({ name }) => name === "customer:c-4"),
      false,
      "and no refresh writes there",
    );
  };
  list(...customersOf(12));
  await gateway.refresh();
  await asTheyWere();
  list(...customersOf(12).map((customer) => ({ ...customer, environmentName: "changed" })));
  await gateway.refresh();
  await asTheyWere();
  list(...customersOf(12).filter(({ customerId }) => customerId !== "c-1"));
  await gateway.refresh();
  await asTheyWere();
  await nextIsolate();
  assert.deepEqual(
    await Promise.all(["c-1", "c-2", "c-3", "not-listed", "c-4"].map(requests)),
    [200, 403, 500, 200, 200],
  );
  assert.deepEqual(
    gateway
      .called()
      .map(({ backend }) => backend)
      .sort(),
    ["acme.tenants", "stark.tenants", "stark.tenants"],
  );
});

test("an operator's own record that is taken away gives way to the list at once", async () => {
  await gateway.begin();
  await (await gateway.store()).put(
    "customer:c-1",
    JSON.stringify({ customerId: "c-1", backendUrl: "https://stark.tenants.example.com", disabled: true }),
  );
  list(...customersOf(12));
  await gateway.refresh();
  await nextIsolate();
  assert.equal(await requests("c-1"), 403);
  await (await gateway.store()).delete("customer:c-1");
  await nextIsolate();
  gateway.world.fault("config-api");
  assert.equal(await requests("c-1"), 200);
});

test("records that an older version left under the operator's name count, move, and stay where they are", async () => {
  await gateway.begin();
  const store = await gateway.store();
  const left = {
    ...customersOf(1)[0],
    backendUrl: "https://stark.tenants.example.com",
    fetchedAt: new Date().toISOString(),
    generation: 4,
    scheduled: true,
  };
  await store.put("customer:c-0", JSON.stringify(left));
  list(...customersOf(12));
  assert.equal(await requests("c-0"), 200);
  assert.equal(gateway.called().at(-1).backend, "stark.tenants");
  await gateway.refresh();
  assert.equal((await gateway.record("source:customer:c-0")).generation, 5);
  assert.deepEqual(await gateway.record("customer:c-0"), left);
  await nextIsolate();
  assert.equal(await requests("c-0"), 200);
  assert.equal(gateway.called().at(-1).backend, "acme.tenants");
});

test("after it, no request of a fresh isolate asks the config API", async () => {
  for (const source of [{}, { by_id: true }]) {
    await refreshed(12, { source });
    await nextIsolate({ source });
    gateway.world.fault("config-api");
    for (const { customerId } of customersOf(12)) assert.equal(await requests(customerId), 200);
    assert.equal(gateway.calls(CONFIG_API), 0, JSON.stringify(source));
  }
});

test("who is in no record is listed nowhere if the list says so, which is taken once for all of them", async () => {
  await refreshed();
  await nextIsolate();
  for (const id of ["nobody-inc", "nobody-else"]) {
    const key = mint("sk_live");
    await (await gateway.store()).put(kvName(key), JSON.stringify({ subject: "s", claims: { customerId: id } }));
    assert.equal(await gateway.status(key, "/customer/y"), 403);
    assert.equal(await gateway.status(key, "/hybrid/y"), 200);
  }
  assert.equal(gateway.calls(CONFIG_API), 1);
});

test("records that have not changed are kept fresh by the state alone", async () => {
  const lives = { customers: { fresh: "2s", stale: "1h" } };
  await refreshed(12, lives);
  const store = await gateway.store();
  const old = {
    ...(await gateway.record("source:customer:c-0")),
    fetchedAt: new Date(Date.now() - 1800_000).toISOString(),
  };
  await store.put("source:customer:c-0", JSON.stringify(old));
  await gateway.refresh();
  await nextIsolate(lives);
  assert.equal(await requests("c-0"), 200);
  await gateway.roundTrip();
  assert.equal(gateway.calls(CONFIG_API), 0);
  assert.deepEqual(await gateway.record("source:customer:c-0"), old);
});

describe("the state vouches for nothing that the list does not say", () => {
  /** As a request's own load left it an hour ago. */
  const left = async (id, more) => {
    const record = {
      customerId: id,
      backendUrl: "https://stark.tenants.example.com",
      fetchedAt: new Date(Date.now() - 3600_000).toISOString(),
      generation: 1,
    };
    await (await gateway.store()).put(`source:customer:${id}`, JSON.stringify({ ...record, ...more }));
  };

  test("neither for a customer whom a request had loaded, and who was taken off before the first refresh", async () => {
    const lives = { customers: { fresh: "1m", stale: "24h" } };
    await gateway.begin(lives);
    list(...customersOf(12));
    await left("taken-off");
    await gateway.refresh();
    await nextIsolate(lives);
    await requests("taken-off");
    await until(async () => (await requests("taken-off")) === 403, "the customer to be refused", 1500);
  });

  test("nor for what a request had loaded, and was taken back before the next refresh", async () => {
    const lives = { customers: { fresh: "1m", stale: "24h" } };
    await refreshed(12, lives);
    await left("c-3", { generation: 2 });
    await gateway.refresh();
    await nextIsolate(lives);
    const backend = async () => {
      assert.equal(await requests("c-3"), 200);
      return gateway.called().at(-1).backend;
    };
    await until(async () => (await backend()) === "acme.tenants", "what the list says", 1500);
  });

  for (const [what, entry] of [
    ["whose entry cannot be used", { customerId: "c-12", backendUrl: 7 }],
    [
      "whose entry may be one without a customerId",
      { customerID: "c-12", backendUrl: "https://acme.tenants.example.com" },
    ],
  ]) {
    test(`nor is a customer ${what} taken for one who is not listed`, async () => {
      await gateway.begin();
      list(...customersOf(12), entry);
      const without = await gateway.status(tokenOf("c-12"), "/hybrid/y");
      await gateway.refresh();
      await nextIsolate();
      assert.equal(await gateway.status(tokenOf("c-12"), "/hybrid/y"), without, "as without a refresh");
      assert.deepEqual(gateway.called(), [], "never the shared backend");
    });
  }
});

describe("an entity tag", () => {
  const run = async () => {
    const sent = gateway.world.requests.length;
    await gateway.refresh();
    return gateway.world.requests
      .slice(sent)
      .filter(({ host }) => host === CONFIG_API)
      .map(({ headers }) => headers.find(([name]) => name.toLowerCase() === "if-none-match")?.[1]);
  };
  before(async () => {
    await gateway.begin();
    Object.assign(gateway.world.configApi, { customers: customersOf(12), etags: true });
  });

  test("is sent along; 304 confirms all records and writes the state alone", async () => {
    assert.deepEqual(await run(), [undefined]);
    const first = await gateway.records();
    const { etag, confirmedAt, ...state } = JSON.parse(first[STATE]);
    assert.match(etag, /^"[0-9a-f]{64}"$/);
    assert.deepEqual(await run(), [etag]);
    const second = await gateway.records();
    assert.deepEqual(changed(first, second), [STATE]);
    const now = JSON.parse(second[STATE]);
    assert.deepEqual({ ...now, confirmedAt: "" }, { ...state, etag, confirmedAt: "" });
    assert.ok(now.confirmedAt > confirmedAt);
  });

  test("of an older list gets the new one", async () => {
    const { etag } = await gateway.record(STATE);
    list(...customersOf(13));
    assert.deepEqual(await run(), [etag]);
    assert.equal((await gateway.record("source:customer:c-12")).generation, 1);
    assert.notEqual((await gateway.record(STATE)).etag, etag);
  });

  test("is not sent while records are still to be written", async () => {
    list(...customersOf(14));
    gateway.faults.fail(({ method, keys: [name] }) => method === "put" && name === "source:customer:c-13");
    await run();
    assert.equal((await gateway.records())["source:customer:c-13"], undefined);
    gateway.faults.mend();
    const before = await gateway.records();
    await run();
    assert.deepEqual(changed(before, await gateway.records()), ["source:customer:c-13", STATE, INDEX]);
  });
});

test("a run that KV breaks off is finished by the next, and nothing is written twice", async () => {
  await gateway.begin();
  list(...customersOf(30));
  gateway.faults.fail(({ method, keys: [name] }) => method === "put" && name === "source:customer:c-20");
  await gateway.refresh();
  await gateway.log.event("customers_refresh_failed");
  const broken = await gateway.records();
  assert.equal(broken[STATE], undefined, "nothing is confirmed");
  gateway.faults.mend();
  await gateway.refresh();
  const records = customersIn(await gateway.records());
  assert.deepEqual(
    records.map(({ generation }) => generation),
    Array(30).fill(1),
  );
  assert.equal((await gateway.record(STATE)).count, 30);
});

test("one that a request's own load has overtaken leaves the newer record", async () => {
  await refreshed();
  const store = await gateway.store();
  const release = gateway.hold(CONFIG_API);
  list(...customersOf(12).map((customer) => ({ ...customer, environmentName: "of the slow list" })));
  const run = gateway.refresh();
  await until(() => gateway.calls(CONFIG_API) > 0, "the list to be asked for");
  const newer = JSON.stringify({
    ...(await gateway.record("source:customer:c-0")),
    fetchedAt: new Date(Date.now() + 5000).toISOString(),
    generation: 9,
  });
  await store.put("source:customer:c-0", newer);
  release();
  await run;
  assert.equal(await store.get("source:customer:c-0"), newer);
  assert.equal((await gateway.record("source:customer:c-1")).generation, 2);
});
