//! What the ledger asks of its database: one ordered map of bytes.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included},
};

/// An ordered map of bytes. All that one call of the ledger writes is one transaction: whoever implements this keeps all of
/// it or nothing.
pub trait Storage {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;
    /// Writes a value, over what was there.
    fn put(&mut self, key: &[u8], value: &[u8]);
    /// Deletes a value, if there is one.
    fn delete(&mut self, key: &[u8]);
    /// At most `limit` entries from `from` (inclusive) to `to` (exclusive), in the order of their keys.
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)>;
}

/// A database in memory, for tests and simulation. A clone is what a transaction that fails goes back to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MemoryStorage {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Entries that were read, written or deleted since this was last taken.
    #[cfg(test)]
    touched: Touched,
}

/// A count, which makes no two databases different.
#[cfg(test)]
#[derive(Clone, Debug, Default)]
struct Touched(std::cell::Cell<usize>);

#[cfg(test)]
impl PartialEq for Touched {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
impl Eq for Touched {}

impl MemoryStorage {
    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many entries were read, written or deleted since this was last asked.
    #[cfg(test)]
    pub(crate) fn take_touched(&self) -> usize {
        self.touched.0.take()
    }

    #[cfg_attr(not(test), allow(clippy::unused_self, clippy::missing_const_for_fn))]
    fn touch(&self, _entries: usize) {
        #[cfg(test)]
        self.touched.0.set(self.touched.0.get() + _entries);
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Storage for MemoryStorage {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.touch(1);
        self.entries.get(key).cloned()
    }

    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.touch(1);
        self.entries.insert(key.to_vec(), value.to_vec());
    }

    fn delete(&mut self, key: &[u8]) {
        self.touch(1);
        self.entries.remove(key);
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        if from >= to {
            return Vec::new();
        }
        let range = self.entries.range::<[u8], _>((Included(from), Excluded(to)));
        let found: Vec<_> = range.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect();
        self.touch(found.len());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_is_in_order_and_within_its_bounds() {
        let mut storage = MemoryStorage::default();
        for key in ["b", "a", "c", "d"] {
            storage.put(key.as_bytes(), key.as_bytes());
        }
        storage.delete(b"b");
        let keys = |from: &[u8], to: &[u8], limit| {
            storage.scan(from, to, limit).into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        };
        assert_eq!(keys(b"a", b"d", 9), [b"a", b"c"]);
        assert_eq!(keys(b"a", b"z", 2), [b"a", b"c"]);
        assert!(keys(b"d", b"a", 9).is_empty());
    }
}
