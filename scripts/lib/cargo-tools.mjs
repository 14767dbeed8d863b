import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inRoot, tilde, toolsFolder } from "./paths.mjs";
import { must } from "./run.mjs";
import { note, say, stopwatch } from "./say.mjs";
import { WASM_BINDGEN } from "./versions.mjs";

const SOURCE = inRoot("tools", "wasm-bindings");

/** What makes the JavaScript through which a Worker enters its wasm: where it is compiled to, by its version and source. */
export function wasmBindings() {
  const source = ["Cargo.lock", "src/main.rs"].map((file) => readFileSync(join(SOURCE, file)));
  const digest = source
    .reduce((hash, text) => hash.update(text), createHash("sha256"))
    .digest("hex")
    .slice(0, 8);
  const folder = join(toolsFolder(), `wasm-bindings-${WASM_BINDGEN}-${digest}`);
  return { folder, path: join(folder, "bin", "wasm-bindings") };
}

/** Compiles the build tool that is made of Rust packages, once for all clones. */
export async function cargoTools() {
  const { path, folder } = wasmBindings();
  // cargo puts the program there as its last act, so it is whole if it is there.
  if (existsSync(path)) return;
  const elapsed = stopwatch();
  say(
    `wasm-bindgen ${WASM_BINDGEN}: joins the wasm to JavaScript → ${tilde(folder)} (compiled once, about a minute on two cores)`,
  );
  const target = join(folder, "target");
  await must(
    "cargo install of tools/wasm-bindings",
    "cargo",
    ["install", "--locked", "--path", SOURCE, "--root", folder],
    {
      env: { ...process.env, CARGO_TARGET_DIR: target },
      advice: ["Does `cargo search serde` work from here? Is a C compiler installed (cc)?"],
    },
  );
  rmSync(target, { recursive: true, force: true });
  note(`done in ${elapsed()}`);
}
