// The identity provider of the demo: publishes the public halves of the test keys in fixtures/demo and signs tokens.
import { readFileSync } from "node:fs";
import { importJWK, SignJWT } from "jose";
import { ISSUER_HOST } from "./hosts.mjs";

/** @import { JWK } from "jose" */
/** @import { Issuer } from "./types.d.ts" */

export const ISSUER = `https://${ISSUER_HOST}/`;
export const AUDIENCE = "https://api.example.com";
// For the HS256 issuer of a configuration that has one.
export const JWT_SECRET = "demo-only-hs256-secret-of-more-than-32-bytes";

const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi"];
/** @type {(JWK & { alg: string })[]} */
const privateKeys = JSON.parse(
  readFileSync(new URL("../fixtures/demo/issuer-keys.json", import.meta.url), "utf8"),
).keys;

/** @type {(jwk: JWK) => JWK} */
const publicHalf = (jwk) => Object.fromEntries(Object.entries(jwk).filter(([name]) => !PRIVATE_MEMBERS.includes(name)));

/**
 * `jwks` and `discovery` are what it serves; tests may change them as they go.
 * @returns {Issuer}
 */
export function createIssuer() {
  /** @type {Issuer} */
  const issuer = {
    handle,
    jwks: { keys: privateKeys.map(publicHalf) },
    discovery: {
      issuer: ISSUER,
      jwks_uri: `${ISSUER}.well-known/jwks.json`,
      id_token_signing_alg_values_supported: privateKeys.map((key) => key.alg),
      response_types_supported: ["id_token"],
      subject_types_supported: ["public"],
    },
  };
  return issuer;

  /** @type {Issuer["handle"]} */
  function handle(request, response) {
    request.resume();
    /** @type {Record<string, object>} */
    const documents = { "/.well-known/jwks.json": issuer.jwks, "/.well-known/openid-configuration": issuer.discovery };
    const body = documents[(request.url ?? "").split("?")[0]];
    response.writeHead(body ? 200 : 404, { "content-type": "application/json" });
    response.end(`${JSON.stringify(body ?? { error: "not found" })}\n`);
  }
}

/**
 * A token of the demo's issuer. Members of `claims` win over the usual ones, so a test can make a wrong one.
 * @param {object} claims
 * @param {{ alg?: string, expiresIn?: number, now?: number, header?: object }} [options]
 */
export async function mintToken(
  claims,
  { alg = "ES256", expiresIn = 24 * 3600, now = Math.floor(Date.now() / 1000), header = {} } = {},
) {
  const usual = { iss: ISSUER, aud: AUDIENCE, sub: "demo-user", iat: now, exp: now + expiresIn };
  const jwt = new SignJWT({ ...usual, ...claims });
  if (alg === "HS256")
    return jwt.setProtectedHeader({ alg, typ: "JWT", ...header }).sign(new TextEncoder().encode(JWT_SECRET));
  const jwk = privateKeys.find((key) => key.alg === alg);
  if (!jwk) throw new RangeError(`no demo key for ${alg}`);
  return jwt.setProtectedHeader({ alg, kid: jwk.kid, typ: "JWT", ...header }).sign(await importJWK(jwk, alg));
}
