//! The ledger of the directory: it gives every change of keys, customers and revocations a revision, in order, and keeps who
//! made it. docs/directory.md has the whole.
//!
//! Pure and synchronous. It works over one ordered map of bytes ([`Storage`]), and time and random bytes come from outside.
//! Each method of [`Ledger`] that takes `&mut self` is one transaction. What is to be done outside it hands out as
//! [`Job`]s, and is told what came of them ([`Done`]):
//!
//! ```text
//! Ledger::open(storage, settings, now, random)
//!   poll(now) → head          segment(first) → part of the log       shard bytes are read from KV by followers
//!   ask(name, known, now) → a segment with that one change, or the KV entry that is to be read
//!   commit(Commit) → Committed | CommitError
//!   jobs(now) → [Job]         done(Done, now)        next_alarm(now) → when jobs are due
//!   tail() → head with all changes that no shard holds              status(now) → for operators
//! ```

mod ask;
mod commit;
mod entries;
mod jobs;
mod keyspace;
mod ledger;
mod log;
mod operation;
mod outbox;
mod pass;
mod poll;
mod provided;
mod publication;
mod record;
mod rows;
mod settings;
mod start;
mod state;
mod status;
mod storage;
mod tokens;
mod waiting;
mod window;

#[cfg(test)]
mod tests;

pub use self::{
    ask::Asked,
    commit::{Commit, CommitError, Committed, Edit, Fault, MOST_EDITS},
    jobs::{Done, Job, Listed},
    ledger::{Ledger, RANDOM_BYTES},
    log::SegmentBytes,
    operation::Audit,
    outbox::{Write, Written},
    provided::{Provide, ProvideError, Says},
    settings::{Settings, Source},
    storage::{MemoryStorage, Storage},
    tokens::{MOST_REVOCATIONS, Revocation, RevokedBy},
};
