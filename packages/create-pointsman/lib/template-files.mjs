// The other files of a new gateway.

/** @import { Options } from "./options.mjs" */

/** What the package is tested with. */
const WRANGLER = "^4.164.0";

/**
 * @param {Options} options
 * @param {{ version: string, archive: string | undefined }} release what to install: a version, or an archive
 */
export const packageJson = ({ name }, { version, archive }) =>
  `${JSON.stringify(
    {
      name,
      private: true,
      type: "module",
      scripts: { start: "pointsman start", test: "pointsman test", deploy: "pointsman deploy" },
      devDependencies: { pointsman: archive === undefined ? `^${version}` : `file:${archive}`, wrangler: WRANGLER },
      engines: { node: ">=22.12" },
    },
    undefined,
    2,
  )}\n`;

export const WORKER = `// The Worker's main module. Code around the gateway goes here: default may be an object with a fetch of your own that calls
// the gateway's.
import { gateway } from "pointsman";
import configuration from "./.pointsman/gateway.js";

export { Ledger, Quota } from "pointsman";
export default gateway(configuration);
`;

export const GITIGNORE = `node_modules/
# Made by pointsman and wrangler: the compiled configuration, and the state of this machine
.pointsman/
.wrangler/
# Secrets of this machine
.dev.vars*
!.dev.vars.example
*-secret.txt
`;

/** @param {Options} options */
export const devVars = ({ callers, customers }) =>
  [
    "# This machine's values, over those of [vars], and its secrets. Copy it: cp .dev.vars.example .dev.vars",
    "# Your backend on this machine; npm start -- --demo needs none",
    'BACKEND_URL="http://127.0.0.1:9000"',
    'ALLOW_HTTP="loopback"',
    ...(callers === "keys" ? [] : ["# Who signs the tokens that you try", '# ISSUER="http://127.0.0.1:9001/"']),
    ...(customers === "api"
      ? ['CUSTOMERS_URL="http://127.0.0.1:9002/customers"', 'CUSTOMERS_TOKEN="a-token-for-this-machine"']
      : []),
    "",
  ].join("\n");

/** @param {Options} options */
export const customersJson = ({ customers }) =>
  customers === "api"
    ? "[]\n"
    : `${JSON.stringify([{ customerId: "acme-corp", backendUrl: "https://acme-corp.example.com" }], undefined, 2)}\n`;

/** @param {Options} options */
export const cases = ({
  customers,
}) => `# Who goes where: a test suite. \`npm test\` decides each request offline and in workerd, with the records of data/.
# \`npm start\` prints these requests to paste. All that can be expected: npx pointsman explain --help

[[cases]]
name = "a caller reaches the main backend"
request = { path = "/hello", claims = {} }
expect = { rule = "everybody", backend = "main" }
${
  customers === "api"
    ? `
# The API counts as one that lists nobody here; data/customers.json may have the ones that you want to test.
`
    : `
[[cases]]
name = "acme-corp has a backend of its own"
request = { path = "/hello", claims = { customerId = "acme-corp" } }
expect = { rule = "own-backend", url = "https://acme-corp.example.com/hello", "set.x-customer-id" = "acme-corp" }
`
}
[[cases]]
name = "nobody gets in without a credential"
request = { path = "/hello" }
expect = { status = 401, reason = "credential_missing" }
`;
