// wrangler's file of a new gateway, as TOML or as JSON with comments.

/** @import { Options } from "./options.mjs" */

/** Not an id: `pointsman deploy` creates the namespace, and writes its id here. */
const NO_ID = "00000000000000000000000000000000";
const DATE = "2026-07-30";

/**
 * The variables of an environment, with the backend's host in it.
 * @param {Options} options
 * @param {string} host
 * @returns {[name: string, value: string][]}
 */
const variables = ({ callers, customers, issuer }, host) => [
  ["BACKEND_URL", `https://${host}.example.com`],
  ...(callers === "keys" ? [] : [/** @type {[string, string]} */ (["ISSUER", issuer ?? "https://id.example.com/"])]),
  ...(customers === "api"
    ? [/** @type {[string, string]} */ (["CUSTOMERS_URL", `https://${host}-config.example.com/customers`])]
    : []),
  ["ALLOW_HTTP", "never"],
];

/** @type {(options: Options) => string[]} */
const secrets = ({ customers }) => (customers === "api" ? ["CUSTOMERS_TOKEN"] : []);

/**
 * The file, by its name and text. `imported` is what an import says of variables and bindings, in place of the template's.
 * @param {Options} options
 * @param {string} [imported]
 */
export const wranglerFile = (options, imported) =>
  options.jsonc
    ? { name: "wrangler.jsonc", text: jsonc(options) }
    : { name: "wrangler.toml", text: imported === undefined ? toml(options) : tomlAround(options, imported) };

/** @param {Options} options */
function toml(options) {
  const vars = (/** @type {string} */ host) =>
    variables(options, host).map(([variable, value]) => `${variable} = ${JSON.stringify(value)}`);
  const required = secrets(options);
  return [
    ...runtime(options),
    "# Customers and API keys. `npm run deploy` creates the namespace, and puts its id here.",
    "[[kv_namespaces]]",
    'binding = "POINTSMAN_KV"',
    `id = ${JSON.stringify(NO_ID)}`,
    "",
    ...ledger(),
    "# Counts the limit of gateway.toml, where there is one. A namespace_id is any whole number that nothing else in the",
    "# account has.",
    "# [[ratelimits]]",
    '# name = "LIMIT_STANDARD"',
    '# namespace_id = "1001"',
    "# simple = { limit = 100, period = 60 }",
    "",
    "# Keeps issuers' keys and the API's customers at hand, so that no request waits for them.",
    "[triggers]",
    'crons = ["*/2 * * * *"]',
    "",
    "# What gateway.toml names as ${NAME}. Put your own here; .dev.vars has this machine's.",
    "[vars]",
    ...vars("backend"),
    "",
    ...(required.length > 0
      ? [
          "# Secrets stand in no file: only their names do. `npm run deploy` asks for those that are missing.",
          "[secrets]",
          `required = ${JSON.stringify(required)}`,
          "",
        ]
      : ["# Secrets stand in no file: only their names do.", "# [secrets]", '# required = ["OPERATOR_SECRET"]', ""]),
    "# One structured line for each request, in the Worker's log.",
    "[observability]",
    "enabled = true",
    "",
    `# ---- Staging: a Worker of its own, ${options.name}-staging. It takes over no variable and no binding from above. ----`,
    "[env.staging.vars]",
    ...vars("staging-backend"),
    "",
    "[[env.staging.kv_namespaces]]",
    'binding = "POINTSMAN_KV"',
    `id = ${JSON.stringify(NO_ID)}`,
    "",
    "[[env.staging.durable_objects.bindings]]",
    'name = "LEDGER"',
    'class_name = "Ledger"',
    ...(required.length > 0 ? ["", "[env.staging.secrets]", `required = ${JSON.stringify(required)}`] : []),
    "",
  ].join("\n");
}

/**
 * What the platform is told of the Worker.
 * @param {Options} options
 */
const runtime = ({ name }) => [
  "# How the gateway is deployed: `npm run deploy`, for the staging environment `npm run deploy -- --env staging`.",
  `name = ${JSON.stringify(name)}`,
  'main = "worker.js"',
  `compatibility_date = ${JSON.stringify(DATE)}`,
  "compatibility_flags = [",
  "  # A backend in your own zone is called like any other host, through its Workers and its firewall.",
  '  "global_fetch_strictly_public",',
  "  # Lets the gateway see that a client has gone, and drop the call to the backend.",
  '  "enable_request_signal",',
  "]",
  "# Each version would get an address of its own, at which anybody could call an old configuration.",
  "preview_urls = false",
  "# Your domain, in place of an address at workers.dev:",
  '# routes = [{ pattern = "api.example.com", custom_domain = true }]',
  "# workers_dev = false",
  "",
  "[build]",
  'command = "npx pointsman build"',
  "",
];

const ledger = () => [
  "# The ledger: what is revoked there is refused everywhere within ten seconds. node_modules/pointsman/docs/directory.md",
  "[[durable_objects.bindings]]",
  'name = "LEDGER"',
  'class_name = "Ledger"',
  "",
  "[[migrations]]",
  'tag = "ledger"',
  'new_sqlite_classes = ["Ledger"]',
  "",
];

/**
 * @param {Options} options
 * @param {string} imported
 */
const tomlAround = (options, imported) =>
  [
    ...runtime(options),
    ...ledger(),
    "[observability]",
    "enabled = true",
    "",
    "# What the import needs: put your own values here. `npm run deploy` creates the namespace, and puts its id here.",
    imported.trim(),
    "",
  ].join("\n");

/** @param {Options} options */
function jsonc(options) {
  const { name } = options;
  const required = secrets(options);
  const shared = (/** @type {string} */ host) => ({
    vars: Object.fromEntries(variables(options, host)),
    kv_namespaces: [{ binding: "POINTSMAN_KV", id: NO_ID }],
    durable_objects: { bindings: [{ name: "LEDGER", class_name: "Ledger" }] },
    ...(required.length > 0 && { secrets: { required } }),
  });
  const file = {
    $schema: "node_modules/wrangler/config-schema.json",
    name,
    main: "worker.js",
    compatibility_date: DATE,
    compatibility_flags: ["global_fetch_strictly_public", "enable_request_signal"],
    preview_urls: false,
    build: { command: "npx pointsman build" },
    ...shared("backend"),
    migrations: [{ tag: "ledger", new_sqlite_classes: ["Ledger"] }],
    triggers: { crons: ["*/2 * * * *"] },
    observability: { enabled: true },
    env: { staging: shared("staging-backend") },
  };
  /** Above which member stands what. @type {Record<string, string>} */
  const comments = {
    preview_urls: "Each version would get an address of its own, at which anybody could call an old configuration.",
    vars: "What gateway.toml names as ${NAME}. Put your own here; .dev.vars has this machine's.",
    kv_namespaces: "Customers and API keys. `npm run deploy` creates the namespace, and puts its id here.",
    durable_objects: "The ledger: what is revoked there is refused everywhere within ten seconds.",
    triggers: "Keeps issuers' keys and the API's customers at hand, so that no request waits for them.",
    env: "Staging is a Worker of its own. It takes over no variable and no binding from above.",
  };
  const lines = JSON.stringify(file, undefined, 2).split("\n");
  const told = lines.flatMap((line) => {
    const member = /^ {2}"(\w+)":/.exec(line)?.[1];
    return member && comments[member] ? [`  // ${comments[member]}`, line] : [line];
  });
  return `// How the gateway is deployed: \`npm run deploy\`, for staging \`npm run deploy -- --env staging\`.\n${told.join("\n")}\n`;
}
