// The built Worker with a configuration of the test's own, in the golden cases' world. All its calls go out through the
// model of a zone's cache.
import assert from "node:assert/strict";
import { startGateway } from "../../../demo/gateway.mjs";
import { checkedForm } from "../../../scripts/lib/pointsman.mjs";
import { STORE_BINDING, STORE_WORKER, viaStoreWorker } from "./faulty-store.mjs";
import { gatewayJson } from "./files.mjs";
import { fixedEntries, hmacSecret, identityKey, startFixedWorld } from "./fixed-world.mjs";
import { createLog } from "./log.mjs";
import { send } from "./wire.mjs";
import { CF_FIELD, createZone, ZONE_WORKER } from "./zone.mjs";

// POINTSMAN_BUILD names another folder than build/ to take the Worker from.

/** A socket of the Worker's own: Miniflare's usual entry is a Worker before it, which rewrites requests and answers. */
const DIRECT = { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] };

/**
 * The field in which Miniflare's entry takes `request.cf` as it is. What is given as the option `cf` it fills up with a client
 * of its own, in Texas with a bot score of 99.
 */
const CF_BLOB = "MF-CF-Blob";

const inAscii = (value) =>
  JSON.stringify(value).replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

/**
 * Starts the gateway with a configuration given as TOML; none runs the one beside the wasm.
 *   gateway  JSON text of a configuration instead
 *   form     text in place of the checked form, for forms that are none
 *   kv       false leaves the KV binding out: every call of it fails
 *   objects  Durable Objects that are bound, as Miniflare has them; none unless given, so no ledger either
 *   faults   of createFaultyStore(): KV is then reached through them
 *   network  true lets calls out to where their URLs say, in place of the world
 *   folder   the Worker's folder, in place of build/
 *   consults true where calls may read from the zone's cache: a test of the cache itself
 *   overrides, workers   of demo/gateway.mjs
 */
export async function openGateway({
  toml,
  gateway = toml && gatewayJson(toml),
  form,
  bindings = {},
  kv = true,
  objects = {},
  faults,
  network,
  folder = process.env.POINTSMAN_BUILD,
  consults = false,
  overrides,
  workers = [],
} = {}) {
  const zone = createZone();
  const world = await startFixedWorld({ intercept: zone.intercept });
  const throughZone = () =>
    network ? { name: ZONE_WORKER } : { external: { address: world.address, http: { cfBlobHeader: CF_FIELD } } };
  const log = createLog();
  const settings = (given) => ({
    bindings: {
      JWT_SECRET: hmacSecret(),
      IDENTITY_KEY: identityKey(),
      BACKEND_SECRET: "demo-backend-secret",
      ...given.bindings,
    },
    gateway: given.form ?? (given.gateway && checkedForm(given.gateway)),
    overrides: {
      ...DIRECT,
      ...(given.kv === false && { kvNamespaces: {} }),
      durableObjects: given.objects,
      ...(faults && viaStoreWorker),
      outboundService: throughZone(),
      ...given.overrides,
    },
    workers: [...(faults ? [faults.worker] : []), ...(network ? [zone.worker] : []), ...(given.workers ?? [])],
  });
  let given = { gateway, form, bindings, kv, objects, overrides, workers };
  const start = async () => startGateway({ folder, world, onLog: (line) => log.take(line), ...settings(given) });
  const started = await start().catch(async (error) => {
    // Its servers would keep the process of the tests from ending.
    await world.stop();
    throw error;
  });
  const opened = {
    world,
    zone,
    log,
    port: undefined,
    miniflare: started.miniflare,
    /** KV itself, past all faults. */
    store: () => (faults ? started.miniflare.getKVNamespace(STORE_BINDING, STORE_WORKER) : started.kv()),
    async seed() {
      const store = await opened.store();
      await Promise.all(fixedEntries().map(([name, value]) => store.put(name, value)));
    },
    /** A fresh isolate: nothing is cached any more. What is not given stays as it was; so does KV with `keepStore`. */
    async restart({ keepStore = false, ...change } = {}) {
      given = { ...given, form: undefined, ...change };
      if (change.toml) given.gateway = gatewayJson(change.toml);
      // Options that are as they were restart nothing.
      await started.reload(settings({ ...given, bindings: { ...given.bindings, RESTARTED: String(++restarts) } }));
      // Only now: the isolate before this one may have been writing to its end.
      if (given.kv && !keepStore) await forget(await opened.store());
      await connect();
    },
    send: (request) => send(opened.port, request),
    /** From a client of which the platform says `cf` and nothing else; through Miniflare's entry, which hands that over. */
    async sendFrom(cf, { method = "GET", target, headers = [] }) {
      const answer = await started.miniflare.dispatchFetch(`http://gateway.example.com${target}`, {
        method,
        headers: [...headers, [CF_BLOB, inAscii(cf)]],
        redirect: "manual",
      });
      const body = await answer.text();
      return {
        status: answer.status,
        get: (name) => answer.headers.get(name) ?? undefined,
        text: () => body,
        json: () => JSON.parse(body),
      };
    },
    /** What backends got, without the issuer's and the config API's requests. */
    called: () => world.requests.filter(({ backend }) => backend),
    async stop() {
      await started.stop();
      await world.stop();
      assert.deepEqual([...new Set(log.faults)], [], "log lines are not as schemas/log-line.schema.json has them");
      if (!consults) assert.deepEqual([...new Set(zone.consulted)], [], "these calls read through the zone's cache");
    },
  };
  /** Takes out of KV what the gateway itself wrote there, so that the next isolate is the first one. */
  const forget = async (store) => {
    const seeded = new Set(fixedEntries().map(([name]) => name));
    const written = ({ name }) => /^(keyset|source|customer):/.test(name) && !seeded.has(name);
    const { keys } = await store.list();
    await Promise.all(keys.filter(written).map(({ name }) => store.delete(name)));
  };
  let restarts = 0;
  const connect = async () => {
    opened.port = Number((await started.miniflare.unsafeGetDirectURL()).port);
  };
  await connect();
  if (kv) await opened.seed();
  return opened;
}

export const bearer = (credential) => ["Authorization", `Bearer ${credential}`];
