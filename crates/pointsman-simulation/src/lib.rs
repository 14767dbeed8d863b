//! A simulation of the directory: the real ledger over a database in memory, the real follower and loader in isolates, and a
//! platform that is as late and as unreliable as the real one may be. Everything happens in virtual time and by one seed, so
//! that each run can be had again.
//!
//! At each request five things are checked: that nobody reaches another customer's backend (1); that nobody is let in
//! without a credential that was issued (2); that nothing that was revoked or replaced is accepted later than
//! `max_staleness` after that was answered, while the isolate hears the ledger, or always where `on_failure` is `"closed"`
//! (3); that, where it is `"open"`, nobody is refused who is known and is served by data still held, but for whom KV lacks or
//! has disabled while the ledger has been silent for a minute (4); and that nothing
//! comes back of which the isolate has heard that it counts no more, whatever KV lists, whoever is silent and whichever
//! epoch begins (5). What was only replaced, not removed, may come back in the next epoch, until the passes of a ledger that
//! was restored have found the other value in KV.
//!
//! Two Workers share the namespace and bind the one ledger: they differ in `max_staleness` and `on_failure`. The scheduled
//! Worker hands the config API's list over by the loader's own code. Records end by KV expiries, which is checked of those
//! that the ledger was told of; when it hears of an expiry that somebody wrote by hand depends on its passes.
//!
//! Not simulated: heads in a location's cache without the right HMAC, which the edge drops before the core sees them;
//! several namespaces; and formats of other versions.

// What is indexed is picked among what is there, and a simulation that is wrong may end at once.
#![allow(clippy::indexing_slicing)]

mod config_api;
mod executor;
mod host;
mod isolate;
mod kv;
mod operators;
mod request;
mod run;
mod truth;
mod world;

pub use self::run::{Report, Violation, simulate};
