// What `npm start` offers to paste, and what demo/examples.test.mjs holds it to.

import { createHash } from "node:crypto";
import { mintToken } from "./issuer.mjs";
import { mint } from "./keys.mjs";
import { demoKey, ROOT_KEY } from "./seed.mjs";

/** @import { Example, ExampleGroup, ExampleRequest } from "./types.d.ts" */

/**
 * An example as it stands here.
 * @typedef {ExampleGroup | (Omit<ExampleRequest, "method" | "headers"> & ExampleOrder)} Written
 * @typedef {{ method?: string, headers?: Record<string, string>, key?: string, claims?: object, alg?: string }} ExampleOrder
 */

/** Where operators ask the ledger, in the demo. */
export const LEDGER_PATH = "/gateway/ledger";
/** The path below which the management API is, in the demo. */
export const API_PATH = "/gateway/api";

/** A key that is in no file: the examples make it, and take it back. */
const MADE_KEY = mint("sk_live", "DEMOmadeWhileItRuns00000");
const AS_ROOT = { authorization: `Bearer ${ROOT_KEY}`, "content-type": "application/json" };
const AS_CALLER = { authorization: `Bearer ${MADE_KEY}` };

/** What the management API is asked about that key, which it knows by its digest. */
const MADE_KEY_PATH = `${API_PATH}/v1/keys/${createHash("sha256").update(MADE_KEY).digest("hex")}`;

// One example: `key` names a demo API key; `claims` makes a token. `expect` is a backend's name or a status.
/** @type {Written[]} */
const EXAMPLES = [
  { group: "1  Environment by key: /environment/{+path}" },
  { about: "test key", path: "/environment/hello", key: "sandbox", expect: "sandbox" },
  { about: "live key", path: "/environment/hello", key: "production", expect: "production" },
  {
    about: "JWT, environment sandbox",
    path: "/environment/hello",
    claims: { environment: "sandbox" },
    expect: "sandbox",
  },
  { about: "any other environment", path: "/environment/hello", key: "staging", expect: 403 },
  { about: "a switched-off key", path: "/environment/hello", key: "disabled", expect: 401 },
  { about: "an expired key", path: "/environment/hello", key: "expired", expect: 401 },

  { group: "2  A backend for each customer, from the file (in KV): /customers/{+path}" },
  { about: "acme-corp", path: "/customers/hello", key: "acme", expect: "acme.tenants" },
  { about: "wayne-ent", path: "/customers/hello", key: "wayne", expect: "wayne.tenants" },
  {
    about: "stark-ind, JWT (RS256)",
    path: "/customers/hello",
    claims: { customerId: "stark-ind" },
    alg: "RS256",
    expect: "stark.tenants",
  },
  { about: "a customer listed nowhere", path: "/customers/hello", key: "unlisted", expect: 403 },
  { about: "no customer id", path: "/customers/hello", key: "sandbox", expect: 401 },

  { group: "3  A backend for each customer, from the config API" },
  { about: "umbrella-corp", path: "/customers/hello", key: "umbrella", expect: "umbrella.tenants" },

  { group: "4  Hybrid: dedicated where listed, shared for the rest: /hybrid/{+path}" },
  { about: "acme-corp", path: "/hybrid/hello", key: "acme", expect: "acme.tenants" },
  { about: "a customer listed nowhere", path: "/hybrid/hello", key: "unlisted", expect: "shared" },
  { about: "anonymous", path: "/hybrid/hello", expect: "shared" },

  { group: "5  Claims in a template: /tiers/{+path}" },
  { about: "enterprise tier, tenant acme", path: "/tiers/hello", key: "enterprise", expect: "acme.api" },
  {
    about: "the same by JWT",
    path: "/tiers/hello",
    claims: { subscription_tier: "enterprise", tenant_id: "acme" },
    expect: "acme.api",
  },
  { about: "standard tier", path: "/tiers/hello", key: "standard", expect: "shared" },
  {
    about: "a tenant that is no DNS label",
    path: "/tiers/hello",
    claims: { subscription_tier: "enterprise", tenant_id: "acme.evil.com" },
    expect: 403,
  },

  { group: "6  Wiring: methods, CORS, rewrite, query kept: /api/v1/{+path}" },
  {
    about: "acme-corp, with an Origin",
    path: "/api/v1/orders/42?expand=lines",
    key: "acme",
    headers: { origin: "https://app.example.com" },
    expect: "acme.tenants",
  },
  {
    about: "the CORS preflight",
    path: "/api/v1/orders/42",
    method: "OPTIONS",
    headers: {
      origin: "https://app.example.com",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization",
    },
    expect: 204,
  },
  { about: "no credential", path: "/api/v1/orders/42", expect: 401 },

  { group: "7  More ways to choose: a rollout to a few, a backup: /rollout/{+path}, /resilient/{+path}" },
  { about: "acme-corp, not among the few", path: "/rollout/hello", key: "acme", expect: "production" },
  {
    about: "a tester who says which",
    path: "/rollout/hello",
    key: "acme",
    headers: { "x-variant": "sandbox" },
    expect: "sandbox",
  },
  { about: "the first of two origins", path: "/resilient/hello", key: "acme", expect: "production" },

  { group: "8  A key that is made, used at once, revoked and refused, everywhere" },
  { about: "no such key yet", path: "/environment/hello", headers: AS_CALLER, expect: 401 },
  {
    about: "the management API makes it",
    path: MADE_KEY_PATH,
    method: "PUT",
    headers: AS_ROOT,
    body: '{"subject":"you","claims":{"environment":"production"}}',
    expect: 201,
  },
  { about: "it works", path: "/environment/hello", headers: AS_CALLER, expect: "production", within: 10 },
  { about: "the management API revokes it", path: MADE_KEY_PATH, method: "DELETE", headers: AS_ROOT, expect: 200 },
  { about: "refused within 10 s", path: "/environment/hello", headers: AS_CALLER, expect: 401, within: 10 },
];

/**
 * The examples with their credential made: tokens are signed now and last a day.
 * @returns {Promise<Example[]>}
 */
export async function examples() {
  return Promise.all(
    EXAMPLES.map(async (example) => {
      if (example.group !== undefined) return example;
      const { key, claims, alg, headers = {}, ...rest } = example;
      const credential = key ? demoKey(key) : claims && (await mintToken({ sub: "demo-user", ...claims }, { alg }));
      return {
        method: "GET",
        ...rest,
        headers: { ...(credential && { authorization: `Bearer ${credential}` }), ...headers },
      };
    }),
  );
}
