//! By what records are found that are listed: which API keys there are and whose, and which customers. The record itself has
//! the last word: an entry of an index only says where to look.
//!
//! Records are ordered by digest, and keys and customers lie mixed; so each kind has an index of its own. Customers are
//! found by their id, so that they are listed in its order.

use pointsman_core::{
    directory::record_key::{Kind, RecordKey},
    identity::{claimed::Claimed, claims::ClaimPath, customer_id::CustomerId, key_record::KeyConfig},
};
use serde::{Deserialize, Serialize};

use crate::{
    keyspace::{BY_CUSTOMER, BY_SUBJECT, CUSTOMERS, KEYS, RECORD, after, end_of, key},
    ledger::Ledger,
    record::Record,
    rows::Entry,
    storage::Storage,
};

/// Records that one call indexes.
pub(crate) const INDEXED: usize = 1000;
/// Entries that one call deletes before it indexes anything.
const EMPTIED: usize = 2048;
/// Records that are read at once: each may have 64 KiB of text in either column.
pub(crate) const CHUNK: usize = 100;
/// So many bytes of a subject stand in its index. A longer one is found by its beginning.
const MOST_BYTES: usize = CustomerId::MAX_BYTES;

/// Which of the indexes are whole. They are kept up with every change of a record, also while they are built.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Indexes {
    /// Whether those are that depend on no setting: all but the one of keys by customer.
    are_whole: bool,
    /// By which claim keys are found by customer; nothing until all are.
    claim: Option<String>,
    /// What is being built.
    build: Option<Build>,
}

/// Indexes that are being built.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Build {
    claim: String,
    /// Which indexes are to be emptied first: a version that knew of none may have left what is so no longer, and by another
    /// claim keys are others'.
    to_empty: Vec<u8>,
    /// Behind which record those are that are still to be indexed.
    behind: Vec<u8>,
}

impl Indexes {
    /// Those of a database without any record.
    pub(crate) fn of_nothing(claim: &str) -> Self {
        Self { are_whole: true, claim: Some(claim.to_owned()), build: None }
    }

    /// Has those built that are not whole, or are by another claim.
    pub(crate) fn note_claim(&mut self, claim: &str) {
        let known = self.build.as_ref().map(|build| &build.claim).or(self.claim.as_ref());
        if known.is_some_and(|known| known == claim) {
            return;
        }
        let to_empty: &[u8] =
            if self.are_whole { &[BY_CUSTOMER] } else { &[KEYS, CUSTOMERS, BY_SUBJECT, BY_CUSTOMER] };
        self.claim = None;
        self.build = Some(Build { claim: claim.to_owned(), to_empty: to_empty.to_vec(), behind: Vec::new() });
    }

    /// Whether each key and customer is in its index, and each key is found by its subject.
    pub(crate) const fn are_whole(&self) -> bool {
        self.are_whole
    }

    /// Whether each key is found by its customer.
    pub(crate) const fn are_by_customer(&self) -> bool {
        self.claim.is_some()
    }

    /// Whether any is being built.
    pub(crate) const fn are_building(&self) -> bool {
        self.build.is_some()
    }
}

/// Whose an API key is.
#[derive(Debug)]
pub(crate) struct Owner(KeyConfig);

impl Owner {
    /// Reads a key's record; nothing where it is malformed, so that the key is nobody's.
    pub(crate) fn read(text: &str) -> Option<Self> {
        KeyConfig::parse(text.as_bytes()).ok().map(Self)
    }

    /// Its subject.
    pub(crate) fn subject(&self) -> &str {
        self.0.principal().subject.as_deref().unwrap_or_default()
    }

    /// Its customer, as a request with the key is of.
    pub(crate) fn customer(&self, claim: &ClaimPath) -> Option<&str> {
        match self.0.principal().customer(claim) {
            Claimed::Id(id) => Some(id.as_str()),
            Claimed::Missing | Claimed::Malformed => None,
        }
    }
}

/// What stands before the digests of all keys of a subject or customer, and before no others: a subject may hold any
/// character, so that the name's length stands before it and nothing behind it.
pub(crate) fn owned_by(space: u8, name: &str) -> Vec<u8> {
    let name = name.as_bytes();
    let name = name.get(..MOST_BYTES).unwrap_or(name);
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
    key(space, &[&length.to_be_bytes(), name])
}

impl<S: Storage> Ledger<S> {
    /// Has the indexes follow a record that is about to be written.
    pub(crate) fn index(&mut self, of: &RecordKey, next: &Record) {
        let before = self.record(of);
        let (old, new) = match before {
            Some(before) if says_the_same(&before, next) => return,
            Some(before) => (self.places(of, &before), self.places(of, next)),
            None => (Vec::new(), self.places(of, next)),
        };
        for place in old.iter().filter(|place| !new.contains(place)) {
            self.storage.delete(place);
        }
        for place in new.iter().filter(|place| !old.contains(place)) {
            self.storage.put(place, &[]);
        }
    }

    /// The entries by which a record is found.
    fn places(&self, of: &RecordKey, record: &Record) -> Vec<Vec<u8>> {
        let Some(held) = record.operator.as_ref().filter(|_| of.kind == Kind::ApiKey) else {
            let is_listed = of.kind == Kind::Customer && record.is_there();
            return match Entry::of_name(&record.name) {
                Some(Entry::Customer(id)) if is_listed => vec![key(CUSTOMERS, &[id.as_str().as_bytes()])],
                _ => Vec::new(),
            };
        };
        let mut places = vec![key(KEYS, &[&of.digest])];
        let Some(owner) = Owner::read(&held.text) else { return places };
        let mut place = |space: u8, name: &str| {
            let mut place = owned_by(space, name);
            place.extend_from_slice(&of.digest);
            places.push(place);
        };
        place(BY_SUBJECT, owner.subject());
        if let Some(customer) = owner.customer(&self.settings.customer_claim()) {
            place(BY_CUSTOMER, customer);
        }
        places
    }

    /// Builds a page of the indexes that are not whole: of at most so many records.
    pub(crate) fn build_indexes(&mut self, most: usize) {
        let Some(mut build) = self.state.indexes.build.take() else { return };
        let mut left = EMPTIED;
        while let Some(space) = build.to_empty.last() {
            let page = self.storage.scan(&[*space], &end_of(*space), left);
            page.iter().for_each(|(at, _)| self.storage.delete(at));
            if page.len() == left {
                left = 0;
                break;
            }
            left -= page.len();
            build.to_empty.pop();
        }
        let is_whole = left == EMPTIED && self.index_page(&mut build, most);
        let indexes = &mut self.state.indexes;
        if is_whole {
            (indexes.are_whole, indexes.claim) = (true, Some(build.claim));
        } else {
            indexes.build = Some(build);
        }
    }

    /// Indexes a page of the records. Says whether these were the last.
    fn index_page(&mut self, build: &mut Build, most: usize) -> bool {
        // Where the claim alone is another one, the other indexes are as they should be.
        let all = !self.state.indexes.are_whole;
        let mut left = most;
        while left > 0 {
            let from = if build.behind.is_empty() { vec![RECORD] } else { after(&build.behind) };
            let chunk = self.storage.scan(&from, &end_of(RECORD), left.min(CHUNK));
            for (at, value) in &chunk {
                let of = at.get(1..).and_then(RecordKey::from_bytes);
                let record = serde_json::from_slice(value).ok();
                let places = of.zip(record).map(|(of, record)| self.places(&of, &record));
                for place in places.into_iter().flatten() {
                    if all || place.first() == Some(&BY_CUSTOMER) {
                        self.storage.put(&place, &[]);
                    }
                }
            }
            let Some((last, _)) = chunk.last().filter(|_| chunk.len() == left.min(CHUNK)) else {
                return true;
            };
            build.behind.clone_from(last);
            left -= chunk.len();
        }
        false
    }
}

/// Whether a record is found by the same entries as before: most of what is written of a record is what KV shows of it.
fn says_the_same(before: &Record, next: &Record) -> bool {
    fn text(record: &Record) -> Option<&str> {
        record.operator.as_ref().map(|held| held.text.as_str())
    }
    text(before) == text(next)
        && before.provider.is_some() == next.provider.is_some()
        && before.name == next.name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_owners_keys_lie_among_anothers() {
        let names = ["s", "s\0", "s\0s", "ss", "", "\0", "\0\u{1}s"];
        for one in names {
            for other in names.into_iter().filter(|other| *other != one) {
                let (one, other) = (owned_by(BY_SUBJECT, one), owned_by(BY_SUBJECT, other));
                assert!(!other.starts_with(&one), "{one:?} {other:?}");
            }
        }
        let long = "s".repeat(MOST_BYTES);
        let longer = format!("{long}s");
        assert_eq!(
            owned_by(BY_SUBJECT, &long),
            owned_by(BY_SUBJECT, &longer),
            "which of them, the record says"
        );
        assert_eq!(owned_by(BY_CUSTOMER, &long).len(), 3 + CustomerId::MAX_BYTES, "no id is cut");
    }

    #[test]
    fn a_key_is_of_the_customer_that_its_requests_are_of() {
        let customer = |text: &str, claim: &str| {
            let claim = ClaimPath::parse(claim).unwrap_or_else(ClaimPath::never);
            Owner::read(text).and_then(|owner| owner.customer(&claim).map(ToOwned::to_owned))
        };
        let text = r#"{"subject":"s","claims":{"id":"a","n":7,"half":0.5,"org":{"id":"b"},"long":"LONG"}}"#;
        let text = text.replace("LONG", &"x".repeat(257));
        assert_eq!(customer(&text, "id").as_deref(), Some("a"));
        assert_eq!(customer(&text, "/org/id").as_deref(), Some("b"));
        assert_eq!(customer(&text, "n").as_deref(), Some("7"), "a whole number is its digits");
        for claim in ["", "half", "org", "long", "missing", "/org~2"] {
            assert_eq!(customer(&text, claim), None, "{claim}");
        }
        assert!(Owner::read(r#"{"claims":{"id":"a"}}"#).is_none(), "a malformed record is nobody's");
    }
}
