// The official client of MCP against the gateway: from a 401 over the metadata of the route to the authorization server, which
// registers it and gives it a token, and to the call of a tool behind the gateway.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import { openGateway } from "../workerd/support/gateway.mjs";
import { startAuthorizationServer } from "./support/authorization-server.mjs";
import { startMcpServer } from "./support/mcp-server.mjs";

const AUDIENCE = "https://tools.example.com";

let gateway;
let issuer;
let server;
before(async () => {
  [issuer, server] = await Promise.all([startAuthorizationServer(AUDIENCE), startMcpServer()]);
  const toml = `
allow_http = "loopback"

[[issuers]]
name = "main"
issuer = "${issuer.issuer}"
audience = "${AUDIENCE}"
jwks_url = "${issuer.issuer}/jwks"
algorithms = ["ES256"]

[backends.tools]
url = "${server.url}"

[[routes]]
path = "/mcp"
methods = ["GET", "POST", "DELETE"]
auth = ["main"]
require = { scope = { has = "mcp:tools" } }
resource = { scopes = ["mcp:tools"], name = "Tools" }
rules = [{ name = "all", to = "tools" }]
`;
  gateway = await openGateway({ toml, network: true });
});
after(async () => {
  await gateway?.stop();
  server?.stop();
  issuer?.stop();
});

/** What the client keeps between its steps; a browser is played by following the redirect. */
function newProvider() {
  const kept = {};
  return {
    kept,
    redirectUrl: "http://127.0.0.1:1/callback",
    clientMetadata: {
      client_name: "test",
      redirect_uris: ["http://127.0.0.1:1/callback"],
      grant_types: ["authorization_code"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    },
    clientInformation: () => kept.client,
    saveClientInformation: (client) => {
      kept.client = client;
    },
    tokens: () => kept.tokens,
    saveTokens: (tokens) => {
      kept.tokens = tokens;
    },
    discoveryState: () => kept.discovery,
    saveDiscoveryState: (discovery) => {
      kept.discovery = discovery;
    },
    codeVerifier: () => kept.verifier,
    saveCodeVerifier: (verifier) => {
      kept.verifier = verifier;
    },
    redirectToAuthorization: async (url) => {
      const answer = await fetch(url, { redirect: "manual" });
      kept.back = new URL(answer.headers.get("location")).searchParams;
    },
  };
}

test("from a 401 to the call of a tool, with nothing but the route's URL", async () => {
  const url = new URL(`http://127.0.0.1:${gateway.port}/mcp`);
  const provider = newProvider();
  const open = () => new StreamableHTTPClientTransport(url, { authProvider: provider });

  const first = open();
  await assert.rejects(new Client({ name: "test", version: "1" }).connect(first), UnauthorizedError);
  await first.finishAuth(provider.kept.back);
  assert.deepEqual(issuer.asked.resources, [url.href], "the token is asked for this resource");
  assert.equal(issuer.asked.scope, "mcp:tools");

  const client = new Client({ name: "test", version: "1" });
  await client.connect(open());
  const { tools } = await client.listTools();
  assert.deepEqual(
    tools.map(({ name }) => name),
    ["whoami"],
  );
  const { content } = await client.callTool({ name: "whoami", arguments: {} });
  assert.deepEqual(content, [{ type: "text", text: "agent-1" }]);
  await client.close();

  assert.ok(server.calls.includes("tools/call"));
  assert.ok(!server.heads.some(({ authorization }) => authorization), "the token stays at the gateway");
  assert.ok(issuer.asked.paths.includes("POST /register"));
});
