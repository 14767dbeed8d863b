//! Keys and customers in pages, for whoever operates the gateway. A page is found by an index where that is whole, and else
//! by looking through the records. Either way one call looks at so many of them and no more, so that a page may be short, or
//! empty, and others follow all the same.
//!
//! Keys come in the order of their digests, which no change of a record moves. Customers come in the order of their ids; in
//! that of their digests as long as they are in no whole index. Each cursor says which of the two, and its pages go on so.
//! Who is there from the first page to the last is listed once.

use std::fmt;

use pointsman_core::{
    directory::{
        bytes::hex,
        record_key::{DIGEST_BYTES, Kind, RecordKey},
    },
    identity::{customer_id::CustomerId, key_record},
};
use serde::Serialize;

use crate::{
    index::{CHUNK, Owner, owned_by},
    keyspace::{BY_CUSTOMER, BY_SUBJECT, CUSTOMERS, KEYS, RECORD, after, end_of, key},
    ledger::Ledger,
    record::{Held, Leaked, Provided, Record},
    storage::Storage,
    wire::from_hex,
};

/// Records that one page has at most, and that are looked at for one.
pub const MOST_LISTED: usize = 1000;
/// Bytes of records after which a page ends.
const MOST_BYTES: usize = 4 << 20;

/// A page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordPage<T, C> {
    /// Whom it lists.
    pub items: Vec<T>,
    /// What the next page is behind, where more may follow; also where this one is short or empty.
    pub next: Option<C>,
}

/// Which keys are listed.
#[derive(Clone, Debug, Default)]
pub struct KeyQuery<'a> {
    /// Those of this customer: of the one that the claim of the gateway's configuration names
    /// ([`Settings::customer_claim`](crate::Settings::customer_claim)).
    pub customer: Option<&'a str>,
    /// Those of this subject.
    pub subject: Option<&'a str>,
    /// Those behind the page before.
    pub behind: Option<KeyCursor>,
    /// So many at most, from 1 to [`MOST_LISTED`].
    pub limit: usize,
}

/// Which customers are listed.
#[derive(Clone, Debug, Default)]
pub struct CustomerQuery<'a> {
    /// Those whose id begins so.
    pub prefix: Option<&'a str>,
    /// Those behind the page before.
    pub behind: Option<CustomerCursor>,
    /// So many at most, from 1 to [`MOST_LISTED`].
    pub limit: usize,
}

/// What operators say of a key or customer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct OperatorRecord {
    /// The record as it was written; empty where it is too long to be held, and so malformed. One that was made by hand may be
    /// malformed in any other way too.
    pub text: String,
    /// What an edit names as `expected`.
    pub version: u64,
    /// When KV drops it, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

/// What the config API says of a customer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ProviderRecord {
    /// The last record that could be used, compact; empty where there was none.
    pub text: String,
    /// The number of the change that made it so.
    pub version: u64,
    /// Whether what is said now cannot be used.
    pub malformed: bool,
    /// Whether the list that says it cannot be trusted to.
    pub unsure: bool,
}

/// An API key of a page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyItem {
    /// The SHA-256 digest of the key, in hexadecimal.
    pub digest: String,
    /// Its record.
    pub operator: OperatorRecord,
    /// That the key has leaked.
    pub leaked: Option<Leaked>,
}

/// A customer of a page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CustomerItem {
    /// The customer's id.
    pub id: String,
    /// What operators say, which counts where it is there.
    pub operator: Option<OperatorRecord>,
    /// What the config API says.
    pub provider: Option<ProviderRecord>,
}

/// Where a page of keys ended. As text for whoever asks for the next page; the text means nothing to anybody else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyCursor([u8; DIGEST_BYTES]);

impl KeyCursor {
    /// Reads a cursor's text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        from_hex(text)?.try_into().ok().map(Self)
    }
}

impl fmt::Display for KeyCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex(&self.0))
    }
}

/// Where a page of customers ended; as [`KeyCursor`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CustomerCursor(Place);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Place {
    /// Behind this id.
    Id(String),
    /// Behind this record, among those with greater ids than this.
    Record([u8; DIGEST_BYTES], String),
}

impl CustomerCursor {
    /// Reads a cursor's text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = from_hex(text)?;
        let id = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        Some(Self(match bytes.split_first()? {
            (0, name) => Place::Id(id(name)?),
            (1, place) => {
                let (digest, above) = place.split_first_chunk()?;
                Place::Record(*digest, id(above)?)
            }
            _ => return None,
        }))
    }
}

impl fmt::Display for CustomerCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match &self.0 {
            Place::Id(id) => [&[0], id.as_bytes()].concat(),
            Place::Record(digest, above) => [&[1], &digest[..], above.as_bytes()].concat(),
        };
        formatter.write_str(&hex(&bytes))
    }
}

/// Entries of the database that lead to records.
struct Range {
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Range {
    /// Those of an index that have a digest behind `beginning`.
    fn of_digests(beginning: &[u8], behind: Option<&KeyCursor>) -> Self {
        // Longer than any digest, and no byte is greater.
        let to = [beginning, &[0xff; DIGEST_BYTES + 1]].concat();
        let from = behind
            .map_or_else(|| beginning.to_vec(), |KeyCursor(digest)| after(&[beginning, digest].concat()));
        Self { from, to }
    }

    /// All records with a digest behind this one.
    fn of_records(behind: Option<&[u8; DIGEST_BYTES]>) -> Self {
        // No kind has this number.
        let from = behind.map_or_else(|| vec![RECORD], |digest| key(RECORD, &[digest, &[0xff]]));
        Self { from, to: end_of(RECORD) }
    }
}

impl<S: Storage> Ledger<S> {
    /// A page of the API keys that have a record.
    #[must_use]
    pub fn keys_page(&self, query: &KeyQuery<'_>) -> RecordPage<KeyItem, KeyCursor> {
        let claim = self.settings.customer_claim();
        let is_wanted = |held: &Held| {
            if query.customer.is_none() && query.subject.is_none() {
                return true;
            }
            Owner::read(&held.text).is_some_and(|owner| {
                query.subject.is_none_or(|subject| owner.subject() == subject)
                    && query.customer.is_none_or(|customer| owner.customer(&claim) == Some(customer))
            })
        };
        let item = |record: Record| {
            let held = record.operator.filter(is_wanted)?;
            let digest = record.name.strip_prefix(key_record::STORE_PREFIX)?.to_owned();
            Some(KeyItem { digest, operator: held.into(), leaked: record.leaked })
        };
        let size = |item: &KeyItem| item.operator.text.len();
        let behind = query.behind.as_ref();
        let indexes = &self.state.indexes;
        let beginning = match (query.subject, query.customer) {
            (Some(subject), _) if indexes.are_whole() => owned_by(BY_SUBJECT, subject),
            (_, Some(customer)) if indexes.are_by_customer() => owned_by(BY_CUSTOMER, customer),
            _ if indexes.are_whole() => vec![KEYS],
            _ => {
                let range = Range::of_records(behind.map(|KeyCursor(digest)| digest));
                let read = |at: &[u8], value: &[u8]| item(read_record(at, value, Kind::ApiKey)?);
                let (items, last) = self.walk(range, query.limit, read, size);
                return RecordPage { items, next: last.and_then(|at| digest_of_record(&at)).map(KeyCursor) };
            }
        };
        let digest = |at: &[u8]| at.last_chunk::<DIGEST_BYTES>().copied();
        let read =
            |at: &[u8], _: &[u8]| item(self.record(&RecordKey { digest: digest(at)?, kind: Kind::ApiKey })?);
        let (items, last) = self.walk(Range::of_digests(&beginning, behind), query.limit, read, size);
        RecordPage { items, next: last.and_then(|at| digest(&at)).map(KeyCursor) }
    }

    /// A page of the customers that have a record, an operator's or the config API's.
    #[must_use]
    pub fn customers_page(&self, query: &CustomerQuery<'_>) -> RecordPage<CustomerItem, CustomerCursor> {
        let prefix = query.prefix.unwrap_or_default();
        let item = |record: Record| {
            let id =
                record.name.strip_prefix(CustomerId::STORE_PREFIX).filter(|id| id.starts_with(prefix))?;
            let item = CustomerItem {
                id: id.to_owned(),
                operator: record.operator.map(Into::into),
                provider: record.provider.map(Into::into),
            };
            (item.operator.is_some() || item.provider.is_some()).then_some(item)
        };
        let size = |item: &CustomerItem| {
            item.operator.as_ref().map_or(0, |operator| operator.text.len())
                + item.provider.as_ref().map_or(0, |provider| provider.text.len())
        };
        let behind = query.behind.as_ref().map(|CustomerCursor(place)| place);
        let (digest, above) = match behind {
            Some(Place::Record(digest, above)) => (Some(digest), above.as_str()),
            // The indexes may have been found to be no longer whole since the page before.
            Some(Place::Id(id)) if !self.state.indexes.are_whole() => (None, id.as_str()),
            None if !self.state.indexes.are_whole() => (None, ""),
            Some(Place::Id(id)) => return self.customers_by_id(prefix, Some(id), query.limit, item, size),
            None => return self.customers_by_id(prefix, None, query.limit, item, size),
        };
        let read = |at: &[u8], value: &[u8]| {
            item(read_record(at, value, Kind::Customer)?).filter(|item| item.id.as_str() > above)
        };
        let (items, last) = self.walk(Range::of_records(digest), query.limit, read, size);
        let next = last.and_then(|at| digest_of_record(&at));
        RecordPage { items, next: next.map(|digest| CustomerCursor(Place::Record(digest, above.to_owned()))) }
    }

    fn customers_by_id(
        &self,
        prefix: &str,
        behind: Option<&str>,
        limit: usize,
        item: impl Fn(Record) -> Option<CustomerItem>,
        size: impl Fn(&CustomerItem) -> usize,
    ) -> RecordPage<CustomerItem, CustomerCursor> {
        let beginning = key(CUSTOMERS, &[prefix.as_bytes()]);
        // No id has a byte of 255.
        let to = [&beginning[..], &[0xff]].concat();
        let behind = behind.map(|id| after(&key(CUSTOMERS, &[id.as_bytes()])));
        let range = Range { from: behind.map_or(beginning.clone(), |behind| behind.max(beginning)), to };
        let id = |at: &[u8]| at.get(1..).and_then(|id| String::from_utf8(id.to_vec()).ok());
        let read = |at: &[u8], _: &[u8]| item(self.record(&RecordKey::customer(&id(at)?))?);
        let (items, last) = self.walk(range, limit, read, size);
        RecordPage { items, next: last.and_then(|at| id(&at)).map(Place::Id).map(CustomerCursor) }
    }

    /// Reads what entries lead to, as far as one page goes. Says at which entry it ended, where more may follow.
    fn walk<T>(
        &self,
        range: Range,
        limit: usize,
        read: impl Fn(&[u8], &[u8]) -> Option<T>,
        size: impl Fn(&T) -> usize,
    ) -> (Vec<T>, Option<Vec<u8>>) {
        let limit = limit.clamp(1, MOST_LISTED);
        let Range { mut from, to } = range;
        let (mut items, mut bytes, mut looked_at) = (Vec::new(), 0, 0);
        let mut last: Option<Vec<u8>> = None;
        loop {
            // One more than may be looked at shows whether anything follows.
            let wanted = CHUNK.min(MOST_LISTED + 1 - looked_at);
            let chunk = self.storage.scan(&from, &to, wanted);
            let is_last = chunk.len() < wanted;
            for (at, value) in chunk {
                if items.len() == limit || looked_at == MOST_LISTED || bytes >= MOST_BYTES {
                    return (items, last);
                }
                looked_at += 1;
                if let Some(item) = read(&at, &value) {
                    bytes += size(&item);
                    items.push(item);
                }
                last = Some(at);
            }
            let Some(at) = last.as_ref().filter(|_| !is_last) else { return (items, None) };
            from = after(at);
        }
    }
}

/// The record at this place, if it is of this kind.
fn read_record(at: &[u8], value: &[u8], kind: Kind) -> Option<Record> {
    let of = at.get(1..).and_then(RecordKey::from_bytes).filter(|of| of.kind == kind);
    of.and_then(|_| serde_json::from_slice(value).ok())
}

fn digest_of_record(at: &[u8]) -> Option<[u8; DIGEST_BYTES]> {
    at.get(1..)?.first_chunk().copied()
}

impl From<Held> for OperatorRecord {
    fn from(Held { text, version, expires, .. }: Held) -> Self {
        Self { text, version, expires }
    }
}

impl From<Provided> for ProviderRecord {
    fn from(Provided { text, version, malformed, unsure, .. }: Provided) -> Self {
        Self { text, version, malformed, unsure }
    }
}
