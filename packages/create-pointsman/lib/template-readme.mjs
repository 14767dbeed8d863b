// README.md of a new gateway.

/** @import { Options } from "./options.mjs" */

/**
 * @param {Options} options
 * @param {string} wrangler the name of wrangler's file
 */
export const readme = ({ name, callers, customers, from }, wrangler) => `# ${name}

An API gateway, by [Pointsman](node_modules/pointsman/README.md) on Cloudflare Workers: who calls, and where do their
requests go?

| | |
| --- | --- |
| \`gateway.toml\` | who may call, and where each caller's requests go |
| \`${wrangler}\` | name, variables by environment, what is bound |
| \`data/\` | customers and keys, as \`npx pointsman plan data\` compares them with what is deployed. Keys stand there as digests |
| \`cases/\` | requests, and where they must go: a test suite |
| \`worker.js\` | the Worker's main module; code around the gateway goes there |

\`\`\`sh
npm install
npm start -- --demo      # on this machine, with a demo in place of your backends; each save is live
cp .dev.vars.example .dev.vars && npm start    # with your own backends
npm test                 # the check, and cases/: offline and in workerd
npm run deploy -- --env staging
npm run deploy
npm update pointsman && npx pointsman check    # a new version, and what it wants of gateway.toml
\`\`\`

## First steps

1. Set \`BACKEND_URL\` in \`${wrangler}\`, for staging too.${callers === "keys" ? "" : "\n   Set `ISSUER` there, and `audience` in `gateway.toml`: `iss` and `aud` of your tokens."}${
  from ? "\n   The import left comments in `gateway.toml` where something is to be done by hand." : ""
}
2. \`npx wrangler login\`, then \`npm run deploy\`.
${
  callers === "tokens"
    ? ""
    : `3. A key for your first caller, shown once:
   \`npx pointsman keys create --prefix sk_live --subject acme-ci --claims '{"customerId":"acme-corp"}' --remote\`
`
}${callers === "tokens" ? "3" : "4"}. ${
  customers === "api"
    ? "Your API lists the customers: `CUSTOMERS_URL` and the secret `CUSTOMERS_TOKEN`."
    : "Customers with a backend of their own: `data/customers.json`, then `npx pointsman apply data --remote`."
}

\`.github/workflows/gateway.yml\` does all this on GitHub: it says which secrets it needs.
`;
