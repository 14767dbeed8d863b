// Tokens of the golden cases' issuers, signed on the spot. Only ES256, which all of them may use.
import { createPrivateKey, sign } from "node:crypto";
import { json } from "./files.mjs";

const keys = json("fixtures/keys/private.json");
const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

const usual = { iss: "https://id.example.com/", aud: "https://api.example.com", sub: "user-1", exp: 4102444800 };

/** A token signed by a key that the test has made. Members of `header` that are undefined are left out. */
export function signedBy(key, header, claims = {}) {
  const input = `${base64url({ typ: "JWT", ...header })}.${base64url({ ...usual, ...claims })}`;
  return `${input}.${sign(`sha${header.alg.slice(2)}`, Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

/** A good token, signed by the key of that name in fixtures/keys/private.json. Members of `claims` win over the usual ones; without a `kid` where that is null. */
export function signed(name, claims = {}, kid = name) {
  return signedBy(
    createPrivateKey({ key: keys[name], format: "jwk" }),
    { alg: "ES256", kid: kid ?? undefined },
    claims,
  );
}

let drawn = 0;

/** A token that no cache has seen. */
export const fresh = (name, claims, kid) => signed(name, { jti: `${++drawn}`, ...claims }, kid);

/** A token of that customer. */
export const tokenOf = (customerId) => signed("es256-1", { customerId });
