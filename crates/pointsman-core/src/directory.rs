//! The directory: every key and every customer in the memory of each isolate, which follows a log of changes. A ledger
//! gives every change a [`Revision`](log::Revision); what followers read of it has the formats that stand here.
//! docs/directory.md has the whole.

pub mod bytes;
pub mod follower;
pub mod log;
pub mod pace;
pub mod record_key;
pub mod row;
pub mod shard;
