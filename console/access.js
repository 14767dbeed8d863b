// Cloudflare Access before the console: its assertion is verified, so that a way around it is of no use.
import { createRemoteJWKSet, customFetch, jwtVerify } from "jose";
import { callOut, NETWORK } from "../src/edge/outbound.js";

const keySets = new Map();

function keySetOf(team) {
  const load = (url, init) => callOut(NETWORK, url, init);
  if (!keySets.has(team))
    keySets.set(team, createRemoteJWKSet(new URL(`https://${team}/cdn-cgi/access/certs`), { [customFetch]: load }));
  return keySets.get(team);
}

/** Who it is, by the assertion: { who }, or { why } not. */
export async function verifyAccess(assertion, { team, audience }) {
  if (!assertion) return { why: "no Cf-Access-Jwt-Assertion" };
  try {
    const options = {
      issuer: `https://${team}`,
      audience,
      algorithms: ["RS256", "ES256"],
      requiredClaims: ["exp", "iat"],
    };
    const { payload } = await jwtVerify(assertion, keySetOf(team), options);
    return { who: payload.email || payload.common_name || payload.sub };
  } catch (error) {
    // The code names what failed; the message may quote the token's claims.
    return { why: error.code ?? error.name };
  }
}
