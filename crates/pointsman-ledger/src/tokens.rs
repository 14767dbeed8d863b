//! Revocations of tokens: of one token, of all tokens of a subject, or of those that were issued before some time.

use pointsman_core::{
    base::time::Timestamp,
    directory::{bytes::Reader, log::Change, record_key::RecordKey, row::Row},
};
use serde::{Deserialize, Serialize};

use crate::{
    keyspace::{TOKEN, key},
    ledger::{Cause, Ledger},
    storage::Storage,
};

/// Revocations of tokens at most. Each isolate holds all of them.
pub const MOST_REVOCATIONS: u64 = 100_000;

/// Which tokens are revoked, and until when that has to be known: when the last of them has expired by itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// Whose tokens (`iss`).
    pub issuer: String,
    /// Which.
    #[serde(flatten)]
    pub by: RevokedBy,
    /// Of a subject's tokens only those issued before this, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<String>,
    /// Until when, in milliseconds since 1970.
    pub until: u64,
}

/// By which claim tokens are revoked.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RevokedBy {
    /// The one token with this id (`jti`).
    Jti(String),
    /// All tokens for this subject (`sub`).
    Sub(String),
}

impl RevokedBy {
    fn record_key(&self, issuer: &str) -> RecordKey {
        match self {
            Self::Jti(jti) => RecordKey::token_id(issuer, jti),
            Self::Sub(sub) => RecordKey::subject(issuer, sub),
        }
    }

    /// How the audit trail names it.
    fn name(&self, issuer: &str) -> String {
        match self {
            Self::Jti(jti) => format!("token:jti:{issuer} {jti}"),
            Self::Sub(sub) => format!("token:sub:{issuer} {sub}"),
        }
    }
}

impl Revocation {
    /// Where and what is wrong with it.
    pub(crate) fn fault(&self, now: Timestamp) -> Option<(&'static str, &'static str)> {
        let value = match &self.by {
            RevokedBy::Jti(value) | RevokedBy::Sub(value) => value,
        };
        if self.issuer.is_empty() {
            return Some(("/issuer", "must not be empty"));
        }
        if value.is_empty() {
            return Some(("", "must name a token by jti or a subject by sub"));
        }
        if let Some(text) = &self.issued_before {
            if matches!(self.by, RevokedBy::Jti(_)) {
                return Some(("/issuedBefore", "is only for a subject: one token was issued once"));
            }
            if Timestamp::parse_rfc3339(text).is_none() {
                return Some(("/issuedBefore", "must be an RFC 3339 instant such as 2026-12-31T23:59:59Z"));
            }
        }
        (self.until <= now.millis()).then_some(("/until", "must lie in the future"))
    }

    /// The row that followers read, with what an earlier revocation says beside: neither end nor extent ever shrinks.
    fn row(&self, before: Option<&Row>) -> Row {
        let at = self.issued_before.as_deref().and_then(Timestamp::parse_rfc3339);
        // In whole seconds, and none of them too early.
        let end = Timestamp::from_millis(self.until.div_ceil(1000).saturating_mul(1000));
        let row = Row { expires_at: Some(end), ..Row::of(text_of(at)) };
        match before {
            Some(before) => both(&row, before),
            None => row,
        }
    }
}

fn text_of(issued_before: Option<Timestamp>) -> String {
    issued_before.map_or_else(|| "{}".to_owned(), |at| format!(r#"{{"issuedBefore":"{at}"}}"#))
}

/// What two revocations of the same tokens say together: the later end and the larger extent.
pub(crate) fn both(one: &Row, other: &Row) -> Row {
    let issued_before = issued_before(one).zip(issued_before(other)).map(|(one, other)| one.max(other));
    // One without an end has none.
    let end = one.expires_at.zip(other.expires_at).map(|(one, other)| one.max(other));
    Row { expires_at: end, ..Row::of(text_of(issued_before)) }
}

/// Of a subject's tokens those that were issued before this; `None` for all.
fn issued_before(row: &Row) -> Option<Timestamp> {
    let text: serde_json::Value = serde_json::from_slice(&row.text).ok()?;
    Timestamp::parse_rfc3339(text.get("issuedBefore")?.as_str()?)
}

impl<S: Storage> Ledger<S> {
    /// The revocation of a token or of a subject's tokens.
    pub(crate) fn token(&self, of: &RecordKey) -> Option<Row> {
        let bytes = self.storage.get(&key(TOKEN, &[&of.to_bytes()]))?;
        Row::read(&mut Reader::new(&bytes))
    }

    pub(crate) fn is_revoked(&self, revocation: &Revocation) -> bool {
        self.token(&revocation.by.record_key(&revocation.issuer)).is_some()
    }

    pub(crate) const fn has_room_for(&self, revocations: u64) -> bool {
        self.state.tokens.saturating_add(revocations) <= MOST_REVOCATIONS
    }

    pub(crate) fn revoke(&mut self, revocation: &Revocation, cause: &Cause<'_>) -> u64 {
        let of = revocation.by.record_key(&revocation.issuer);
        let row = revocation.row(self.token(&of).as_ref());
        let version = self.next_sequence(revocation.by.name(&revocation.issuer), "revoke", cause);
        self.put_token(&of, row);
        version
    }

    /// Writes a revocation and tells followers. One that is there already is not told again.
    pub(crate) fn put_token(&mut self, of: &RecordKey, row: Row) {
        let before = self.token(of);
        if before.as_ref() == Some(&row) {
            return;
        }
        let mut bytes = Vec::with_capacity(64);
        row.put(&mut bytes);
        self.storage.put(&key(TOKEN, &[&of.to_bytes()]), &bytes);
        self.state.tokens = self.state.tokens.saturating_add(u64::from(before.is_none()));
        let end = |row: &Row| row.expires_at.map(Timestamp::millis);
        self.set_end(of, before.as_ref().and_then(end), end(&row));
        self.append(Change { key: *of, row: Some(row) });
    }

    pub(crate) fn allow(&mut self, issuer: &str, by: &RevokedBy, cause: &Cause<'_>) -> u64 {
        let of = by.record_key(issuer);
        if self.token(&of).is_some() {
            self.next_sequence(by.name(issuer), "allow", cause);
            self.drop_token(&of);
            self.append(Change { key: of, row: None });
        }
        0
    }

    /// Drops a revocation. Followers end it by themselves where its end has come.
    pub(crate) fn drop_token(&mut self, of: &RecordKey) {
        let Some(row) = self.token(of) else { return };
        self.set_end(of, row.expires_at.map(Timestamp::millis), None);
        self.storage.delete(&key(TOKEN, &[&of.to_bytes()]));
        self.state.tokens = self.state.tokens.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revocation(issued_before: Option<&str>, until: u64) -> Revocation {
        let issued_before = issued_before.map(str::to_owned);
        Revocation { issuer: "i".to_owned(), by: RevokedBy::Sub("s".to_owned()), issued_before, until }
    }

    #[test]
    fn a_revocation_never_shrinks() {
        let text = |row: &Row| String::from_utf8(row.text.clone()).unwrap();
        let first = revocation(Some("2026-01-02T00:00:00Z"), 5001).row(None);
        assert_eq!(text(&first), r#"{"issuedBefore":"2026-01-02T00:00:00.000Z"}"#);
        assert_eq!(first.expires_at, Some(Timestamp::from_millis(6000)));
        let second = revocation(Some("2026-01-01T00:00:00Z"), 100).row(Some(&first));
        assert_eq!(second, first);
        let all = revocation(None, 9000).row(Some(&first));
        assert_eq!((text(&all).as_str(), all.expires_at), ("{}", Some(Timestamp::from_millis(9000))));
        let still_all = revocation(Some("2026-01-03T00:00:00Z"), 9000).row(Some(&all));
        assert_eq!(still_all, all);
    }

    #[test]
    fn a_revocation_says_of_whom_and_until_when() {
        let now = Timestamp::from_millis(1000);
        assert_eq!(revocation(None, 2000).fault(now), None);
        assert_eq!(revocation(None, 1000).fault(now).unwrap().0, "/until");
        assert_eq!(revocation(Some("yesterday"), 2000).fault(now).unwrap().0, "/issuedBefore");
        let one = Revocation {
            by: RevokedBy::Jti("t".to_owned()),
            ..revocation(Some("2026-01-01T00:00:00Z"), 2000)
        };
        assert_eq!(one.fault(now).unwrap().0, "/issuedBefore");
        let nobody = Revocation { by: RevokedBy::Sub(String::new()), ..revocation(None, 2000) };
        assert!(nobody.fault(now).is_some());
    }
}
