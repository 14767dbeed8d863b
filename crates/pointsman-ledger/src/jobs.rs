//! What is to be done outside: what the object's JavaScript is asked for, and what came of it.

use pointsman_core::{
    base::{digest::Digest, time::Timestamp},
    directory::bytes::hex,
};
use serde::{Deserialize, Serialize};

use crate::{
    ledger::Ledger,
    outbox::{Write, Written},
    state::Standing,
    storage::Storage,
};

/// Writes that are handed out together.
const WRITES_AT_ONCE: usize = 20;

/// Something to be done outside.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "job")]
pub enum Job {
    /// Writes or deletes an entry of KV.
    Write(Write),
    /// Reads the bytes of an entry of KV, with the shortest `cacheTtl`.
    ReadBytes {
        /// The name of the entry.
        name: String,
    },
    /// Reads the texts of some entries of KV at once, with the shortest `cacheTtl`.
    ReadTexts {
        /// At most a hundred names.
        names: Vec<String>,
    },
    /// Writes bytes under a name of KV.
    WriteBytes {
        /// The name of the entry.
        name: String,
        /// The bytes; apart from the JSON.
        #[serde(skip)]
        bytes: Vec<u8>,
    },
    /// Deletes an entry of KV that is no record.
    Delete {
        /// The name of the entry.
        name: String,
    },
    /// Lists a page of KV.
    List {
        /// What names begin with.
        prefix: String,
        /// Where the last page ended; none for the first.
        cursor: Option<String>,
    },
}

/// An entry of a page.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// When KV drops it, in seconds since 1970.
    pub expiration: Option<u64>,
    /// The `sha256` of its metadata.
    pub sha256: Option<String>,
}

/// What came of a job.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "job")]
pub enum Done {
    /// Of a write.
    Write(Written),
    /// Of a read of bytes.
    ReadBytes {
        /// The name of the entry.
        name: String,
        /// The bytes, where there were any; apart from the JSON.
        #[serde(skip)]
        bytes: Option<Vec<u8>>,
        /// Whether KV answered.
        well: bool,
    },
    /// Of a read of texts, in the order of the names; none where KV did not answer.
    ReadTexts {
        /// The names.
        names: Vec<String>,
        /// What stood under each.
        texts: Option<Vec<Option<String>>>,
    },
    /// Of a write of bytes.
    WriteBytes {
        /// The name of the entry.
        name: String,
        /// Whether KV took it.
        well: bool,
    },
    /// Of a deletion.
    Delete {
        /// The name of the entry.
        name: String,
        /// Whether KV took it.
        well: bool,
    },
    /// Of a page.
    List {
        /// What names begin with.
        prefix: String,
        /// Where the last page ended.
        cursor: Option<String>,
        /// The entries, in the order of their names; none where KV did not answer.
        entries: Option<Vec<Listed>>,
        /// Where this page ends; none where it is the last one.
        next: Option<String>,
    },
}

/// The name of the entry that isolates begin with while the ledger is silent.
pub(crate) const HEAD_NAME: &str = "directory:head";
/// The name of the entry with the key of the heads' HMAC.
pub(crate) const SECRET_NAME: &str = "directory:secret";

impl<S: Storage> Ledger<S> {
    /// What is due outside. Each job is handed out once, and again where nothing was heard of it for long.
    pub fn jobs(&mut self, now: Timestamp) -> Vec<Job> {
        if self.state.standing == Standing::Starting {
            return vec![Job::ReadBytes { name: HEAD_NAME.to_owned() }];
        }
        if self.state.standing == Standing::Off {
            return Vec::new();
        }
        self.expire(now);
        let mut jobs: Vec<_> = self.due_writes(now, WRITES_AT_ONCE).into_iter().map(Job::Write).collect();
        jobs.extend(self.due_backup(now));
        jobs.extend(self.due_publication(now));
        if jobs.is_empty() {
            jobs.extend(self.due_pass(now));
        }
        self.save();
        jobs
    }

    /// Takes note of what came of a job.
    pub fn done(&mut self, done: Done, now: Timestamp) {
        match done {
            Done::Write(written) => self.written(&written, now),
            Done::ReadBytes { name, bytes, well } if name == HEAD_NAME => {
                if well {
                    self.start(bytes.as_deref(), now);
                }
            }
            Done::ReadBytes { name, bytes, .. } => {
                let hash = bytes.map(|bytes| hex(Digest::of(&bytes).bytes()));
                self.read_back(&name, hash.as_deref(), now);
            }
            Done::ReadTexts { names, texts: Some(texts) } => {
                for (name, text) in names.iter().zip(texts) {
                    self.took_listed(name, text.as_deref(), now);
                }
            }
            Done::WriteBytes { name, well } if name == HEAD_NAME || name == SECRET_NAME => {
                self.backed_up(&name, well, now);
            }
            Done::WriteBytes { name, well } => self.shard_written(&name, well, now),
            Done::Delete { name, well } => self.deleted(&name, well),
            Done::List { prefix, cursor, entries: Some(entries), next } => {
                self.took_page(&prefix, cursor.as_deref(), &entries, next, now);
            }
            Done::ReadTexts { .. } | Done::List { .. } => self.pause_pass(now),
        }
        self.save();
    }

    /// When jobs are due next, in milliseconds since 1970; `None` where nothing waits.
    #[must_use]
    pub fn next_alarm(&self, now: Timestamp) -> Option<u64> {
        match self.state.standing {
            Standing::Starting => Some(now.millis()),
            Standing::Off => None,
            Standing::On => {
                let due = [
                    self.next_write(),
                    self.next_backup(now),
                    self.next_publication(),
                    self.next_pass(now),
                    self.next_end(),
                ];
                due.into_iter().flatten().min()
            }
        }
    }
}
