// gateway.toml of a new gateway: one route, and a comment for each next step.

/** @import { Options } from "./options.mjs" */

/** @type {(options: Options) => string} */
export const gatewayToml = (options) =>
  [head(), callers(options), customers(options), backends(), route(options), steps(options)].flat().join("\n");

const head = () => [
  "#:schema ./node_modules/pointsman/schemas/gateway.schema.json",
  "# Who may call, and where each caller's requests go. `npm start` takes each save over, `npm test` checks it, and",
  "# `npm run deploy` ships it. ${NAME} is a variable or a secret: see the file of wrangler beside this one.",
  "# Every field: node_modules/pointsman/docs/configuration.md",
  "",
  "# May a backend be plain http? The deployed gateway says never; .dev.vars lets this machine's in.",
  'allow_http = "${ALLOW_HTTP}"',
  "",
  "# ---- Who is calling ----",
  "",
];

/** @param {Options} options */
function callers({ callers, audience }) {
  const keys = [
    "# API keys: Authorization: Bearer sk_live_… The gateway knows them by digest; data/keys.json, or",
    "#   npx pointsman keys create --prefix sk_test --subject me --local",
    "[api_keys]",
    'prefixes = ["sk_live", "sk_test"]',
    "",
  ];
  const tokens = [
    "# Tokens (JWT). The keys are found through <issuer>/.well-known/openid-configuration; where the issuer has no such",
    '# document, say jwks_url = "https://…" in place of discovery.',
    "[[issuers]]",
    'name = "main"',
    'issuer = "${ISSUER}"',
    `audience = ${JSON.stringify(audience)}`,
    'algorithms = ["ES256", "RS256"]',
    "discovery = true",
    "",
  ];
  return [...(callers === "tokens" ? [] : keys), ...(callers === "keys" ? [] : tokens)];
}

/** @param {Options} options */
const customers = ({ customers }) => [
  "# Which claim names the caller's customer. A customer may have a backend of its own.",
  "[customers]",
  'claim = "customerId"',
  ...(customers === "api"
    ? [
        "# Your API lists them: GET, a JSON array of { customerId, backendUrl }.",
        'source = { url = "${CUSTOMERS_URL}", token = "${CUSTOMERS_TOKEN}" }',
      ]
    : []),
  "",
];

const backends = () => [
  "# ---- Where requests can go ----",
  "",
  "[backends.main]",
  'url = "${BACKEND_URL}"',
  "",
  "# ---- Which caller goes where: the first rule that matches ----",
  "",
];

/** @param {Options} options */
const route = ({ callers }) => [
  "[[routes]]",
  'path = "/{+path}"',
  `auth = ${JSON.stringify(accepted(callers))}`,
  "rules = [",
  "  # Customers with a backend of their own go there; for all others the next rule counts.",
  '  { name = "own-backend", to = "customer", unlisted = "next" },',
  '  { name = "everybody", to = "main" },',
  "]",
  "",
];

/** @type {(callers: Options["callers"]) => string[]} */
const accepted = (callers) => [...(callers === "tokens" ? [] : ["api_key"]), ...(callers === "keys" ? [] : ["main"])];

/** @param {Options} options */
const steps = ({ callers }) => [
  "# ---- Next steps ----",
  "",
  '# A second backend, for callers whose claims say environment = "sandbox". The rule goes before "everybody", and',
  "# SANDBOX_BACKEND_URL under [vars]; then write down in cases/ who goes there.",
  "# [backends.sandbox]",
  '# url = "${SANDBOX_BACKEND_URL}"',
  '#   { name = "sandbox", when = { environment = "sandbox" }, to = "sandbox" },',
  "",
  ...(callers === "keys"
    ? [
        '# Tokens beside the keys: this, and "main" in the route\'s auth.',
        "# [[issuers]]",
        '# name = "main"',
        '# issuer = "https://id.example.com/"',
        '# audience = "https://api.example.com"',
        '# algorithms = ["ES256", "RS256"]',
        "# discovery = true",
        "",
      ]
    : []),
  "# Five callers in a hundred on a new version; each caller always gets the same one.",
  '#   { name = "rollout", split = [{ to = "main", weight = 95 }, { to = "next", weight = 5 }] },',
  "",
  '# A limit: bind LIMIT_STANDARD (the file of wrangler has the lines), and say limits = ["standard"] in the route.',
  "# [limits.standard]",
  '# binding = "LIMIT_STANDARD"',
  "# limit = 100",
  '# period = "60s"',
  "",
  "# For probes, and for operators: the state of caches, and any request explained. Make the secret with",
  "#   npx pointsman secret create --out operator-secret.txt",
  "# [operator]",
  '# health = "/healthz"',
  '# status = "/gateway/status"',
  '# secret = "${OPERATOR_SECRET}"',
  "",
  "# More: node_modules/pointsman/docs/recipes.md has a whole file for each common need.",
  "",
];
