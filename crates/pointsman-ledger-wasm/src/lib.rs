//! The ledger as a wasm module of its own, for the Durable Object that runs it. The object's JavaScript hands in its database
//! as an ordered map of bytes, the time, and random bytes, and carries out what the ledger asks for.
//!
//! Nothing here decides, and little is here: requests and answers are those of [`pointsman_ledger::Request`]. How they cross
//! stands in [`frames`], which is plain Rust, so that its tests need no wasm.

#[cfg(any(target_arch = "wasm32", edge_check))]
mod bindings;
#[cfg(any(target_arch = "wasm32", edge_check))]
mod entries;
pub mod frames;
