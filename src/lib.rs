//! The Worker: Workers in, Workers out. It is the only crate that names the platform; what it hands on and what it
//! asks for is decided in `pointsman-core`.

#[cfg(any(target_arch = "wasm32", edge_check))]
mod edge;

// Beside `edge` and not below it, so that its tests run natively: it names no type of the platform.
#[cfg(any(target_arch = "wasm32", edge_check, test))]
#[path = "edge/wire.rs"]
mod wire;
