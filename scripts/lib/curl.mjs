// Requests as command lines to paste.

/** @import { ExampleRequest } from "../../demo/types.d.ts" */

/**
 * An argument as a POSIX shell takes it.
 * @type {(text: string) => string}
 */
export const quote = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/**
 * @param {string} base
 * @param {Pick<ExampleRequest, "path" | "expect"> & Partial<ExampleRequest>} request
 */
export function curl(base, { method = "GET", path, headers = {}, body, expect }) {
  const parts = ["curl", typeof expect === "number" ? "-si" : "-s"];
  // A body makes it a POST.
  if (method !== "GET" && body === undefined) parts.push("-X", method);
  parts.push(quote(`${base}${path}`));
  for (const [name, value] of Object.entries(headers)) parts.push("-H", quote(`${name}: ${value}`));
  if (body !== undefined) parts.push("-d", quote(body));
  return parts.join(" ");
}
