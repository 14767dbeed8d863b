// Every tool version the project depends on and npm does not pin, in one place.
// The wasm-bindgen library and what reads its sections are of one version: Cargo.toml and tools/wasm-bindings/Cargo.toml
// pin it too. Change the three together.
export const WASM_BINDGEN = "0.2.129";
export const WASM_TARGET = "wasm32-unknown-unknown";
// Of the command line, which needs files, arguments and standard streams.
export const WASI_TARGET = "wasm32-wasip1";
// wrangler and miniflare refuse to run on anything older.
export const NODE_MINIMUM = [22, 12];
// Debian's own Rust, with the sources of std: only used where rustup can't download its wasm32 library.
export const DEBIAN_RUST = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];
// The C library of wasm32-wasip1, on which its std stands. rustup's std brings its own along.
export const DEBIAN_WASI = ["wasi-libc"];
