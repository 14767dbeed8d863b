// Tokens of the golden cases' issuers, signed on the spot. Only ES256, which all of them may use.
import { createPrivateKey, sign } from "node:crypto";
import { json } from "./files.mjs";

const keys = json("fixtures/keys/private.json");
const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A good token, signed by the key of that name in fixtures/keys/private.json. Members of `claims` win over the usual ones. */
export function signed(name, claims = {}, kid = name) {
  const usual = { iss: "https://id.example.com/", aud: "https://api.example.com", sub: "user-1", exp: 4102444800 };
  const input = `${base64url({ alg: "ES256", typ: "JWT", kid })}.${base64url({ ...usual, ...claims })}`;
  const key = createPrivateKey({ key: keys[name], format: "jwk" });
  return `${input}.${sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

let drawn = 0;

/** A token that no cache has seen. */
export const fresh = (name, claims, kid) => signed(name, { jti: `${++drawn}`, ...claims }, kid);

/** A token of that customer. */
export const tokenOf = (customerId) => signed("es256-1", { customerId });
