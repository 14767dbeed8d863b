//! What is asked about one record: past the location's cache, and, where the ledger has none, with a read of KV.

use pointsman_core::{
    base::time::Timestamp,
    customer::host_name::HostName,
    directory::{
        log::{Change, Revision},
        record_key::RecordKey,
    },
};

use crate::{judge::Found, ledger::Ledger, record::Record, rows::Entry, storage::Storage};

/// Reads of KV that the ledger makes a second for those who ask.
const MOST_READS: u32 = 10;

/// So often, before it answers, the ledger looks for what is over.
const MOST_LOOKS: usize = 100;
/// Names that are read at once.
const READ_AT_ONCE: usize = 100;

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
    /// What there is of the record with this KV name (`key:<digest>`, `customer:<id>`), or whose the host is (`host:<host>`).
    pub fn ask(&mut self, name: &str, now: Timestamp) -> Asked {
        let entry = Entry::of_name(name);
        let host = || HostName::parse(name.strip_prefix(HostName::STORE_PREFIX)?);
        let key = entry.as_ref().map(Entry::record_key);
        let Some(key) = key.or_else(|| host().map(|host| RecordKey::host(&host))) else {
            return Asked::Invalid;
        };
        // What stands beneath a record that has ended counts from that instant on, and not from when the ledger next looks.
        // One look ends a part of them; of those that end together, all have ended after so many.
        let is_over = |ledger: &Self| ledger.row(&key).is_some_and(|row| row.is_over(now));
        for _ in 0..MOST_LOOKS {
            if !is_over(self) {
                break;
            }
            self.end_what_is_over(now);
            self.save();
        }
        let known = self.known(key, now);
        // Whose a host is follows from customers, and KV is told of it.
        let Some(entry) = entry else { return known };
        let is_there = matches!(&known, Asked::Known(change, _) if change.row.is_some());
        if is_there || self.may_judge_asked(&entry, now).is_none() || !self.reads.take(now, MOST_READS) {
            return known;
        }
        Asked::Read(entry.name())
    }

    /// Which of these entries are to be read from KV before it can be said that there are none. `None` where some are, and KV was
    /// read as often as it may be in this second.
    pub(crate) fn unread(&mut self, entries: &[Entry], now: Timestamp) -> Option<Vec<String>> {
        let is_unread = |entry: &&Entry| {
            self.record(&entry.record_key()).is_none_or(|record| !record.is_there())
                && self.may_judge_asked(entry, now).is_some()
        };
        let names: Vec<String> = entries.iter().filter(is_unread).map(Entry::name).collect();
        let reads = names.len().div_ceil(READ_AT_ONCE);
        (0..reads).all(|_| self.reads.take(now, MOST_READS)).then_some(names)
    }

    /// What the ledger holds of a record.
    pub(crate) fn known(&self, key: RecordKey, now: Timestamp) -> Asked {
        let row = self.row(&key).filter(|row| !row.is_over(now));
        Asked::Known(Change { key, row }, self.state.revision)
    }
}

impl<S: Storage> Ledger<S> {
    /// The record to judge an entry of KV by; `None` where it changed a short time ago, or KV is still to be told of a
    /// change, so that whatever KV shows says nothing.
    fn may_judge_asked(&self, entry: &Entry, now: Timestamp) -> Option<Record> {
        let Some(record) = self.record(&entry.record_key()) else {
            return Some(Record { name: entry.name(), ..Record::default() });
        };
        (record.is_settled_at(now.millis()) && !self.is_outstanding(&record.name)).then_some(record)
    }

    /// Takes in what KV has under a name that somebody asked for: an entry that was made by hand counts at once.
    pub fn took_from_kv(
        &mut self,
        name: &str,
        value: Option<&str>,
        expires: Option<u64>,
        now: Timestamp,
    ) -> Asked {
        let Some(entry) = Entry::of_name(name) else { return Asked::Invalid };
        if let (Some(value), Some(record)) = (value, self.may_judge_asked(&entry, now)) {
            self.judge_value(&entry, record, Found { value, listed: None, expires, is_unlisted: false }, now);
            self.save();
        }
        self.known(entry.record_key(), now)
    }
}
