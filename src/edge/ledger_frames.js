// Several byte strings in one, so that they cross the boundary to the ledger's wasm together: each behind its length, 32 bits
// in network byte order. `crates/pointsman-ledger-wasm/src/frames.rs` is the other end.

const LENGTH_BYTES = 4;

/** @param {Uint8Array[]} parts */
export function join(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + LENGTH_BYTES + length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length);
    bytes.set(part, at + LENGTH_BYTES);
    at += LENGTH_BYTES + part.length;
  }
  return bytes;
}

/**
 * The parts of what was joined, as views of it. Throws where it is cut short.
 * @param {Uint8Array} bytes
 */
export function split(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const parts = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at + LENGTH_BYTES;
    at = start + view.getUint32(at);
    if (at > bytes.length) throw new RangeError("a frame is cut short");
    parts.push(bytes.subarray(start, at));
  }
  return parts;
}
