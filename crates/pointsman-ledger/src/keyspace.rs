//! What stands where in the ledger's database. Each kind of entry has a byte of its own before its key. Values are JSON,
//! whose members are only ever added, or the binary formats that followers read.

use serde::{Serialize, de::DeserializeOwned};

use crate::storage::Storage;

/// Single values: what the ledger knows of itself.
pub(crate) const META: u8 = b'm';
/// Record key → what is known of the record.
pub(crate) const RECORD: u8 = b'r';
/// Record key → the row that counts, of keys and customers.
pub(crate) const ROW: u8 = b'v';
/// Record key → the row of a revocation of tokens.
pub(crate) const TOKEN: u8 = b't';
/// Revision → change.
pub(crate) const CHANGE: u8 = b'l';
/// Sequence → who changed what.
pub(crate) const AUDIT: u8 = b'a';
/// Operation id → what came of the operation.
pub(crate) const OPERATION: u8 = b'o';
/// Time and operation id → nothing: which operations are to be forgotten.
pub(crate) const OPERATION_AGE: u8 = b'O';
/// Record key → nothing: provider's digests, for comparison with the config API's list.
pub(crate) const PROVIDED: u8 = b'q';
/// File → what waits for it.
pub(crate) const WAITING: u8 = b'w';
/// Name in KV → what it is to have.
pub(crate) const OUTBOX: u8 = b'x';
/// Time and name in KV → nothing: which write is due when.
pub(crate) const DUE: u8 = b'd';
/// Name in KV → how a listing last showed it.
pub(crate) const LISTED: u8 = b'n';
/// Name in KV → nothing: entries whose values are to be read.
pub(crate) const READ: u8 = b'g';
/// Name in KV → since when listings lack it.
pub(crate) const MISSING: u8 = b'h';
/// Name in KV → when an old shard is to be deleted.
pub(crate) const OLD: u8 = b's';
/// Time and record key → nothing: what ends when.
pub(crate) const END: u8 = b'e';

/// A key: its kind, then its parts as they are.
pub(crate) fn key(space: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(space);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

/// A single value's key.
pub(crate) fn meta(name: &str) -> Vec<u8> {
    key(META, &[name.as_bytes()])
}

/// What comes behind all keys of a kind.
pub(crate) fn end_of(space: u8) -> Vec<u8> {
    vec![space.saturating_add(1)]
}

/// What comes right behind a key.
pub(crate) fn after(key: &[u8]) -> Vec<u8> {
    let mut after = key.to_vec();
    after.push(0);
    after
}

/// Reads a value that is JSON.
pub(crate) fn load<T: DeserializeOwned>(storage: &impl Storage, key: &[u8]) -> Option<T> {
    serde_json::from_slice(&storage.get(key)?).ok()
}

/// Writes a value as JSON. What the ledger writes has only text for the names of its members, so none fails.
pub(crate) fn save<T: Serialize>(storage: &mut impl Storage, key: &[u8], value: &T) {
    if let Ok(json) = serde_json::to_vec(value) {
        storage.put(key, &json);
    }
}
