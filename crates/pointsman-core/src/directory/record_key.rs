//! What a record is of: its kind, and a digest of its name.

use crate::{
    base::digest::Digest,
    customer::host_name::HostName,
    directory::bytes::{Reader, hex},
};

/// What a record is of.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Kind {
    /// An API key.
    ApiKey = 0,
    /// A customer.
    Customer = 1,
    /// Tokens that are revoked.
    Token = 2,
}

impl Kind {
    /// The kind with this number.
    #[must_use]
    pub const fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::ApiKey),
            1 => Some(Self::Customer),
            2 => Some(Self::Token),
            _ => None,
        }
    }
}

/// Bytes of a digest that tell records apart. Half of SHA-256: to find a second name for a record that exists takes
/// 2^128 attempts, and nobody gains from two names of their own that collide.
pub const DIGEST_BYTES: usize = 16;

/// Names a record. Rows are ordered by the digest, so that a shard is all that begins with the same bits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RecordKey {
    /// The beginning of the SHA-256 digest of its name.
    pub digest: [u8; DIGEST_BYTES],
    /// What it is of.
    pub kind: Kind,
}

impl RecordKey {
    /// Of the API key with this digest.
    #[must_use]
    pub fn api_key(digest: &Digest) -> Self {
        Self::of(Kind::ApiKey, digest)
    }

    /// Of the customer with this id.
    #[must_use]
    pub fn customer(id: &str) -> Self {
        Self::of(Kind::Customer, &Digest::of(id.as_bytes()))
    }

    /// Of the customer whose record lists this host. A kind of its own would be one that versions before cannot read, in whose
    /// logs and shards no host could stand; so it is a customer by a name that is no customer's id.
    #[must_use]
    pub fn host(host: &HostName) -> Self {
        Self::customer(host.customer().as_str())
    }

    /// Of the token of this issuer (`iss`) with this id (`jti`, RFC 7519, section 4.1.7).
    #[must_use]
    pub fn token_id(issuer: &str, jti: &str) -> Self {
        Self::token("jti", issuer, jti)
    }

    /// Of all tokens of this issuer for this subject (`sub`).
    #[must_use]
    pub fn subject(issuer: &str, sub: &str) -> Self {
        Self::token("sub", issuer, sub)
    }

    fn token(claim: &str, issuer: &str, value: &str) -> Self {
        // The issuer's length stands before it, so that no issuer can end as another's value begins.
        let name = format!("{claim}\0{}\0{issuer}\0{value}", issuer.len());
        Self::of(Kind::Token, &Digest::of(name.as_bytes()))
    }

    fn of(kind: Kind, digest: &Digest) -> Self {
        let mut beginning = [0; DIGEST_BYTES];
        beginning.iter_mut().zip(digest.bytes()).for_each(|(into, from)| *into = *from);
        Self { digest: beginning, kind }
    }

    /// The digest, then the kind: in the order of records.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; DIGEST_BYTES + 1] {
        let mut bytes = [self.kind as u8; DIGEST_BYTES + 1];
        bytes.iter_mut().zip(self.digest).for_each(|(into, from)| *into = from);
        bytes
    }

    /// Reads what [`RecordKey::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let key = Self { digest: reader.array()?, kind: Kind::of(reader.byte()?)? };
        reader.is_empty().then_some(key)
    }

    /// The first `bits` of the digest, at most 32: which shard it is in.
    #[must_use]
    pub fn prefix(&self, bits: u8) -> u32 {
        let first = self.digest.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        first.checked_shr(32 - u32::from(bits.min(32))).unwrap_or_default()
    }

    /// The digest in hexadecimal.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_named_by_kind_and_digest() {
        let key = RecordKey::customer("acme-corp");
        assert_eq!(RecordKey::from_bytes(&key.to_bytes()), Some(key));
        assert_ne!(RecordKey::api_key(&Digest::of(b"acme-corp")), key, "a key is no customer");
        assert_eq!(RecordKey::from_bytes(&key.to_bytes()[1..]), None);
        assert_eq!(RecordKey::from_bytes(&[9; 17]), None, "an unknown kind");
    }

    #[test]
    fn no_issuer_speaks_for_another() {
        assert_ne!(RecordKey::token_id("a", "b\0c"), RecordKey::token_id("a\0b", "c"));
        assert_ne!(RecordKey::token_id("a", "b"), RecordKey::subject("a", "b"));
    }

    #[test]
    fn a_shard_is_what_begins_alike() {
        let key = RecordKey { digest: [0b1010_0000; 16], kind: Kind::ApiKey };
        assert_eq!([0, 1, 3, 8, 32].map(|bits| key.prefix(bits)), [0, 1, 0b101, 0b1010_0000, 0xa0a0_a0a0]);
    }
}
