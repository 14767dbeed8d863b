//! How many changes wait for each shard: what is in the log and not yet in the shard that is current.

use pointsman_core::directory::{
    log::Change,
    record_key::{Kind, RecordKey},
};
use serde::{Deserialize, Serialize};

use crate::{
    keyspace::{WAITING, end_of, key, load, save},
    ledger::Ledger,
    storage::Storage,
};

/// What waits for one shard.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct Waiting {
    /// Changes of the log.
    pub(crate) changes: u64,
    /// Rows that followers get by the shard alone.
    pub(crate) pending: u64,
    /// Rows of the shard that is current.
    pub(crate) rows: u64,
    /// The format of that shard; 0 where a version built it that knew of one only.
    pub(crate) format: u8,
}

/// Which file a record is in: a shard by its prefix, or the tokens'.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum File {
    /// The shard of this prefix.
    Shard(u32),
    /// All revocations of tokens.
    Tokens,
}

impl File {
    /// The file of a record.
    pub(crate) fn of(record: &RecordKey, prefix_bits: u8) -> Self {
        match record.kind {
            Kind::Token => Self::Tokens,
            Kind::ApiKey | Kind::Customer => Self::Shard(record.prefix(prefix_bits)),
        }
    }

    /// The file's part of a key.
    pub(crate) fn to_bytes(self) -> [u8; 5] {
        let (kind, number) = match self {
            Self::Tokens => (0, 0),
            Self::Shard(prefix) => (1, prefix),
        };
        let [a, b, c, d] = number.to_be_bytes();
        [kind, a, b, c, d]
    }

    /// Reads the file's part of a key.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match *bytes {
            [0, ..] => Some(Self::Tokens),
            [1, a, b, c, d] => Some(Self::Shard(u32::from_be_bytes([a, b, c, d]))),
            _ => None,
        }
    }
}

impl<S: Storage> Ledger<S> {
    pub(crate) fn waiting(&self, file: File) -> Waiting {
        load(&self.storage, &key(WAITING, &[&file.to_bytes()])).unwrap_or_default()
    }

    pub(crate) fn set_waiting(&mut self, file: File, waiting: &Waiting) {
        save(&mut self.storage, &key(WAITING, &[&file.to_bytes()]), waiting);
    }

    /// Counts a change of the log for its file.
    pub(crate) fn count_waiting(&mut self, change: &Change) {
        let file = File::of(&change.key, self.manifest.prefix_bits);
        let mut waiting = self.waiting(file);
        waiting.changes = waiting.changes.saturating_add(1);
        self.set_waiting(file, &waiting);
    }

    /// Counts a row that waits for its shard.
    pub(crate) fn count_pending(&mut self, record: &RecordKey) {
        let file = File::of(record, self.manifest.prefix_bits);
        let mut waiting = self.waiting(file);
        waiting.pending = waiting.pending.saturating_add(1);
        self.set_waiting(file, &waiting);
    }

    /// All files for which something waits or waited.
    pub(crate) fn all_waiting(&self) -> Vec<(File, Waiting)> {
        // One a shard, and there are at most some hundreds.
        let entries = self.storage.scan(&[WAITING], &end_of(WAITING), 4096);
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            Some((File::from_bytes(key.get(1..)?)?, serde_json::from_slice(&value).ok()?))
        };
        entries.into_iter().filter_map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_written() {
        for file in [File::Tokens, File::Shard(0), File::Shard(511)] {
            assert_eq!(File::from_bytes(&file.to_bytes()), Some(file));
        }
        assert_eq!(File::from_bytes(&[2, 0]), None);
        assert_eq!(File::of(&RecordKey::token_id("i", "t"), 3), File::Tokens);
    }
}
