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
/// Record key → digest and version of what the config API says, for comparison with its list.
pub(crate) const PROVIDED: u8 = b'q';
/// Record key → sequence: rows that followers get by a shard and not by the log.
pub(crate) const PENDING: u8 = b'p';
/// Time and record key → nothing: what ends when.
pub(crate) const END: u8 = b'e';

/// KV name → the newest value that KV is to have.
pub(crate) const OUTBOX: u8 = b'w';
/// Time and KV name → nothing: which write is due when.
pub(crate) const DUE: u8 = b'd';
/// File → what waits for it.
pub(crate) const WAITING: u8 = b'c';
/// KV name → nothing: entries that were seen in KV.
pub(crate) const SEEN: u8 = b'k';
/// KV name → when a pass first missed the entry.
pub(crate) const MISSING: u8 = b'x';
/// KV name → nothing: entries that a pass wants to have read.
pub(crate) const READ: u8 = b'f';
/// KV name → nothing: entries whose metadata do not say what they hold.
pub(crate) const UNTOLD: u8 = b'n';
/// File → a file that is being published.
pub(crate) const BUILD: u8 = b's';
/// KV name and number → a part of a published file.
pub(crate) const BYTES: u8 = b'B';
/// File → which of the rows that waited for it followers now have, and how far these are forgotten.
pub(crate) const SWEPT: u8 = b'y';
/// Time and KV name → nothing: files that are to be deleted.
pub(crate) const OLD: u8 = b'z';

/// Record key → when an operator's record was removed.
pub(crate) const REMOVED: u8 = b'g';

/// Digest of a record key → nothing: the API keys that have a record.
pub(crate) const KEYS: u8 = b'h';
/// Customer's id → nothing: the customers that have a record.
pub(crate) const CUSTOMERS: u8 = b'i';
/// Subject behind its length, and digest of a record key → nothing: the API keys of a subject.
pub(crate) const BY_SUBJECT: u8 = b'j';
/// Customer's id behind its length, and digest of a record key → nothing: the API keys of a customer.
pub(crate) const BY_CUSTOMER: u8 = b'u';

/// Host, 0 and record key → customer's id: the customers that list a host.
pub(crate) const HOSTS: u8 = b'A';
/// Record key → the hosts that the customer lists, one a line.
pub(crate) const HOSTS_OF: u8 = b'C';

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
