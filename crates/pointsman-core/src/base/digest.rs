//! SHA-256 digests: the name under which a credential or an id is stored and cached.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest as _, Sha256};

use crate::base::percent::hex_digit;

/// A SHA-256 digest. Caches and the key store see credentials only as these, so that neither a memory dump
/// of a cache nor a listing of the store holds anything that works as one.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A name for what is no secret, told apart from all others as safely as by its digest: a text of up to
    /// 31 bytes is its own name, which spares the hashing.
    #[must_use]
    pub fn name_of(text: &str) -> Self {
        let mut bytes = [0; 32];
        let fits = bytes.split_last_mut().and_then(|(length, place)| {
            place.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
            *length = u8::try_from(text.len()).ok()?;
            Some(())
        });
        if fits.is_none() {
            bytes = Self::of(text.as_bytes()).0;
            // No length of a text that is its own name.
            bytes[31] = u8::MAX;
        }
        Self(bytes)
    }

    /// A name that begins with these bytes, and has nothing behind them.
    #[must_use]
    pub fn beginning(bytes: &[u8; 16]) -> Self {
        let mut name = [0; 32];
        name.iter_mut().zip(bytes).for_each(|(into, from)| *into = *from);
        Self(name)
    }

    /// Reads 43 characters of base64url, as thumbprints and hashes stand in tokens.
    #[must_use]
    pub fn from_base64url(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let length = Base64UrlUnpadded::decode(text, &mut bytes).ok()?.len();
        (length == bytes.len()).then_some(Self(bytes))
    }

    /// Its 43 characters of base64url.
    #[must_use]
    pub fn to_base64url(&self) -> String {
        Base64UrlUnpadded::encode_string(&self.0)
    }

    /// Reads 64 hexadecimal digits in either case.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        (text.len() == 64).then_some(())?;
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let [high, low] = digits else { return None };
            *byte = hex_digit(*high)? << 4 | hex_digit(*low)?;
        }
        Some(Self(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 64 bits, for tables that look the whole up behind it.
    #[must_use]
    pub fn prefix(&self) -> u64 {
        self.0.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

impl Hash for Digest {
    /// Without the length that the standard library hashes before a list of bytes: all digests are as long.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl fmt::Display for Digest {
    /// Lower-case hexadecimal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_different_texts_differ() {
        let mut names = std::collections::HashSet::new();
        for length in 0..70 {
            for first in ["", "a", "\0", "\u{1f}", "é"] {
                let text = format!("{first}{}", "x".repeat(length));
                for text in [format!("{text}\0"), text] {
                    assert_eq!(Digest::name_of(&text), Digest::name_of(&text.clone()));
                    names.insert((Digest::name_of(&text), text));
                }
            }
        }
        let texts: std::collections::HashSet<_> = names.iter().map(|(_, text)| text).collect();
        let digests: std::collections::HashSet<_> = names.iter().map(|(digest, _)| digest).collect();
        assert_eq!(texts.len(), digests.len());
    }

    #[test]
    fn a_digest_is_read_in_the_two_ways_in_which_it_is_written() {
        let digest = Digest::of(b"abc");
        let hex = digest.to_string();
        for text in [hex.clone(), hex.to_uppercase()] {
            assert_eq!(Digest::from_hex(&text), Some(digest));
        }
        let base64url = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
        assert_eq!(Digest::from_base64url(base64url), Some(digest));
        assert_eq!(digest.to_base64url(), base64url);
        for bad in ["", "ba78", &hex.replacen('b', "", 1), &format!("{hex}00"), &hex.replace('b', "+")] {
            assert_eq!(Digest::from_hex(bad), None, "{bad}");
        }
        for bad in [
            "",
            "ungW",
            &base64url.replacen('u', "", 1),
            &format!("{base64url}="),
            &base64url.replace('_', "/"),
        ] {
            assert_eq!(Digest::from_base64url(bad), None, "{bad}");
        }
    }

    #[test]
    fn matches_the_published_example() {
        // FIPS 180-4, the one-block example message.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").to_string(), expected);
    }
}
