//! What the ledger asks of its database: one ordered map of bytes.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included},
};

use pointsman_core::directory::bytes::hex;

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
    /// A page of the entries from `from` (inclusive) to `to` (exclusive) that have a text in their keys, in the order of these
    /// texts. Values are not read.
    fn search(&self, from: &[u8], to: &[u8], part: Part<'_>) -> SearchPage;
}

/// Where in a key a text stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyText {
    /// Bytes before it.
    pub skip: usize,
    /// Bytes behind it.
    pub tail: usize,
    /// Whether the text is of these bytes in lower-case hexadecimal.
    pub is_hex: bool,
}

/// A text that is searched for in keys, and which page of what is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part<'a> {
    /// Where it may stand.
    pub text: KeyText,
    /// What is searched for, with its ASCII letters in lower case; they are found in either case.
    pub part: &'a str,
    /// Whether the last come first.
    pub descending: bool,
    /// So many are before the page.
    pub offset: usize,
    /// So many of a page at most.
    pub limit: usize,
}

/// What a search found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SearchPage {
    /// How many entries were searched.
    pub total: u64,
    /// How many have the text.
    pub matching: u64,
    /// The keys of the page.
    pub keys: Vec<Vec<u8>>,
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

    fn search(
        &self,
        from: &[u8],
        to: &[u8],
        Part { text, part, descending, offset, limit }: Part<'_>,
    ) -> SearchPage {
        let all = self.scan(from, to, usize::MAX);
        let text_of = |key: &[u8]| {
            let bytes = key.get(text.skip..key.len().saturating_sub(text.tail)).unwrap_or_default();
            if text.is_hex { hex(bytes).into_bytes() } else { bytes.to_vec() }
        };
        let mut found: Vec<_> = all.iter().map(|(key, _)| (text_of(key), key.clone())).collect();
        found.retain(|(text, _)| String::from_utf8_lossy(text).to_ascii_lowercase().contains(part));
        found.sort();
        if descending {
            found.reverse();
        }
        let matching = u64::try_from(found.len()).unwrap_or(u64::MAX);
        let keys = found.into_iter().skip(offset).take(limit).map(|(_, key)| key).collect();
        SearchPage { total: u64::try_from(all.len()).unwrap_or(u64::MAX), matching, keys }
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
