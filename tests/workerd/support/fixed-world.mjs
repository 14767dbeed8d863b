// The world of the golden cases, as tests/golden.rs builds it natively from the same files.

import { demoEntries } from "../../../demo/seed.mjs";
import { createWorld } from "../../../demo/world.mjs";
import { json, text } from "./files.mjs";

export const DISCOVERY_HOST = "disco.example.com";

const answerJson = (response, body) => {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
};

/** What stands in KV: [[name, text]]. */
export function fixedEntries() {
  const odd = Object.entries(json("fixtures/kv.json"));
  return [
    ...demoEntries(),
    ...odd.map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
  ];
}

/** What signs identity tokens, as the secret's text. */
export const identityKey = () => JSON.stringify(json("fixtures/keys/private.json")["es256-1"]);
export const hmacSecret = () => text("fixtures/keys/hmac-secret.txt").trim();
export const token = (name) => text(`fixtures/tokens/${name}.jwt`).trim();

const hang = () => {};
const refuse = (request) => request.socket.destroy();
const down = (request, response) => response.writeHead(503).end();

/**
 * A started world; `world.fault(...names)` puts things out of order and `world.mend()` back in order. `options` are
 * createWorld's.
 */
export async function startFixedWorld(options) {
  const world = createWorld(options);
  world.issuer.jwks = json("fixtures/keys/issuer.jwks.json");
  world.configApi.customers = json("fixtures/config-api.json");
  const discovery = (request, response) => {
    const issuer = `https://${DISCOVERY_HOST}`;
    if (request.url === "/.well-known/openid-configuration")
      return answerJson(response, { issuer, jwks_uri: `${issuer}/keys` });
    if (request.url === "/keys") return answerJson(response, world.issuer.jwks);
    return response.writeHead(404).end();
  };
  // Any backend host: the demo's echo answers for those that are not replaced.
  const backends = [
    "sandbox.backends",
    "production.backends",
    "shared.backends",
    "acme.tenants",
    "wayne.tenants",
    "stark.tenants",
    "umbrella.tenants",
    "acme.api",
  ];
  const replaceAll = (hosts, handler) => {
    for (const host of hosts) world.replace(host, handler);
  };
  const replaceBackends = (handler) =>
    replaceAll(
      backends.map((name) => `${name}.example.com`),
      handler,
    );
  const faults = {
    issuer: () => replaceAll(["id.example.com", DISCOVERY_HOST], down),
    "config-api": () => world.replace("config.example.com", down),
    "backend-refuses": () => replaceBackends(refuse),
    "backend-hangs": () => replaceBackends(hang),
    // The Worker's own: it is started without its KV binding.
    kv: () => {},
  };
  world.fault = (...names) => {
    for (const name of names) {
      if (!Object.hasOwn(faults, name)) throw new RangeError(`no such fault: ${name}`);
      faults[name]();
    }
  };
  world.mend = () => {
    world.restore();
    world.replace(DISCOVERY_HOST, discovery);
  };
  world.mend();
  return world.start();
}
