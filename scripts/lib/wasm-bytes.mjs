// The bytes of a wasm file: https://webassembly.github.io/spec/core/binary/.

/** The kind of a section. */
export const SECTION = Object.freeze({ custom: 0, exports: 7 });

/**
 * A number in LEB128, and where it ends.
 * @param {Uint8Array} bytes
 * @param {number} start
 * @returns {[value: number, end: number]}
 */
export function number(bytes, start) {
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
export function text(bytes, at) {
  const [length, start] = number(bytes, at);
  return [bytes.toString("utf8", start, start + length), start + length];
}

/**
 * A number as LEB128.
 * @param {number} value
 */
function encoded(value) {
  const bytes = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/**
 * The file with each section as `change` makes it: it is given the kind and the content, and answers with the content, or
 * with undefined for no such section.
 * @param {Buffer} bytes
 * @param {(kind: number, content: Buffer) => Buffer | undefined} change
 */
export function withSections(bytes, change) {
  const parts = [bytes.subarray(0, 8)];
  for (let at = 8; at < bytes.length; ) {
    const kind = bytes[at];
    const [size, start] = number(bytes, at + 1);
    at = start + size;
    const content = change(kind, bytes.subarray(start, at));
    if (content !== undefined) parts.push(Buffer.from([kind]), encoded(content.length), content);
  }
  return Buffer.concat(parts);
}

/**
 * An export section with those exports alone whose names `isKept` says yes to.
 * @param {Buffer} section
 * @param {(name: string) => boolean} isKept
 */
export function keptExports(section, isKept) {
  const kept = [];
  let [count, at] = number(section, 0);
  for (; count > 0; count -= 1) {
    const [name, kindAt] = text(section, at);
    const [, end] = number(section, kindAt + 1);
    if (isKept(name)) kept.push(section.subarray(at, end));
    at = end;
  }
  return Buffer.concat([encoded(kept.length), ...kept]);
}
