//! The ledger: one place that gives every change of keys, customers and revocations a revision, in order, and keeps who
//! made it. docs/directory.md has the whole.
//!
//! Nothing here waits, asks a clock, draws a random number or knows a platform. A [`Ledger`] stands on a [`Storage`], and
//! each of its calls is one transaction of it. After a transaction that was not kept, [`Ledger::reload`] has to be called.
//!
//! | call | who makes it |
//! | --- | --- |
//! | [`Ledger::poll`], [`Ledger::segment`], [`Ledger::ask`], [`Ledger::took_from_kv`] | followers |
//! | [`Ledger::commit`], [`Ledger::audit`] | operators |

mod ask;
mod commit;
mod judge;
mod keyspace;
mod ledger;
mod log;
mod operation;
mod outbox;
mod poll;
mod record;
mod rows;
mod settings;
mod state;
mod storage;
mod tokens;
mod waiting;
mod window;

pub use self::{
    ask::Asked,
    commit::{Commit, CommitError, Committed, Edit, Fault, MOST_EDITS},
    ledger::{Ledger, RANDOM_BYTES},
    log::SegmentBytes,
    operation::Audit,
    outbox::{Write, Written},
    settings::{Settings, Source},
    storage::{MemoryStorage, Storage},
    tokens::{MOST_REVOCATIONS, Revocation, RevokedBy},
};
