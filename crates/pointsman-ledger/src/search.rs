//! Keys and customers by a part of what they are called, in pages that know how many there are. A search looks at the entries
//! of one index, which are short, and reads only the records of its page.

use pointsman_core::directory::record_key::{DIGEST_BYTES, Kind, RecordKey};
use serde::{Deserialize, Serialize};

use crate::{
    keyspace::{BY_CUSTOMER, BY_SUBJECT, CUSTOMERS, KEYS, end_of},
    ledger::Ledger,
    listing::MOST_LISTED,
    look::Looked,
    storage::{KeyText, Part, Storage},
};

/// Bytes of a subject's or customer's length before it, in the indexes of keys.
const LENGTH_BYTES: usize = 2;

/// By what records are searched. Each has an index.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum SearchBy {
    /// Customers by their id.
    Id,
    /// Keys by their subject.
    Subject,
    /// Keys by their customer.
    Customer,
    /// Keys by the first half of their digest, in lower-case hexadecimal.
    Digest,
}

impl SearchBy {
    /// The index, and where in its keys the text stands.
    const fn index(self) -> (u8, KeyText) {
        let owned = KeyText { skip: 1 + LENGTH_BYTES, tail: DIGEST_BYTES, is_hex: false };
        match self {
            Self::Id => (CUSTOMERS, KeyText { skip: 1, tail: 0, is_hex: false }),
            Self::Subject => (BY_SUBJECT, owned),
            Self::Customer => (BY_CUSTOMER, owned),
            Self::Digest => (KEYS, KeyText { skip: 1, tail: 0, is_hex: true }),
        }
    }
}

/// What is searched for, and which page of what is found.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    /// By what.
    pub by: SearchBy,
    /// What stands somewhere in it, by characters and not by a pattern. ASCII letters are found in either case. Empty for all.
    #[serde(default)]
    pub text: String,
    /// Whether the last come first. The order is that of the texts, byte by byte.
    #[serde(default)]
    pub descending: bool,
    /// So many are before the page.
    #[serde(default)]
    pub offset: usize,
    /// So many of a page at most, from 1 to [`MOST_LISTED`].
    pub limit: usize,
}

/// A page of what was found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Whom it lists.
    pub records: Vec<Looked>,
    /// So many were searched: all that have what is searched by.
    pub total: u64,
    /// So many were found.
    pub matching: u64,
    /// Whether everything that KV has was taken in once; else who is not found may be there all the same.
    pub taken_in: bool,
}

impl<S: Storage> Ledger<S> {
    /// A page of what has a text in what it is called. Nothing where the index is not built yet.
    #[must_use]
    pub fn search(&self, search: &Search) -> Option<Found> {
        let indexes = &self.state.indexes;
        let is_whole = match search.by {
            SearchBy::Customer => indexes.are_by_customer(),
            SearchBy::Id | SearchBy::Subject | SearchBy::Digest => indexes.are_whole(),
        };
        if !is_whole {
            return None;
        }
        let (space, text) = search.by.index();
        let part = search.text.to_ascii_lowercase();
        // Of a digest the index has the first half.
        let part = match search.by {
            SearchBy::Digest => part.get(..2 * DIGEST_BYTES).unwrap_or(&part),
            _ => &part,
        };
        let page = self.storage.search(
            &[space],
            &end_of(space),
            Part {
                text,
                part,
                descending: search.descending,
                offset: search.offset,
                limit: search.limit.clamp(1, MOST_LISTED),
            },
        );
        let records = page.keys.iter().filter_map(|at| self.looked_of(search.by, at)).collect();
        Some(Found { records, total: page.total, matching: page.matching, taken_in: self.state.taken_in })
    }

    /// The record that an entry of an index leads to.
    fn looked_of(&self, by: SearchBy, at: &[u8]) -> Option<Looked> {
        let of = match by {
            SearchBy::Id => RecordKey::customer(std::str::from_utf8(at.get(1..)?).ok()?),
            SearchBy::Subject | SearchBy::Customer | SearchBy::Digest => {
                RecordKey { digest: *at.last_chunk::<DIGEST_BYTES>()?, kind: Kind::ApiKey }
            }
        };
        let record = self.record(&of)?;
        Some(Looked {
            name: record.name,
            operator: record.operator.map(Into::into),
            provider: record.provider.map(Into::into),
            leaked: record.leaked,
        })
    }
}
