// How byte strings cross the boundary to the ledger's wasm. `crates/pointsman-ledger-wasm/src/frames.rs` is the other end.

const LENGTH_BYTES = 4;

/**
 * Several byte strings in one, each behind its length in 32 bits in network byte order.
 * @param {Uint8Array[]} parts
 */
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

const JSON_TEXT = 1;

/**
 * An answer of the ledger's: bytes in one of the directory's formats, or what JSON says.
 * @param {Uint8Array} bytes
 * @returns {{ bytes: Uint8Array } | { json: unknown }}
 */
export function readAnswer(bytes) {
  const content = bytes.subarray(1);
  return bytes[0] === JSON_TEXT ? { json: JSON.parse(new TextDecoder().decode(content)) } : { bytes: content };
}
