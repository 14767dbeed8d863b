// The names of functions in a wasm file: a tenth of what is uploaded, and only stack traces show them.

import { number, SECTION, text, withSections } from "./wasm-bytes.mjs";

/**
 * The lines `index name` of a name section's functions.
 * @param {Buffer} section
 */
function functionNames(section) {
  for (let at = 0; at < section.length; ) {
    const kind = section[at];
    const [size, start] = number(section, at + 1);
    at = start + size;
    if (kind !== 1) continue;
    const lines = [];
    let [count, next] = number(section, start);
    for (; count > 0; count -= 1) {
      let index;
      let name;
      [index, next] = number(section, next);
      [name, next] = text(section, next);
      lines.push(`${index} ${name}`);
    }
    return lines;
  }
  return [];
}

/**
 * A wasm file without its custom sections, which no engine needs, and the names of its functions.
 * @param {Buffer} bytes
 */
export function withoutNames(bytes) {
  /** @type {string[]} */
  let names = [];
  const wasm = withSections(bytes, (kind, content) => {
    if (kind !== SECTION.custom) return content;
    const [title, rest] = text(content, 0);
    if (title === "name") names = functionNames(content.subarray(rest));
    return undefined;
  });
  return { wasm, names };
}
