// Requests as command lines to paste.

/** An argument as a POSIX shell takes it. */
export const quote = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export function curl(base, { method = "GET", path, headers = {}, expect }) {
  const parts = ["curl", typeof expect === "number" ? "-si" : "-s"];
  if (method !== "GET") parts.push("-X", method);
  parts.push(quote(`${base}${path}`));
  for (const [name, value] of Object.entries(headers)) parts.push("-H", quote(`${name}: ${value}`));
  return parts.join(" ");
}
