//! What an isolate has: the checked configuration, the caches, and what follows from both.

pub mod bounds;
pub mod cache;
pub mod config;
pub mod directory;
pub mod memory;
mod overtaken;
pub mod replays;
pub mod route;
mod seeded_hash;
pub mod slot;
pub mod telemetry;
