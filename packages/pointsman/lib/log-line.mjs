/**
 * A log line of the Worker for human eyes: the members of a JSON object as name=value, anything else as it is.
 * @param {string} line
 */
export function readable(line) {
  let entry;
  try {
    entry = JSON.parse(line);
  } catch {
    return line;
  }
  if (entry === null || typeof entry !== "object" || Array.isArray(entry)) return line;
  /** @type {string[]} */
  const parts = [];
  /** @type {(value: unknown, name: string) => void} */
  const walk = (value, name) => {
    if (value === null || value === undefined) return;
    if (typeof value === "object" && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value)) walk(inner, name ? `${name}.${key}` : key);
    } else {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      parts.push(`${name}=${/[\s"]/.test(text) ? JSON.stringify(text) : text}`);
    }
  };
  walk(entry, "");
  return parts.join(" ");
}
