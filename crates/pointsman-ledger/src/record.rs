//! What the ledger knows of one key or customer.

use pointsman_core::{
    base::{digest::Digest, time::Timestamp},
    customer::backend_url::AllowHttp,
    directory::{
        bytes::hex,
        row::{Row, Usable},
    },
};
use serde::{Deserialize, Serialize};

use crate::rows::{Entry, malformed};

/// A day in milliseconds: how long the digest of what stood in KV shows that a listing lags behind.
pub(crate) const DAY: u64 = 86_400_000;
/// How long the digests of a record that was removed are kept, in milliseconds.
pub(crate) const REMOVED_KEPT: u64 = 30 * DAY;
/// How long after a change no entry of KV is held against it, in milliseconds.
const SETTLING: u64 = 300_000;
/// So many digests of what stood in KV before are kept; the oldest go first.
const MOST_PAST: usize = 64;

/// The digest of a value as KV has it: the beginning of SHA-256, in hexadecimal.
pub(crate) type ValueDigest = String;

/// The digest of a value.
pub(crate) fn digest_of(value: &[u8]) -> ValueDigest {
    let digest = Digest::of(value);
    hex(digest.bytes().first_chunk::<16>().map_or(&[], |bytes| &bytes[..]))
}

/// What the metadata of a KV entry says of its value: the same beginning.
pub(crate) fn digest_in_metadata(sha256: &str) -> Option<ValueDigest> {
    let is_digest = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| sha256.get(..32)).flatten().map(str::to_ascii_lowercase)
}

/// What the ledger knows of one key or customer.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Record {
    /// The name of an operator's entry in KV.
    pub(crate) name: String,
    /// What operators say: the API's, or an entry that somebody made by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operator: Option<Held>,
    /// What the config API says of a customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<Provided>,
    /// When the ledger last changed either column, in milliseconds.
    pub(crate) changed_at: u64,
    /// What KV was last seen to hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seen: Option<Seen>,
    /// What stood in KV before, or may still stand there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) past: Vec<Past>,
    /// When the ledger last wrote this name in KV, in milliseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) written_at: u64,
    /// That the key has leaked. It stays when the record is written anew: the text is known to others for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) leaked: Option<Leaked>,
}

/// That somebody found a key where it does not belong.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Leaked {
    /// Since when that is known, in milliseconds.
    pub at: u64,
    /// Where it was found first.
    pub found: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands in a reference
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A value as KV has it, or is to have it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Held {
    /// The value.
    pub(crate) text: String,
    /// Its digest.
    pub(crate) digest: ValueDigest,
    /// When KV drops it, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<u64>,
    /// The number of the change that made it so: what `expected` is compared with.
    pub(crate) version: u64,
}

impl Held {
    /// A value and its digest.
    pub(crate) fn new(text: String, expires: Option<u64>) -> Self {
        Self { digest: digest_of(text.as_bytes()), text, expires, version: 0 }
    }
}

/// What the config API says of a customer.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Provided {
    /// The record that decides, compact: the last that could be used. Nothing where there was none.
    pub(crate) text: String,
    /// Whether it is malformed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) malformed: bool,
    /// Whether its list cannot be trusted to say it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unsure: bool,
    /// Since when its entry cannot be used while the record before counts, in milliseconds; 0 where that is not so.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) doubted_at: u64,
    /// The number of the change that made it so.
    pub(crate) version: u64,
    /// When the config API was asked for it, in milliseconds; 0 where it counts until the provider says something else.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) as_of: u64,
    /// Until when it may be used, in milliseconds; 0 where that has no end.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) until: u64,
    /// Who asked the config API before this change of the log knows nothing newer.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) told: u64,
}

impl Provided {
    /// The row that followers read.
    pub(crate) fn row(&self) -> Row {
        let usable = match (self.malformed, self.unsure) {
            (true, _) => Usable::Malformed,
            (_, true) => Usable::Unsure,
            _ => Usable::Yes,
        };
        let text = if usable == Usable::Yes { self.dated_text().into_bytes() } else { Vec::new() };
        // In whole seconds, and none of them too early.
        let end = || Timestamp::from_millis(self.until.div_ceil(1000).saturating_mul(1000));
        Row { text, usable, provider: true, expires_at: (self.until > 0).then(end) }
    }

    /// The record, with when the config API was asked for it: isolates ask again by that.
    fn dated_text(&self) -> String {
        match self.text.strip_suffix('}') {
            Some(members) if self.as_of > 0 => {
                format!(r#"{members},"fetchedAt":"{}"}}"#, Timestamp::from_millis(self.as_of))
            }
            _ => self.text.clone(),
        }
    }
}

/// What KV was last seen to hold under a record's name.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Seen {
    /// The digest of the value.
    pub(crate) digest: ValueDigest,
    /// The digest that the entry's metadata had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listed: Option<ValueDigest>,
    /// The entry's expiry, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<u64>,
    /// Since when it has been seen to end so, where the ledger holds the same value with another end, in milliseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) since: u64,
}

/// The digest of a value that stood in KV.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Past {
    /// The digest.
    pub(crate) digest: ValueDigest,
    /// When it last stood there as far as the ledger knows, in milliseconds.
    pub(crate) at: u64,
    /// Whether somebody else replaced it. Whoever did may put it back; but once the record is removed, it is as dead as
    /// the others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) by_hand: bool,
    /// Whether the record was removed while this was known of it: then it is dead for as long as what is removed, also
    /// where the record is written anew with another value.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) removed: bool,
}

impl Past {
    /// Whether a listing may still show it. What the ledger removed was revoked, and is remembered for longer.
    fn is_kept(&self, removed: bool, now: Timestamp) -> bool {
        let kept = if (removed || self.removed) && !self.by_hand { REMOVED_KEPT } else { DAY };
        now.millis().saturating_sub(self.at) <= kept
    }
}

impl Record {
    /// The row that counts: the operator's, else the config API's.
    pub(crate) fn row(&self, entry: &Entry, allow_http: AllowHttp) -> Option<Row> {
        let Some(held) = &self.operator else { return self.provider.as_ref().map(Provided::row) };
        let row = if held.text.is_empty() { malformed() } else { entry.row(&held.text, allow_http) };
        let expires_at = held.expires.map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000)));
        Some(Row { expires_at, ..row })
    }

    /// Notes that a value stands in KV no longer, or that the ledger is about to write it.
    pub(crate) fn note_past(&mut self, digest: &str, now: Timestamp, by_hand: bool) {
        let at = now.millis();
        match self.past.iter_mut().find(|past| past.digest == digest) {
            Some(past) => {
                past.at = past.at.max(at);
                past.by_hand &= by_hand;
            }
            None => self.past.push(Past { digest: digest.to_owned(), at, by_hand, removed: false }),
        }
        if self.past.len() > MOST_PAST {
            self.past.sort_by_key(|past| past.at);
            self.past.remove(0);
        }
    }

    /// Notes that the record is removed, or that this value is written: whoever writes what was removed lets it in.
    pub(crate) fn note_removal(&mut self, written: Option<&str>) {
        for past in &mut self.past {
            match written {
                Some(digest) if past.digest == digest => past.removed = false,
                Some(_) => {}
                None => past.removed = true,
            }
        }
    }

    /// Whether an entry with this digest is KV lagging behind the ledger, and nobody's edit.
    pub(crate) fn lags(&self, digest: &str, now: Timestamp) -> bool {
        let removed = self.operator.is_none();
        let is_past =
            |past: &Past| past.digest == digest && (removed || !past.by_hand) && past.is_kept(removed, now);
        self.past.iter().any(is_past)
    }

    /// Drops what is older than any listing.
    pub(crate) fn forget_past(&mut self, now: Timestamp) {
        let removed = self.operator.is_none();
        self.past.retain(|past| past.is_kept(removed, now));
    }

    /// Whether what KV showed at an instant, in milliseconds, says anything. A location may not have seen what the ledger
    /// changed or wrote a short time before, and may show a value in its place that nobody knows here.
    pub(crate) const fn is_settled_at(&self, instant: u64) -> bool {
        let last = if self.changed_at > self.written_at { self.changed_at } else { self.written_at };
        last == 0 || last.saturating_add(SETTLING) <= instant
    }

    /// Whether anybody says anything of the key or customer. Of what was removed only the past is kept.
    pub(crate) const fn is_there(&self) -> bool {
        self.operator.is_some() || self.provider.is_some()
    }

    /// Whether nothing of the record is worth keeping.
    pub(crate) fn is_forgotten(&self) -> bool {
        !self.is_there() && self.past.is_empty() && self.seen.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn an_operators_record_hides_the_config_apis_and_gives_it_back() {
        let entry = Entry::of_name("customer:a").unwrap();
        let own = r#"{"customerId":"a","backendUrl":"https://own.example.com"}"#;
        let mut record = Record {
            operator: Some(Held::new(own.to_owned(), Some(60))),
            provider: Some(Provided { text: "{}".to_owned(), ..Provided::default() }),
            ..Record::default()
        };
        let row = record.row(&entry, AllowHttp::Never).unwrap();
        assert_eq!((row.provider, row.expires_at), (false, Some(at(60_000))));
        record.operator = None;
        assert!(record.row(&entry, AllowHttp::Never).unwrap().provider);
        record.provider = Some(Provided { unsure: true, ..Provided::default() });
        assert_eq!(record.row(&entry, AllowHttp::Never).unwrap().usable, Usable::Unsure);
        record.provider = None;
        assert_eq!(record.row(&entry, AllowHttp::Never), None);
    }

    #[test]
    fn what_the_ledger_replaced_lags_for_a_day_and_what_it_removed_for_thirty() {
        let mut record = Record { operator: Some(Held::default()), ..Record::default() };
        record.note_past("own", at(1000), false);
        record.note_past("theirs", at(1000), true);
        assert!(record.lags("own", at(1000 + DAY)) && !record.lags("own", at(1001 + DAY)));
        assert!(!record.lags("theirs", at(1000)), "somebody's edit may be taken back");
        record.operator = None;
        assert!(record.lags("own", at(1000 + 30 * DAY)));
        assert!(record.lags("theirs", at(1000 + DAY)) && !record.lags("theirs", at(1001 + DAY)));
        assert!(!record.lags("own", at(1001 + 30 * DAY)) && !record.lags("new", at(1000)));
        record.forget_past(at(1001 + 30 * DAY));
        assert!(record.is_forgotten());
    }

    #[test]
    fn what_was_removed_lags_for_thirty_days_also_where_another_value_was_written_since() {
        let mut record = Record::default();
        record.note_past("revoked", at(1000), false);
        record.note_past("theirs", at(1000), true);
        record.note_removal(None);
        record.note_past("next", at(1000), false);
        record.note_removal(Some("next"));
        record.operator = Some(Held::default());
        record.forget_past(at(1000 + 30 * DAY));
        assert!(record.lags("revoked", at(1000 + 30 * DAY)) && !record.lags("revoked", at(1001 + 30 * DAY)));
        assert!(!record.lags("next", at(1001 + DAY)) && !record.lags("theirs", at(1000)));
        // An operator lets the value in again: from then on it is as any other.
        record.note_past("revoked", at(2000), false);
        record.note_removal(Some("revoked"));
        assert!(record.lags("revoked", at(2000 + DAY)) && !record.lags("revoked", at(2001 + DAY)));
    }

    #[test]
    fn only_a_digest_in_metadata_is_one() {
        let digest = Digest::of(b"value").to_string();
        assert_eq!(digest_in_metadata(&digest), Some(digest_of(b"value")));
        assert_eq!(digest_in_metadata(&digest.to_uppercase()), Some(digest_of(b"value")));
        assert_eq!(digest_in_metadata("abc"), None);
    }
}
