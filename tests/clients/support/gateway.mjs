// A gateway before which clients stand that were made for other APIs: a route for each shape of errors, whose backend hangs
// and whose callers have one request a minute.
import { kvName, mint } from "../../../demo/keys.mjs";
import { openGateway } from "../../workerd/support/gateway.mjs";

const LIMIT = { limit: 1, period: 60 };

const route = (path, shape) => `
[[routes]]
path = "${path}/{+path}"
auth = ["api_key"]
limits = ["once"]
timeout = "200ms"
${shape === undefined ? "" : `errors = "${shape}"`}
rules = [{ name = "all", to = "shared" }]
`;

const TOML = `
[api_keys]
prefixes = ["sk_live"]

[backends.shared]
url = "\${SHARED_BACKEND_URL}"

[limits.once]
binding = "LIMIT"
limit = ${LIMIT.limit}
period = "${LIMIT.period}s"
${route("/v1")}
${route("/s3", "s3")}
${route("/aws", "aws-json")}
`;

/** The gateway; `newKey()` is a key of a caller that has sent nothing yet. */
export async function openClientsGateway() {
  const ratelimits = { LIMIT: { namespace_id: "1001", simple: LIMIT } };
  const gateway = await openGateway({ toml: TOML, overrides: { ratelimits } });
  gateway.world.fault("backend-hangs");
  let made = 0;
  return {
    gateway,
    async newKey() {
      const key = mint("sk_live");
      const store = await gateway.store();
      await store.put(kvName(key), JSON.stringify({ subject: `caller-${++made}` }));
      return key;
    },
    /** A key of the right form that nobody made. */
    unknownKey: () => mint("sk_live"),
  };
}

/** What the gateway says, by the problem's slug. */
export const DETAILS = {
  "credential-invalid": "The API key or token is not valid here.",
  "rate-limited": "A limit of this caller's is used up; Retry-After says when to try again.",
  "backend-timeout": "The service behind the gateway did not answer in time.",
};
