// Our own Worker, as it is deployed, with configurations for the benchmark.
import { join } from "node:path";
import { inRoot } from "../../scripts/lib/paths.mjs";
import { CONFIGURATION, checkedForm, configurationModule } from "../../scripts/lib/pointsman.mjs";
import { AUDIENCE, ISSUER } from "./callers.mjs";

/** The compatibility flags of wrangler.toml. */
export const FLAGS = ["global_fetch_strictly_public", "enable_request_signal"];

export const folder = () => process.env.POINTSMAN_BUILD ?? inRoot("build");

/** The Worker's modules, with a configuration as JSON or a text in place of the checked form. */
export const modules = (gateway, { from = folder(), form = checkedForm(JSON.stringify(gateway)) } = {}) => [
  { name: "index.js", path: join(from, "index.js") },
  { name: "index_bg.wasm", path: join(from, "index_bg.wasm") },
  { name: "ledger_bg.wasm", path: join(from, "ledger_bg.wasm") },
  { name: CONFIGURATION, text: configurationModule(form) },
];

const backend = (name) => ({ url: `https://${name}.backends.example.com` });
const route = (name, rules, more = {}) => ({
  path: `/${name}/{+path}`,
  auth: ["api_key", "main"],
  rewrite: "/{+path}",
  rules,
  ...more,
});

/** What every configuration here has. */
export const base = {
  api_keys: { prefixes: ["sk_live"] },
  issuers: [
    {
      name: "main",
      issuer: ISSUER,
      audience: AUDIENCE,
      algorithms: ["ES256"],
      jwks_url: "https://id.example.com/.well-known/jwks.json",
    },
  ],
  customers: { claim: "customerId" },
  backends: {
    production: backend("production"),
    next: backend("next"),
    dedicated: { url: "https://{tenant_id}.api.example.com" },
  },
};

/** One route for each thing that is measured. */
export const gateway = {
  ...base,
  limits: { standard: { binding: "LIMIT", limit: 1_000_000, period: "60s" } },
  routes: [
    route("customer", [{ name: "customer", to: "customer" }]),
    route("named", [{ name: "production", when: { environment: "production" }, to: "production" }]),
    route("template", [
      { name: "enterprise", when: { subscription_tier: "enterprise", tenant_id: { exists: true } }, to: "dedicated" },
    ]),
    route("split", [
      {
        name: "rollout",
        split: [
          { to: "production", weight: 95 },
          { to: "next", weight: 5 },
        ],
        by: ["customerId", "$subject"],
      },
    ]),
    route("cors", [{ name: "production", to: "production" }], { cors: "anything-goes" }),
    route("limited", [{ name: "production", to: "production" }], { limits: ["standard"] }),
  ],
};

/** With so many rules before the one that matches. */
export const withRules = (count) => ({
  ...base,
  routes: [
    route("customer", [
      ...Array.from({ length: count - 1 }, (_, index) => ({
        name: `rule-${index}`,
        when: { environment: `other-${index}` },
        to: "next",
      })),
      { name: "customer", to: "customer" },
    ]),
  ],
});

/** With so many routes beside the one that is asked for. */
export const withRoutes = (count) => ({
  ...base,
  routes: [
    ...Array.from({ length: count - 1 }, (_, index) =>
      route(`section-${index % 40}/thing-${index}`, [{ name: "next", to: "next" }]),
    ),
    route("customer", [{ name: "customer", to: "customer" }]),
  ],
});
