// A small authorization server on loopback, as clients of MCP find and use one: metadata (RFC 8414), dynamic registration
// (RFC 7591), authorization code with PKCE (RFC 7636). Whoever asks is let in at once.
import { createHash, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

const json = (response, status, body) => {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
};

async function bodyOf(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

/**
 * A started server. `paths` are those that were asked for, `resources` the resources that tokens were asked for.
 * @param {string} audience of the tokens that it gives
 */
export async function startAuthorizationServer(audience) {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const jwk = { ...(await exportJWK(publicKey)), kid: "mcp-1", alg: "ES256", use: "sig" };
  const codes = new Map();
  const asked = { paths: [], resources: [] };
  let issuer;

  const answers = {
    "GET /.well-known/oauth-authorization-server": (_request, response) =>
      json(response, 200, {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        registration_endpoint: `${issuer}/register`,
        response_types_supported: ["code"],
        grant_types_supported: ["authorization_code"],
        code_challenge_methods_supported: ["S256"],
        token_endpoint_auth_methods_supported: ["none"],
        scopes_supported: ["mcp:tools"],
      }),
    "GET /jwks": (_request, response) => json(response, 200, { keys: [jwk] }),
    "POST /register": async (request, response) =>
      json(response, 201, { ...JSON.parse(await bodyOf(request)), client_id: randomUUID() }),
    "GET /authorize": (request, response) => {
      const { searchParams } = new URL(request.url, issuer);
      const code = randomUUID();
      codes.set(code, searchParams.get("code_challenge"));
      const back = new URL(searchParams.get("redirect_uri"));
      back.searchParams.set("code", code);
      back.searchParams.set("iss", issuer);
      if (searchParams.has("state")) back.searchParams.set("state", searchParams.get("state"));
      asked.scope = searchParams.get("scope");
      response.writeHead(302, { location: back.href }).end();
    },
    "POST /token": async (request, response) => {
      const form = new URLSearchParams(await bodyOf(request));
      const challenge = createHash("sha256")
        .update(form.get("code_verifier") ?? "")
        .digest("base64url");
      if (codes.get(form.get("code")) !== challenge) return json(response, 400, { error: "invalid_grant" });
      asked.resources.push(form.get("resource"));
      const token = new SignJWT({ scope: "mcp:tools" })
        .setProtectedHeader({ alg: "ES256", kid: "mcp-1", typ: "at+jwt" })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject("agent-1")
        .setIssuedAt()
        .setExpirationTime("5m");
      return json(response, 200, {
        access_token: await token.sign(privateKey),
        token_type: "Bearer",
        expires_in: 300,
        scope: "mcp:tools",
      });
    },
  };
  const server = createServer((request, response) => {
    const name = `${request.method} ${new URL(request.url, "http://x").pathname}`;
    asked.paths.push(name);
    const answer = answers[name];
    return answer ? answer(request, response) : json(response, 404, {});
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  issuer = `http://127.0.0.1:${server.address().port}`;
  return { issuer, asked, stop: () => server.close() };
}
