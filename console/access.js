// Cloudflare Access before the console: its assertion is verified, so that a way around it is of no use.
import { createRemoteJWKSet, customFetch, jwtVerify } from "jose";
import { callOut, NETWORK } from "../src/edge/outbound.js";

/** @import { Access } from "./types.d.ts" */

/** @type {Map<string, ReturnType<typeof createRemoteJWKSet>>} */
const keySets = new Map();

/** @param {string} team */
function keySetOf(team) {
  const held = keySets.get(team);
  if (held) return held;
  /** @type {import("jose").FetchImplementation} */
  const load = (url, init) => callOut(NETWORK, url, init);
  const keySet = createRemoteJWKSet(new URL(`https://${team}/cdn-cgi/access/certs`), { [customFetch]: load });
  keySets.set(team, keySet);
  return keySet;
}

/**
 * Who it is, by the assertion: { who }, or { why } not.
 * @param {string | undefined} assertion
 * @param {Access} access
 * @returns {Promise<{ who: string | undefined, why?: undefined } | { who?: undefined, why: string }>}
 */
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
    const who = payload.email || payload.common_name || payload.sub;
    return { who: typeof who === "string" ? who : undefined };
  } catch (error) {
    // The code names what failed; the message may quote the token's claims.
    const { code, name } = /** @type {Error & { code?: string }} */ (error);
    return { why: code ?? name };
  }
}
