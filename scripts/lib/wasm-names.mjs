// The names of functions in a wasm file: a tenth of what is uploaded, and only stack traces show them.

/**
 * A number in LEB128, and where it ends.
 * @param {Uint8Array} bytes
 * @param {number} start
 * @returns {[value: number, end: number]}
 */
function number(bytes, start) {
  let value = 0;
  for (let at = start, shift = 0; ; at += 1, shift += 7) {
    value += (bytes[at] & 0x7f) * 2 ** shift;
    if (bytes[at] < 0x80) return [value, at + 1];
  }
}

/**
 * A length and so many bytes as text, and where they end.
 * @param {Buffer} bytes
 * @param {number} at
 * @returns {[value: string, end: number]}
 */
function text(bytes, at) {
  const [length, start] = number(bytes, at);
  return [bytes.toString("utf8", start, start + length), start + length];
}

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
  const kept = [bytes.subarray(0, 8)];
  /** @type {string[]} */
  let names = [];
  for (let at = 8; at < bytes.length; ) {
    const [size, start] = number(bytes, at + 1);
    const end = start + size;
    if (bytes[at] !== 0) kept.push(bytes.subarray(at, end));
    else {
      const [title, rest] = text(bytes, start);
      if (title === "name") names = functionNames(bytes.subarray(rest, end));
    }
    at = end;
  }
  return { wasm: Buffer.concat(kept), names };
}
