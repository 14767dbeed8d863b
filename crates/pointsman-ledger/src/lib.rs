//! The ledger: one place that gives every change of keys, customers and revocations a revision, in order, and keeps who
//! made it. docs/directory.md has the whole.
//!
//! Nothing here waits, asks a clock, draws a random number or knows a platform. A [`Ledger`] stands on a [`Storage`], and
//! each of its calls is one transaction of it. After a transaction that was not kept, [`Ledger::reload`] has to be called.
//!
//! | call | who makes it |
//! | --- | --- |
//! | [`Ledger::poll`], [`Ledger::segment`], [`Ledger::file`] | followers |
//! | [`Ledger::ask`], then [`Ledger::took_from_kv`] where it answers [`Asked::Read`] | followers, about one record |
//! | [`Ledger::commit`], [`Ledger::audit`], [`Ledger::accept_removals`], [`Ledger::restored`], [`Ledger::switch_off`], [`Ledger::switch_on`] | operators |
//! | [`Ledger::keys_page`], [`Ledger::customers_page`] | whoever lists keys or customers for operators |
//! | [`Ledger::look`], [`Ledger::look_at_keys`], [`Ledger::look_at_customers`], [`Ledger::trail`] | operators who look at something |
//! | [`Ledger::begin_list`], [`Ledger::provided_page`], [`Ledger::take_list`], [`Ledger::end_list`] | the scheduled Worker |
//! | [`Ledger::learn`] | whoever asked the config API for one customer (`by_id`) |
//! | [`Ledger::provide`] | whoever knows what the config API says of some customers |
//! | [`Ledger::jobs`], [`Ledger::done`], [`Ledger::next_alarm`] | the ledger's own alarm |
//!
//! [`Ledger::call`] is all of these with a JSON request ([`Request`]), for a caller in JavaScript.
//!
//! **Work outside** comes as [`Job`]s, and is reported as [`Done`]. An alarm sets the next one first, then takes the jobs,
//! does them, and reports each in a call of its own. What is never reported is given out again, so an instance may end at
//! any time. A new ledger is off until it has been told what `directory:head` holds: another ledger may be at work.
//!
//! **Shards can hold rows that the log never had**: more than a thousand additions within a minute, and all that the first
//! pass finds. Before such a shard is built, the log gets the change [`Change::reload_of`] its prefix: a follower that has
//! loaded an older shard loads this one once the manifest names it.
//!
//! [`Change::reload_of`]: pointsman_core::directory::log::Change::reload_of

#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::string_slice))]

mod api;
mod ask;
mod backup;
mod building;
mod commit;
mod formats;
mod hosts;
mod index;
mod jobs;
mod judge;
mod keyspace;
mod learn;
mod leaving;
mod ledger;
mod list_run;
mod listing;
mod log;
mod look;
mod operation;
mod outbox;
mod pass;
mod poll;
mod provider;
mod reads;
mod record;
mod rows;
mod search;
mod settings;
mod shards;
mod state;
mod storage;
mod sweep;
mod tokens;
mod waiting;
mod window;
mod wire;

pub use self::{
    api::{ApiAnswer, ApiRequest, EntriesRead, Fields, Reply, Signature},
    ask::Asked,
    backup::{HEAD_NAME, REVOCATIONS_NAME, SECRET_NAME, TOUCHED_NAME},
    commit::{Commit, CommitError, Committed, Edit, Fault, MOST_EDITS},
    jobs::{Done, Job},
    learn::{Learned, Learnt, Lesson, Taken},
    leaving::Leave,
    ledger::{Ledger, RANDOM_BYTES},
    list_run::{ListEnd, ListPart, ListRun, ListStep, Unlisted},
    listing::{
        CustomerCursor, CustomerItem, CustomerQuery, KeyCursor, KeyItem, KeyQuery, MOST_LISTED,
        OperatorRecord, ProviderRecord, RecordPage,
    },
    log::SegmentBytes,
    look::{Looked, LookedPage, Trail},
    operation::Audit,
    outbox::{Write, Written},
    pass::{ListJob, Listed, Page},
    provider::{Difference, Differences, MOST_DIFFERENCES, Provision, Says, content_digest, provided_key},
    reads::ReadEntry,
    record::Leaked,
    search::{Found, Search, SearchBy},
    settings::{LeakAction, Settings, Source},
    shards::FileJob,
    storage::{KeyText, MemoryStorage, Part, SearchPage, Storage},
    tokens::{MOST_REVOCATIONS, Revocation, RevokedBy},
    wire::{Answer, Request},
};

#[cfg(test)]
mod tests;
