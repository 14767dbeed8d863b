//! What the log has said something of, for what was loaded out of the store before that: it is older than the log.

use std::collections::HashMap;

use crate::{base::time::Timestamp, directory::record_key::RecordKey};

/// Of more records than this it is not told apart which they are.
const MANY: usize = 512;

/// Of which records the log has said something, and when that was heard at the latest.
#[derive(Debug, Default)]
pub(super) struct Overtaken {
    records: HashMap<RecordKey, Timestamp>,
    /// When something may have been said of any record.
    all: Option<Timestamp>,
}

impl Overtaken {
    /// Notes that something was said of a record.
    pub(super) fn note(&mut self, key: RecordKey, now: Timestamp) {
        self.records.insert(key, now);
        if self.records.len() > MANY {
            self.note_all(now);
        }
    }

    /// Notes that something may have been said of any record.
    pub(super) fn note_all(&mut self, now: Timestamp) {
        self.records.clear();
        self.all = Some(now);
    }

    /// What was loaded of a record then or before is older than the log; nothing where the log has said nothing of it.
    pub(super) fn at(&self, key: &RecordKey) -> Option<Timestamp> {
        self.records.get(key).copied().max(self.all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::Digest;

    #[test]
    fn of_many_records_it_is_remembered_that_any_may_have_changed() {
        let key = |number: usize| RecordKey::api_key(&Digest::of(&number.to_be_bytes()));
        let at = Timestamp::from_millis;
        let mut overtaken = Overtaken::default();
        overtaken.note(key(0), at(5));
        assert_eq!((overtaken.at(&key(0)), overtaken.at(&key(1))), (Some(at(5)), None));
        (1..=MANY).for_each(|number| overtaken.note(key(number), at(7)));
        assert_eq!(overtaken.at(&key(MANY + 1)), Some(at(7)));
        overtaken.note(key(0), at(9));
        assert_eq!((overtaken.at(&key(0)), overtaken.at(&key(1))), (Some(at(9)), Some(at(7))));
    }
}
