//! What JavaScript needs of the core: text in, JSON text out. The operators' console is its first user, and checks
//! records, mints keys and reads addresses by the very code by which the gateway and the command line do.
//!
//! Nothing here decides. [`bindings`] exports the functions of the other modules under JavaScript's names; these are
//! plain Rust, so that tests need no wasm.

#[cfg(any(target_arch = "wasm32", edge_check))]
mod bindings;
pub mod credentials;
pub mod names;
pub mod records;
pub mod usage;
pub mod usage_breakdown;
