// Callers by number: each has an API key and a token, made by rule, so that a million of them need no store.
import { createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { checksum } from "../../demo/keys.mjs";

/** @import { CredentialOrder } from "../types.d.ts" */

export const ISSUER = "https://id.example.com/";
export const AUDIENCE = "https://api.example.com";

const { x, y, kty, crv, d } = JSON.parse(
  readFileSync(new URL("../../fixtures/keys/private.json", import.meta.url), "utf8"),
)["es256-1"];
const key = createPrivateKey({ key: { x, y, kty, crv, d }, format: "jwk" });
export const keySet = { keys: [{ kid: "bench", use: "sig", alg: "ES256", kty, crv, x, y }] };

/** @param {number} number */
export function apiKey(number) {
  const start = `sk_live_BENCH${String(number).padStart(19, "0")}`;
  return `${start}_${checksum(start)}`;
}

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const HEADER = base64url({ alg: "ES256", typ: "JWT", kid: "bench" });

/** The token of that caller; `jti` tells its tokens apart, `claims` are further ones. About 600 bytes long. */
export function token(number, jti = "first", claims = {}) {
  const customer = String(number).padStart(12, "0");
  const usual = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: `user-${customer}`,
    iat: 1785412800,
    exp: 4102444800,
    jti: `${jti}-${number}`,
    azp: "0oa1b2c3d4e5f6g7h8i9",
    scope: "orders:read orders:write invoices:read",
    customerId: `customer-${customer}`,
    environment: "production",
  };
  const input = `${HEADER}.${base64url({ ...usual, ...claims })}`;
  return `${input}.${sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

/** So many further claims, of the size that claims have. */
export const furtherClaims = (count) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`claim_${String(index).padStart(3, "0")}`, `value-${index}`]),
  );

/** Tokens that are seen again: a second signature would make another token of it. */
const signed = new Map();

function sameToken(number, claims) {
  const name = JSON.stringify([number, claims]);
  if (!signed.has(name)) signed.set(name, token(number, "first", claims));
  return signed.get(name);
}

let minted = 0;

/**
 * The credentials of `count` callers from number `from`: "key", "token", "new-token" for tokens that nobody has seen, or
 * "directory-key" for keys that `examples/directory` writes into its shards.
 * @param {CredentialOrder} order
 * @returns {string[]}
 */
export function credentials({ kind, from = 0, count = 1, claims }) {
  /** @type {Record<string, (number: number) => string>} */
  const make = {
    key: (number) => apiKey(number),
    "directory-key": (number) => `key-of-${number}`,
    token: (number) => sameToken(number, claims),
    // Of a hundred callers, as tokens are renewed: the customers are known, the tokens are not.
    "new-token": (number) => token(number % 100, `${process.pid}-${++minted}`, claims),
  };
  return Array.from({ length: count }, (_, index) => make[kind](from + index));
}
