//! Loads what a decision needs, over ports: records and key sets out of the store, from issuers and the config API.
//!
//! The core decides by what is in memory and says what is missing. [`loader`] brings that and has it decided again, by
//! one loader for each class of what can be missing; [`scheduled`] does the same for everybody, before anybody asks.

pub mod announced;
mod answered;
mod api_keys;
mod authorization;
mod cold;
mod config_api;
mod customers;
mod directory;
mod hosts;
mod introspection;
mod key_sets;
mod leases;
mod lessons;
mod load_for;
pub mod loader;
#[cfg(feature = "native")]
pub mod native;
pub mod ports;
mod refresh_state;
pub mod scheduled;
mod signatures;
mod store;
