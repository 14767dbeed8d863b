//! The ledger beside a KV namespace in memory.

mod commits;
mod passes;
mod properties;
mod shards;
mod world;
