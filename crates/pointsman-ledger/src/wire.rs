//! One entry for whoever is not Rust: a request as JSON, and bytes or JSON back.

use pointsman_core::{base::time::Timestamp, directory::log::Revision};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    api::ApiRequest,
    ask::Asked,
    commit::{Commit, CommitError},
    jobs::Done,
    learn::Learned,
    leaving::Leave,
    ledger::{Ledger, RANDOM_BYTES},
    list_run::ListStep,
    listing::{CustomerCursor, CustomerQuery, KeyCursor, KeyQuery},
    look::LookedPage,
    provider::Differences,
    search::Search,
    storage::Storage,
};

/// Something that the ledger is asked, `{"op":"…", …}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "op")]
pub enum Request {
    /// [`Ledger::poll_as`]; the head's bytes.
    Poll {
        /// The newest format that the caller reads; the oldest one where it does not say.
        #[serde(default)]
        format: u8,
    },
    /// [`Ledger::segment`]; one byte, 1 where the segment is whole, before the segment's bytes.
    Segment {
        /// The revision of its first change.
        first: Revision,
    },
    /// [`Ledger::ask`].
    Ask {
        /// The name of a KV entry.
        name: String,
    },
    /// [`Ledger::took_from_kv`].
    TookFromKv {
        /// The name of the KV entry.
        name: String,
        /// Its value.
        value: Option<String>,
        /// Its expiry in seconds since 1970, where that is known.
        expires: Option<u64>,
    },
    /// [`Ledger::file`]; the file's bytes.
    File {
        /// Its name.
        name: String,
    },
    /// [`Ledger::tail`]; the bytes for `directory:head`.
    Tail,
    /// [`Ledger::revocations`]; the bytes for `directory:revocations`.
    Revocations,
    /// [`Ledger::commit`].
    Commit(Commit),
    /// [`Ledger::provide`].
    Provide(Differences),
    /// [`Ledger::provided_page`]; the page's bytes.
    Provided {
        /// The last key of the page before, in hexadecimal; empty for the first page.
        behind: String,
        /// Customers of a page.
        limit: usize,
    },
    /// [`Ledger::learn`].
    Learn(Learned),
    /// A step of a run that takes the config API's list over.
    List {
        /// The step.
        step: ListStep,
    },
    /// [`Ledger::jobs`], and when to call again.
    Jobs,
    /// [`Ledger::done`]; bytes that were read come beside the request.
    Done {
        /// What came of a job.
        done: Done,
    },
    /// [`Ledger::audit`].
    Audit {
        /// The last change that the caller has.
        behind: u64,
        /// Lines at most.
        limit: usize,
    },
    /// [`Ledger::look`].
    Record {
        /// The name of a KV entry.
        name: String,
    },
    /// [`Ledger::look_at_keys`].
    Keys {
        /// Those of this customer.
        customer: Option<String>,
        /// Those of this subject.
        subject: Option<String>,
        /// The `next` of the page before.
        behind: Option<String>,
        /// Keys of a page.
        limit: usize,
    },
    /// [`Ledger::look_at_customers`].
    Customers {
        /// Those whose id begins so.
        prefix: Option<String>,
        /// The `next` of the page before.
        behind: Option<String>,
        /// Customers of a page.
        limit: usize,
    },
    /// [`Ledger::search`]; the error `index` where its index is not built yet.
    Search(Search),
    /// [`Ledger::trail`].
    Trail {
        /// The `next` of the page before.
        before: Option<u64>,
        /// The name of a KV entry.
        name: Option<String>,
        /// A part of what whoever made the change is called.
        actor: Option<String>,
        /// Lines at most.
        limit: usize,
    },
    /// [`Ledger::manage`].
    Manage {
        /// The request.
        request: ApiRequest,
    },
    /// [`Ledger::status`].
    Status,
    /// [`Ledger::accept_removals`].
    AcceptRemovals,
    /// [`Ledger::restored`].
    Restored,
    /// [`Ledger::switch_off`].
    Off(Leave),
    /// [`Ledger::switch_on`].
    On,
}

/// What the ledger answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Bytes in one of the directory's formats.
    Bytes(Vec<u8>),
    /// JSON. An error is `{"error":"…"}`.
    Json(String),
}

impl Answer {
    fn json(value: &impl Serialize) -> Self {
        Self::Json(serde_json::to_string(value).unwrap_or_default())
    }

    fn bytes(bytes: Option<Vec<u8>>) -> Self {
        bytes.map_or_else(|| Self::error("notFound"), Self::Bytes)
    }

    fn error(error: &str) -> Self {
        Self::json(&json!({ "error": error }))
    }

    fn committed<T: Serialize>(result: Result<T, CommitError>) -> Self {
        result.map_or_else(|error| Self::json(&error), |committed| Self::json(&committed))
    }
}

impl<S: Storage> Ledger<S> {
    /// Answers a request. `bytes` are what was read, for a job that reads bytes; `random` is fresh with each call.
    pub fn call(
        &mut self,
        request: &str,
        bytes: Option<&[u8]>,
        now: Timestamp,
        random: [u8; RANDOM_BYTES],
    ) -> Answer {
        let request = match serde_json::from_str(request) {
            Ok(request) => request,
            Err(error) => return Answer::json(&json!({ "error": "request", "message": error.to_string() })),
        };
        match request {
            Request::Poll { .. } if !self.is_on() && !self.state.switched_off => Answer::error("off"),
            Request::Poll { format } => Answer::Bytes(self.poll_as(format, now)),
            Request::Segment { first } => Answer::bytes(self.segment(first).map(|segment| {
                let mut bytes = vec![u8::from(segment.is_whole)];
                bytes.extend_from_slice(&segment.bytes);
                bytes
            })),
            Request::Ask { .. } | Request::TookFromKv { .. } if !self.is_on() => Answer::error("off"),
            Request::Ask { name } => {
                let asked = self.ask(&name, now);
                self.asked(asked)
            }
            Request::TookFromKv { name, value, expires } => {
                let asked = self.took_from_kv(&name, value.as_deref(), expires, now);
                self.asked(asked)
            }
            Request::File { name } => Answer::bytes(self.file(&name)),
            Request::Tail => Answer::Bytes(self.tail()),
            Request::Revocations => Answer::Bytes(self.revocations(now)),
            Request::Commit(commit) => Answer::committed(self.commit(&commit, now)),
            Request::Provide(differences) => Answer::committed(self.provide(&differences, now)),
            Request::Learn(learned) => Answer::committed(self.learn(&learned, now)),
            Request::Provided { behind, limit } => match from_hex(&behind) {
                Some(behind) => Answer::Bytes(self.provided_page(&behind, limit)),
                None => Answer::error("request"),
            },
            Request::List { step: ListStep::Begin } => Answer::committed(self.begin_list()),
            Request::List { step: ListStep::Part(part) } => Answer::committed(self.take_list(&part, now)),
            Request::List { step: ListStep::End(end) } => {
                Answer::committed(self.end_list(&end).map(|()| json!({})))
            }
            Request::Jobs => {
                self.leave(now, random);
                let jobs = self.jobs(now);
                Answer::json(&json!({ "jobs": jobs, "next": self.next_alarm(now).millis() }))
            }
            Request::Done { done } => {
                self.done(&done, bytes, now, random);
                Answer::json(&json!({ "next": self.next_alarm(now).millis() }))
            }
            Request::Audit { behind, limit } => Answer::json(&self.audit(behind, limit)),
            Request::Record { .. }
            | Request::Keys { .. }
            | Request::Customers { .. }
            | Request::Search(..)
                if !self.is_on() =>
            {
                Answer::error("off")
            }
            Request::Search(search) => {
                self.search(&search).map_or_else(|| Answer::error("index"), |found| Answer::json(&found))
            }
            Request::Record { name } => {
                self.look(&name, now).map_or_else(|| Answer::error("name"), |looked| Answer::json(&looked))
            }
            Request::Keys { customer, subject, behind, limit } => {
                paged(behind.as_deref(), KeyCursor::parse, |behind| {
                    let (customer, subject) = (customer.as_deref(), subject.as_deref());
                    self.look_at_keys(&KeyQuery { customer, subject, behind, limit })
                })
            }
            Request::Customers { prefix, behind, limit } => {
                paged(behind.as_deref(), CustomerCursor::parse, |behind| {
                    self.look_at_customers(&CustomerQuery { prefix: prefix.as_deref(), behind, limit })
                })
            }
            Request::Trail { before, name, actor, limit } => {
                Answer::json(&self.trail(before, name.as_deref(), actor.as_deref(), limit))
            }
            Request::Manage { request } => Answer::json(&self.manage(&request, now, random)),
            Request::Status => Answer::Json(self.status(now).to_string()),
            Request::AcceptRemovals => {
                self.accept_removals();
                Answer::json(&json!({}))
            }
            Request::Off(leave) => Answer::committed(self.switch_off(leave, now).map(|()| json!({}))),
            Request::On => {
                self.switch_on();
                Answer::json(&json!({}))
            }
            Request::Restored => {
                self.restored(now, random);
                Answer::json(&json!({ "epoch": self.epoch().to_string() }))
            }
        }
    }

    /// One record as a segment of one change, which has the log's last revision: a follower has to hear nothing older.
    fn asked(&self, asked: Asked) -> Answer {
        match asked {
            Asked::Known(change, revision) => {
                let epoch = self.epoch();
                let changes = vec![change];
                let segment = pointsman_core::directory::log::Segment { epoch, first: revision, changes };
                Answer::Bytes(segment.encode_as(self.format()))
            }
            Asked::Read(name) => Answer::json(&json!({ "read": name })),
            Asked::Invalid => Answer::error("name"),
        }
    }

    /// How the ledger is. It lists nobody.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Value {
        let state = &self.state;
        let complete = self.complete();
        json!({
            "on": self.is_on(),
            "off": state.off,
            "switchedOff": state.switched_off,
            "leaving": self.leaving_status(),
            "epoch": self.epoch().to_string(),
            "revision": state.revision,
            "asOf": self.as_of,
            "records": state.rows,
            "revocations": state.tokens,
            "shards": self.manifest.shards.len(),
            "complete": { "keys": complete.keys, "customers": complete.customers },
            "waitingForShards": state.pending,
            "outstandingWrites": state.outstanding,
            "failingWrites": self.failing_writes(100).len(),
            "format": self.format(),
            "pace": self.polls.pace(),
            "seenInKv": state.seen,
            "lags": state.lags,
            "lastPass": state.passes.last,
            "refusedRemovals": state.passes.refused,
            "now": now.millis(),
        })
    }
}

/// A page behind a cursor, which is the caller's text.
fn paged<C>(
    behind: Option<&str>,
    parse: impl Fn(&str) -> Option<C>,
    look: impl Fn(Option<C>) -> LookedPage,
) -> Answer {
    match behind.map(parse) {
        Some(None) => Answer::error("cursor"),
        behind => Answer::json(&look(behind.flatten())),
    }
}

pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}
