// How large the Worker is, as it is and compressed as it is counted.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { modules } from "../lib/pointsman.mjs";

export function size() {
  const [script, wasm] = modules().map(({ path }) => readFileSync(path));
  const of = (bytes) => ({ raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length });
  return { wasm: of(wasm), script: of(script) };
}
