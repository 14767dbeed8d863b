// One backend behind routes of both kinds: those whose answers are handed on as they come, and those whose answers get
// fields (CORS, timing, request id) and so are made anew.
import { demoKey } from "../../../demo/seed.mjs";
import { token } from "./fixed-world.mjs";
import { bearer, openGateway } from "./gateway.mjs";

export const SHARED = "shared.backends.example.com";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "PURGE", "QUERY", "REPORT"];

const TOML = `
[api_keys]
prefixes = ["sk_live", "sk_test"]

[[issuers]]
name = "main"
issuer = "https://id.example.com/"
audience = "https://api.example.com"
jwks_url = "https://id.example.com/.well-known/jwks.json"
algorithms = ["ES256"]

[customers]
source = { url = "\${CUSTOMER_CONFIG_API_URL}", token = "\${CONFIG_API_TOKEN}" }

[identity]
claims = { "x-plan" = "subscription_tier" }

[backends.shared]
url = "\${SHARED_BACKEND_URL}"
timeout = "5s"

[backends.impatient]
url = "\${SHARED_BACKEND_URL}"
timeout = "250ms"

[[routes]]
path = "/plain/{+path}"
methods = ${JSON.stringify(METHODS)}
auth = ["api_key", "main"]
rewrite = "/{+path}"
rules = [{ name = "all", to = "shared" }]

[[routes]]
path = "/edited/{+path}"
methods = ${JSON.stringify(METHODS)}
auth = ["api_key", "main"]
cors = "anything-goes"
rewrite = "/{+path}"
server_timing = true
request_id = true
rules = [{ name = "all", to = "shared" }]

[[routes]]
path = "/impatient/plain/{+path}"
auth = ["api_key", "main"]
rewrite = "/{+path}"
rules = [{ name = "all", to = "impatient" }]

[[routes]]
path = "/impatient/edited/{+path}"
auth = ["api_key", "main"]
cors = "anything-goes"
rewrite = "/{+path}"
server_timing = true
rules = [{ name = "all", to = "impatient" }]

[[routes]]
path = "/customer/{+path}"
auth = ["api_key", "main"]
rules = [{ name = "customer", to = "customer" }]

[[routes]]
path = "/as-sent/{+path}"
auth = ["api_key", "main"]
rules = [{ name = "all", to = "shared" }]
`;

export const KEY = demoKey("acme");
export const TOKEN = token("customer-acme");
export const CREDENTIALS = { "API key": KEY, JWT: TOKEN };
export const ROUTES = ["/plain", "/edited"];

/** Every kind of route with every kind of credential: [title, prefix, Authorization field]. */
export const WAYS = ROUTES.flatMap((route) =>
  Object.entries(CREDENTIALS).map(([kind, credential]) => [`${route} with ${kind}`, route, bearer(credential)]),
);

export const openForwardingGateway = () => openGateway({ toml: TOML });
