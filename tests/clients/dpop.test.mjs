// A client of DPoP that somebody else wrote (oauth4webapi): the nonce that the gateway asks for, and calls that pass with it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { calculateJwkThumbprint, exportJWK, generateKeyPair as generateSigner, SignJWT } from "jose";
import * as oauth from "oauth4webapi";
import { openGateway } from "../workerd/support/gateway.mjs";

const AUDIENCE = "https://api.example.com";

let gateway;
let signer;
before(async () => {
  signer = await generateSigner("ES256");
  const jwk = { ...(await exportJWK(signer.publicKey)), kid: "dpop-1", alg: "ES256" };
  const toml = `
[[issuers]]
name = "main"
issuer = "https://id.example.com/"
audience = "${AUDIENCE}"
keys = [${JSON.stringify(jwk).replaceAll('":', '" = ')}]
algorithms = ["ES256"]
dpop = "required"

[dpop]
nonce_secret = "\${NONCE_SECRET}"

[backends.shared]
url = "\${SHARED_BACKEND_URL}"

[[routes]]
path = "/{+path}"
auth = ["main"]
rules = [{ name = "all", to = "shared" }]
`;
  gateway = await openGateway({ toml, bindings: { NONCE_SECRET: "0123456789abcdef0123456789abcdef" } });
});
after(() => gateway?.stop());

async function tokenOf({ publicKey }) {
  const jkt = await calculateJwkThumbprint(await exportJWK(publicKey));
  return new SignJWT({ cnf: { jkt } })
    .setProtectedHeader({ alg: "ES256", kid: "dpop-1", typ: "at+jwt" })
    .setIssuer("https://id.example.com/")
    .setAudience(AUDIENCE)
    .setSubject("user-1")
    .setExpirationTime("5m")
    .sign(signer.privateKey);
}

const request = (token, method, path, DPoP) => {
  const url = new URL(path, `http://127.0.0.1:${gateway.port}`);
  const body = method === "POST" ? "{}" : undefined;
  const options = { DPoP, [oauth.allowInsecureRequests]: true };
  return oauth.protectedResourceRequest(token, method, url, new Headers(), body, options);
};

for (const alg of ["ES256", "PS256", "Ed25519"]) {
  test(`a client with a key for ${alg} is asked for a nonce once, and then passes`, async () => {
    const pair = await oauth.generateKeyPair(alg);
    const token = await tokenOf(pair);
    const proofs = oauth.DPoP({}, pair);
    const refused = await request(token, "GET", "/a?q=1", proofs).catch((error) => error);
    assert.ok(oauth.isDPoPNonceError(refused), String(refused));
    for (const [method, path] of [
      ["GET", "/a?q=1"],
      ["GET", "/a?q=1"],
      ["POST", "/caf%C3%A9/%2F"],
    ]) {
      const answer = await request(token, method, path, proofs);
      assert.equal(answer.status, 200, `${method} ${path}`);
      await answer.body?.cancel();
    }
    const other = oauth.DPoP({}, await oauth.generateKeyPair(alg));
    const stolen = await request(token, "GET", "/a", other).catch((error) => error);
    assert.ok(stolen instanceof oauth.WWWAuthenticateChallengeError, String(stolen));
    const [{ scheme, parameters }] = stolen.cause;
    assert.deepEqual([scheme, parameters.error], ["dpop", "invalid_dpop_proof"]);
  });
}
