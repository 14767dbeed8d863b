//! The ledger beside a KV namespace in memory.

mod api;
mod bootstrap;
mod commits;
mod formats;
mod hosts;
mod indexes;
mod leaving;
mod listing;
mod looking;
mod passes;
mod properties;
mod restores;
mod scenarios;
mod searching;
mod shards;
mod sizes;
mod world;
