// Every tool version the project depends on and npm does not pin, in one place.
// worker-build accepts the wasm-bindgen library up to exactly this CLI's version, and Cargo.toml pins the same one:
// change the three together.
export const WORKER_BUILD = "0.8.7";
export const WASM_BINDGEN = "0.2.129";
export const WASM_TARGET = "wasm32-unknown-unknown";
// wrangler and miniflare refuse to run on anything older.
export const NODE_MINIMUM = [22, 12];
// Debian's own Rust, with the sources of std: only used where rustup can't download its wasm32 library.
export const DEBIAN_RUST = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];
