//! Loads what a decision needs, over ports: records and key sets out of the store, from issuers and the config API.
//!
//! The core decides by what is in memory and says what is missing. [`load`] brings that and has it decided again;
//! [`scheduled`] does the same for everybody, before anybody asks.

mod customers;
mod key_sets;
pub mod load;
#[cfg(feature = "native")]
pub mod native;
pub mod ports;
pub mod scheduled;
