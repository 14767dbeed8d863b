// What happens to requests while the config API and the issuers are slow, broken or away.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { token } from "./support/fixed-world.mjs";
import { until } from "./support/log.mjs";
import {
  CONFIG_API,
  distinct,
  ISSUER,
  MARGIN,
  OTHER_ISSUER,
  openSourcesGateway,
  passed,
  SHARED,
  SOURCE_TIMEOUT,
} from "./support/sources-gateway.mjs";
import { fresh, tokenOf } from "./support/tokens.mjs";

let gateway;
before(async () => {
  gateway = await openSourcesGateway();
});
after(() => gateway?.stop());

const FORMS = { "the list": {}, "by id": { by_id: true } };
const known = () => gateway.status(tokenOf("c-0"), "/customer/y");

const HOSTS = [CONFIG_API, ISSUER, OTHER_ISSUER];
const isConfigApi = ({ headers }) => headers.host === CONFIG_API;
/** What the source would answer, but that there is no end to its white space. */
const tooMuch = (request, response) => {
  const document = isConfigApi(request) ? gateway.world.configApi.customers : gateway.world.issuer.jwks;
  response.end(JSON.stringify(document) + " ".repeat(300 * 1024));
};
const FAULTS = {
  hang: () => {},
  "close the connection": (request) => request.socket.destroy(),
  "answer 500": (request, response) => response.writeHead(500).end("{}"),
  "answer garbage": (request, response) => response.end("<html>"),
  "answer JSON of another kind": (request, response) =>
    response.end(isConfigApi(request) && request.url === "/customers" ? "{}" : "[]"),
  "answer too much": tooMuch,
  redirect: (request, response) => response.writeHead(302, { location: `https://${SHARED}/elsewhere` }).end(),
};

describe("sources that", () => {
  for (const [form, source] of Object.entries(FORMS)) {
    // What one customer is asked for by goes the same way as the list, but for how its answer is read.
    const faults =
      form === "by id" ? ["hang", "answer 500", "answer garbage", "answer JSON of another kind"] : Object.keys(FAULTS);
    for (const fault of faults) {
      test(`${fault} (${form}): what is known goes on, what is not is 503, and both end soon after`, async () => {
        const lives = { fresh: "200ms", stale: "1h" };
        await gateway.begin({ issuers: lives, customers: lives, source });
        assert.equal(await known(), 200);
        const loaded = Date.now();
        for (const host of HOSTS) gateway.world.replace(host, FAULTS[fault]);
        await passed(200, loaded, "fresh");
        gateway.forget();
        const unknown = async (credential, target, reason) => {
          const began = Date.now();
          await gateway.unavailable(credential, target, reason);
          assert.ok(Date.now() - began < SOURCE_TIMEOUT + MARGIN, `503 took ${Date.now() - began} ms`);
        };
        const [seen] = await Promise.all([
          gateway.load(
            { known, token: () => gateway.status(fresh("es256-1")) },
            Date.now() + (fault === "hang" ? 1500 : 400),
          ),
          unknown(tokenOf("c-1"), "/customer/y", "customer_source_unavailable"),
          unknown(token("good-discovered"), "/x/y", "key_set_unavailable"),
        ]);
        assert.deepEqual(distinct(seen.map(({ status }) => status)), [200]);
        assert.ok(gateway.calls(CONFIG_API) > 0 && gateway.calls(ISSUER) > 0, "both were asked meanwhile");
        // A key set is asked for after `fresh` before it is used: by one request at a time, and only its timeout long.
        const slow = seen.filter(({ took }) => took >= SOURCE_TIMEOUT);
        assert.ok(
          slow.length <= gateway.calls(ISSUER),
          `${slow.length} waited for ${gateway.calls(ISSUER)} calls of the issuer`,
        );
        assert.ok(seen.every(({ took }) => took < SOURCE_TIMEOUT + MARGIN));
        assert.ok(
          gateway.world.requests.every(({ url }) => url !== "/elsewhere"),
          "no redirect was followed",
        );
        gateway.world.mend();
        await until(async () => (await gateway.status(tokenOf("c-1"), "/customer/y")) === 200, "the customer", 2500);
        await until(
          async () => (await gateway.status(token("good-discovered"))) === 200,
          "the other issuer's token",
          2500,
        );
      });
    }
  }

  test("hang hold up no request of a customer who is known", async () => {
    await gateway.begin({ customers: { fresh: "300ms", stale: "1h" } });
    assert.equal(await known(), 200);
    gateway.world.replace(CONFIG_API, () => {});
    const seen = await gateway.load({ known, another: known }, Date.now() + 1800);
    assert.deepEqual(distinct(seen.map(({ status }) => status)), [200]);
    assert.ok(gateway.calls(CONFIG_API) >= 2);
    const slowest = Math.max(...seen.map(({ took }) => took));
    assert.ok(slowest < SOURCE_TIMEOUT * 0.8, `one took ${slowest} ms`);
  });
});

test("a config API that is away all the stale time costs known customers no request", async () => {
  await gateway.begin({ customers: { fresh: "1s", stale: "6s" } });
  const began = Date.now();
  for (const id of ["c-0", "c-1", "c-2"]) assert.equal(await gateway.status(tokenOf(id), "/customer/y"), 200);
  gateway.world.replace(CONFIG_API, (request) => request.socket.destroy());
  gateway.forget();
  const customer = (id) => (number) =>
    gateway.status(number % 10 === 0 ? fresh("es256-1", { customerId: id }) : tokenOf(id), "/customer/y");
  const seen = await gateway.load({ a: customer("c-0"), b: customer("c-1"), c: customer("c-2") }, began + 5000);
  assert.deepEqual(distinct(seen.map(({ status }) => status)), [200]);
  assert.ok(seen.length > 300, `${seen.length} requests`);
  const asked = gateway.calls(CONFIG_API);
  assert.ok(asked >= 3 && asked <= 20, `asked ${asked} times: again and again, and not at each request`);
  await until(async () => (await known()) === 503, "the end of stale", 3000);
  await gateway.unavailable(tokenOf("c-0"), "/customer/y", "customer_source_unavailable");
  gateway.tidy();
  await until(async () => (await known()) === 200, "the customer", 6000);
});

describe("an entity tag", () => {
  for (const [form, source] of Object.entries(FORMS)) {
    test(`is sent along, and 304 keeps what is there (${form})`, async () => {
      await gateway.begin({ customers: { fresh: "300ms", stale: "1h" }, source });
      gateway.world.configApi.etags = true;
      const notModified = [];
      const { handle } = gateway.world.configApi;
      gateway.world.replace(CONFIG_API, (request, response) => {
        response.on("finish", () => response.statusCode === 304 && notModified.push(request.headers["if-none-match"]));
        return handle(request, response);
      });
      assert.equal(await known(), 200);
      await until(() => gateway.faults.count("put", "source:customer:c-0") === 1, "the record");
      const written = await gateway.record("source:customer:c-0");
      await until(async () => {
        assert.equal(await known(), 200);
        return notModified.length >= 2;
      }, "304");
      assert.deepEqual(await gateway.record("source:customer:c-0"), written);
      gateway.world.configApi.customers[0] = { ...gateway.world.configApi.customers[0], disabled: true };
      await until(async () => (await known()) === 403, "the change");
      await until(async () => (await gateway.record("source:customer:c-0")).generation === 2, "the changed record");
    });
  }
});
