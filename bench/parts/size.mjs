// How large the Worker is, as it is and compressed as it is counted.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { folder } from "../lib/pointsman.mjs";

export function size() {
  const [script, wasm] = ["index.js", "index_bg.wasm"]
    .map((name) => join(folder(), name))
    .map((path) => readFileSync(path));
  const of = (bytes) => ({ raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length });
  return { wasm: of(wasm), script: of(script) };
}
