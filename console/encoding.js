// Bytes as text.

/** @type {(bytes: Uint8Array) => string} */
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** @type {(bytes: Uint8Array) => string} */
export const base64url = (bytes) =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

/** @type {(value: unknown) => string} */
export const base64urlJson = (value) => base64url(new TextEncoder().encode(JSON.stringify(value)));

/**
 * SHA-256 in lower-case hexadecimal digits.
 * @type {(text: string) => Promise<string>}
 */
export const digestOf = async (text) =>
  hex(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));
