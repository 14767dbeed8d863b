// How a client sends an API key in the first of the fields that a gateway reads keys from.

/** @import { Form } from "./form.mjs" */

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
