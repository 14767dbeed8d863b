//! What is asked about one record: past the location's cache, and, where the ledger has none, with a read of KV.

use pointsman_core::{
    base::time::Timestamp,
    directory::{
        log::{Change, Revision},
        record_key::RecordKey,
    },
};

use crate::{
    ledger::{Cause, Ledger},
    rows::Entry,
    storage::Storage,
};

/// Reads of KV that the ledger makes a second for those who ask.
const MOST_READS: u32 = 10;

/// What the ledger answers about one record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Asked {
    /// The record as it is, or that it is not there; and the last change of the log, which is no newer.
    Known(Change, Revision),
    /// The ledger has none: this KV entry is to be read (`cacheTtl` 30) and handed to [`Ledger::took_from_kv`].
    Read(String),
    /// This is no name of a record.
    Invalid,
}

impl<S: Storage> Ledger<S> {
    /// What there is of the record with this KV name (`key:<digest>`, `customer:<id>`). `known` is the last change that the
    /// caller knows.
    pub fn ask(&mut self, name: &str, known: Revision, now: Timestamp) -> Asked {
        let Some(entry) = Entry::of_name(name) else { return Asked::Invalid };
        let key = entry.record_key();
        let answer = self.known(key, now);
        if let Asked::Known(Change { row: Some(row), .. }, revision) = &answer {
            // Who knows all of the log and asks all the same cannot know it: the row waits for its shard.
            if known < *revision {
                return answer;
            }
            let row = Some(row.clone());
            self.append(Change { key, row });
            self.save();
            return self.known(key, now);
        }
        if self.may_judge_asked(&entry, now).is_none() || !self.reads.take(now, MOST_READS) {
            return answer;
        }
        Asked::Read(entry.name())
    }

    /// Takes what KV has under a name that was asked for (`expires` in seconds), and says what there is of the record now.
    pub fn took_from_kv(
        &mut self,
        name: &str,
        value: Option<&str>,
        expires: Option<u64>,
        now: Timestamp,
    ) -> Asked {
        let Some(entry) = Entry::of_name(name) else { return Asked::Invalid };
        if let Some(value) = value
            && self.may_judge_asked(&entry, now).is_some()
        {
            let cause = Cause { now, actor: "kv", operation: "", may_wait: false };
            self.judge_entry(&entry, value, expires, &cause);
            self.save();
        }
        self.known(entry.record_key(), now)
    }

    /// What the ledger holds of a record.
    pub(crate) fn known(&self, key: RecordKey, now: Timestamp) -> Asked {
        let row = self.row(&key).filter(|row| !row.is_over(now));
        Asked::Known(Change { key, row }, self.state.revision)
    }
}
