// A night at the demo, staged: one customer's origin dies, a key expires, an issuer withdraws a key, and a bad rule is
// deployed. Whoever looks has metrics to find all four by; whoever tests has what was sent, counted by itself.
import { mintToken } from "./issuer.mjs";
import { kvName, mint } from "./keys.mjs";
import { demoKey } from "./seed.mjs";

/** @import { Changeable, World } from "./types.d.ts" */

/** What is broken. */
export const DEAD_HOST = "acme.tenants.example.com";
export const DEAD_CUSTOMER = "acme-corp";
export const WITHDRAWN_ALG = "ES256";
export const BAD_ROUTE = "/tiers/{+path}";
export const BAD_RULE = "closed-by-mistake";
/** A key that ends while everybody looks. */
export const ENDING_KEY = mint("sk_live", "DEMOendsInTheNight000000");
const ENDING_CUSTOMER = "wayne-ent";
const ENDS_AFTER_MS = 2000;

/**
 * @typedef {object} Store
 * @property {(name: string, text: string) => Promise<unknown>} put
 * @property {(name: string) => Promise<unknown>} delete
 * @property {(options: { prefix: string }) => Promise<{ keys: { name: string }[] }>} list
 */

/**
 * What a staged night needs of what runs.
 * @typedef {object} Stage
 * @property {string} url of the gateway
 * @property {World} world
 * @property {Store} kv
 * @property {(configuration: object) => Promise<unknown>} deploy deploys another configuration
 * @property {Record<string, unknown>} configuration the one that runs
 * @property {(text: string) => void} [say]
 */

/**
 * A request that was sent, and how it ended.
 * @typedef {object} Sent
 * @property {"calm" | "origin" | "key" | "issuer" | "rule"} part
 * @property {string} customer who was authenticated; empty where nobody was
 * @property {number} status
 */

/** The same configuration with a rule that closes a route. @param {Record<string, unknown>} configuration */
export function withBadRule(configuration) {
  const routes = /** @type {{ path: string, rules: object[] }[]} */ (structuredClone(configuration.routes));
  const route = routes.find(({ path }) => path === BAD_ROUTE);
  if (route === undefined) throw new RangeError(`there is no route ${BAD_ROUTE}`);
  route.rules = [{ name: BAD_RULE, deny: 403 }];
  return { ...configuration, routes };
}

/**
 * Stages the night, and gives all that was sent.
 * @param {Stage} stage
 */
export async function stageIncident({ url, world, kv, deploy, configuration, say = () => {} }) {
  /** @type {Sent[]} */
  const sent = [];
  /** @param {Sent["part"]} part @param {string} customer @param {string} path @param {string} credential @param {number} count */
  const send = async (part, customer, path, credential, count) => {
    for (let time = 0; time < count; time++) {
      const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${credential}` } });
      await answer.arrayBuffer();
      sent.push({ part, customer: answer.status === 401 ? "" : customer, status: answer.status });
    }
  };
  const token = await mintToken({ customerId: "stark-ind", sub: "jarvis" }, { alg: WITHDRAWN_ALG });
  const endsAt = Date.now() + ENDS_AFTER_MS;
  const record = {
    subject: "nightly-batch",
    claims: { customerId: ENDING_CUSTOMER },
    expiresAt: new Date(endsAt).toISOString(),
  };
  await kv.put(kvName(ENDING_KEY), JSON.stringify(record));

  say("all is well");
  await send("calm", DEAD_CUSTOMER, "/customers/orders", demoKey("acme"), 12);
  await send("calm", "wayne-ent", "/customers/orders", demoKey("wayne"), 12);
  await send("calm", "wayne-ent", "/customers/batch", ENDING_KEY, 3);
  await send("calm", "stark-ind", "/customers/orders", token, 8);
  await send("calm", DEAD_CUSTOMER, "/tiers/orders", demoKey("acme"), 6);

  say(`${DEAD_HOST}, the origin of ${DEAD_CUSTOMER}, dies`);
  world.replace(DEAD_HOST, (request) => request.socket.destroy());
  await send("origin", DEAD_CUSTOMER, "/customers/orders", demoKey("acme"), 20);

  say(`a key of ${ENDING_CUSTOMER} expires`);
  await new Promise((resolve) => setTimeout(resolve, Math.max(endsAt - Date.now(), 0) + 50));
  await send("key", "", "/customers/batch", ENDING_KEY, 14);

  say("the issuer withdraws the key that it signs with, and a rule is deployed that closes a route");
  world.issuer.jwks = { keys: world.issuer.jwks.keys.filter(({ alg }) => alg !== WITHDRAWN_ALG) };
  // As when their time has come: until then the copies that were fetched before count.
  for (const { name } of (await kv.list({ prefix: "keyset:" })).keys) await kv.delete(name);
  await deploy(withBadRule(configuration));
  await send("issuer", "", "/customers/orders", token, 16);
  await send("rule", "wayne-ent", "/tiers/orders", demoKey("wayne"), 18);
  return sent;
}
