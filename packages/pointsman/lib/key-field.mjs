// How a client sends an API key or a token: in the first of the fields that a gateway reads it from.

/** @import { Form, Issuer } from "./form.mjs" */

const TENANT = /^[\w-]{1,128}$/;

/**
 * The field's name and its value. The core has the same (`KeyFields::show`).
 * @param {NonNullable<Form["api_keys"]>} settings
 * @param {string} key
 * @returns {[name: string, value: string]}
 */
export function keyField({ header, scheme }, key) {
  const [name] = header;
  // Where Authorization is one of several fields, the schemes are for it alone.
  const isBare = name !== "authorization" && header.includes("authorization");
  const own = isBare ? "" : scheme[0];
  if (own === "") return [name, key];
  if (own.toLowerCase() === "basic") return [name, `${own} ${btoa(`${key}:`)}`];
  return [name, `${own} ${key}`];
}

/**
 * The field's name and its value.
 * @param {Issuer | undefined} issuer whose token it is
 * @param {string} token
 * @returns {[name: string, value: string]}
 */
export function tokenField(issuer, token) {
  const [name] = issuer?.header ?? ["authorization"];
  return [name, name === "authorization" ? `Bearer ${token}` : token];
}

/**
 * The issuer that a token names. Of a text that is no token there is none.
 * @param {Form} form
 * @param {string} token
 */
export function issuerOf({ issuers }, token) {
  try {
    const { iss } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    return issuers.find((issuer) => names(issuer, iss));
  } catch {
    return undefined;
  }
}

/**
 * Whether an issuer's tokens have this `iss`. The core has the same (`IssuerName::fits`).
 * @param {Issuer} issuer
 * @param {unknown} iss
 */
function names({ issuer, tenants }, iss) {
  const [, before, after] = /^([^{}]*)\{[^{}]*\}([^{}]*)$/.exec(issuer) ?? [];
  if (before === undefined || typeof iss !== "string") return issuer === iss;
  const tenant = iss.slice(before.length, iss.length - after.length);
  if (`${before}${tenant}${after}` !== iss || !TENANT.test(tenant)) return false;
  return tenants?.includes(tenant) ?? true;
}
