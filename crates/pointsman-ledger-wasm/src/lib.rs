//! The ledger as a wasm module of its own, for the Durable Object that runs it. The object's JavaScript hands in its database
//! as an ordered map of bytes, the time, and random bytes, and carries out what the ledger asks for.
//!
//! Nothing here decides. [`bindings`] exports the ledger's methods under JavaScript's names; how what they take and give is
//! written stands in the other modules, which are plain Rust, so that their tests need no wasm.

#[cfg(any(target_arch = "wasm32", edge_check))]
mod bindings;
#[cfg(any(target_arch = "wasm32", edge_check))]
mod entries;
pub mod frames;
pub mod messages;
