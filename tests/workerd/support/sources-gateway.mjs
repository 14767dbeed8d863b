// A gateway whose records come from KV, the config API and two issuers, with short lives, and KV that fails on demand.
import assert from "node:assert/strict";
import { createFaultyStore } from "./faulty-store.mjs";
import { json } from "./files.mjs";
import { DISCOVERY_HOST } from "./fixed-world.mjs";
import { bearer, openGateway } from "./gateway.mjs";
import { until } from "./log.mjs";
import { answerTo, requestHead, Wire } from "./wire.mjs";

export const ISSUER = "id.example.com";
export const OTHER_ISSUER = DISCOVERY_HOST;
export const CONFIG_API = "config.example.com";
export const SHARED = "shared.backends.example.com";
/** Of the config API and the issuers, in milliseconds. */
export const SOURCE_TIMEOUT = 1000;
/** What two busy cores may add to any wait. */
export const MARGIN = 900;

const issuer = (name, iss, jwksUrl, change) => ({
  name,
  issuer: iss,
  audience: "https://api.example.com",
  jwks_url: jwksUrl,
  algorithms: ["ES256"],
  timeout: `${SOURCE_TIMEOUT}ms`,
  back_off: "100ms",
  ...change,
});

/** The configuration as JSON. Each argument changes members of one section. */
export const configuration = ({ keys, issuers, customers, source, store = {} } = {}) => {
  const auth = ["api_key", "main", "other"];
  return JSON.stringify({
    store,
    api_keys: { prefixes: ["sk_live", "sk_test"], back_off: "100ms", ...keys },
    issuers: [
      issuer("main", `https://${ISSUER}/`, `https://${ISSUER}/.well-known/jwks.json`, issuers),
      issuer("other", `https://${OTHER_ISSUER}`, `https://${OTHER_ISSUER}/keys`, issuers),
    ],
    customers: {
      back_off: "100ms",
      ...customers,
      source: {
        url: "${CUSTOMER_CONFIG_API_URL}",
        token: "${CONFIG_API_TOKEN}",
        timeout: `${SOURCE_TIMEOUT}ms`,
        max_size: "64KB",
        ...source,
      },
    },
    backends: { shared: { url: "${SHARED_BACKEND_URL}" } },
    routes: [
      { path: "/open/{+path}", auth: [], rules: [{ name: "all", to: "shared" }] },
      { path: "/x/{+path}", auth, rules: [{ name: "all", to: "shared" }] },
      { path: "/customer/{+path}", auth, rules: [{ name: "customer", to: "customer" }] },
      {
        path: "/hybrid/{+path}",
        auth,
        rules: [
          { name: "customer", to: "customer", unlisted: "next" },
          { name: "rest", to: "shared" },
        ],
      },
    ],
  });
};

/** Customers of the config API: c-0, c-1 and so on. */
export const customersOf = (count) =>
  Array.from({ length: count }, (_, i) => ({
    customerId: `c-${i}`,
    environmentName: `e-${i}`,
    backendUrl: "https://acme.tenants.example.com",
  }));

export async function openSourcesGateway() {
  const faults = createFaultyStore();
  const gateway = await openGateway({ gateway: configuration(), faults });
  const { world, log } = gateway;
  const handlers = {
    [ISSUER]: (...given) => world.issuer.handle(...given),
    [CONFIG_API]: (...given) => world.configApi.handle(...given),
  };

  const own = {
    faults,
    /** A fresh isolate with this configuration, a world in order, and nothing noted yet. */
    async begin(change, options) {
      own.tidy();
      await gateway.restart({ gateway: configuration(change), ...options });
      own.forget();
    },
    tidy() {
      world.mend();
      faults.mend();
      world.issuer.jwks = json("fixtures/keys/issuer.jwks.json");
      Object.assign(world.configApi, { customers: customersOf(30), etags: false });
    },
    /** Takes out what was noted so far. */
    forget() {
      world.clear();
      faults.clear();
      log.clear();
    },
    /** How often a host was called. */
    calls: (host) => world.requests.filter((request) => request.host === host).length,
    ask: (credential, target = "/x/y") => gateway.send({ target, headers: [bearer(credential)] }),
    status: async (credential, target) => (await own.ask(credential, target)).status,
    async unavailable(credential, target, reason) {
      const answer = await own.ask(credential, target);
      assert.equal(answer.status, 503, answer.text());
      assert.equal(answer.get("content-type"), "application/problem+json");
      assert.match(answer.json().type, /:gateway-unavailable$/);
      assert.match(answer.get("retry-after"), /^\d+$/);
      assert.equal((await log.request(answer.json().instance)).reason, reason);
    },
    /** Holds a host's answers back until the function that it gives is called. */
    hold(host) {
      const { promise, resolve } = Promise.withResolvers();
      world.replace(host, async (request, response) => {
        await promise;
        return handlers[host](request, response);
      });
      return resolve;
    },
    /** Sends them all and waits until the gateway has them; gives what waits for their answers. */
    async crowd(requests) {
      const wires = await Promise.all(
        requests.map(async ([credential, target]) => {
          const wire = new Wire(gateway.port);
          await wire.write(requestHead({ target, headers: [bearer(credential)] }));
          return wire;
        }),
      );
      await own.roundTrip();
      const statuses = async () => {
        const answers = await Promise.all(wires.map((wire) => answerTo(wire, "GET")));
        for (const wire of wires) wire.close();
        return answers.map(({ status }) => status);
      };
      return { wires, statuses };
    },
    /** Lets the isolate go on with whatever else it has begun: what it was sent before, it has read by then. */
    async roundTrip() {
      for (let i = 0; i < 3; i++) assert.equal((await gateway.send({ target: "/open/x" })).status, 200);
    },
    /** Asks over and over until `end`, in each of these ways at once: [{ way, at, took, status }]. */
    async load(ways, end) {
      const seen = [];
      const run = async ([way, ask]) => {
        for (let number = 0; Date.now() < end; number++) {
          const at = Date.now();
          const status = await ask(number);
          seen.push({ way, at, took: Date.now() - at, status });
          await pause();
        }
      };
      await Promise.all(Object.entries(ways).map(run));
      return seen;
    },
    async records() {
      const store = await gateway.store();
      const { keys } = await store.list();
      return Object.fromEntries(await Promise.all(keys.map(async ({ name }) => [name, await store.get(name)])));
    },
    async record(name) {
      return JSON.parse(await (await gateway.store()).get(name));
    },
    /** Runs the scheduled refresh to its end. */
    async refresh() {
      const worker = await gateway.miniflare.getWorker();
      assert.equal((await worker.scheduled({ cron: "* * * * *" })).outcome, "ok");
    },
  };
  return Object.assign(gateway, own);
}

/** Between two requests of a load: what the test asks for is steadiness, not the most that two cores can do. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 10));

/** The statuses that there are, each once. */
export const distinct = (statuses) => [...new Set(statuses)].sort();

export const passed = (milliseconds, since, what) =>
  until(() => Date.now() - since > milliseconds, what, milliseconds + 5000);
