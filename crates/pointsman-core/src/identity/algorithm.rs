//! The signature algorithms (RFC 7518, section 3.1; RFC 8037; RFC 9864). All that is known about one
//! stands in its table entry; nothing else lists algorithm names.

use serde_json::Value;

use crate::base::json::json;

/// A JWS signature algorithm.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(missing_docs)] // their names are their meaning
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    EdDsa,
    Ed25519,
}

/// The kind of key that an algorithm needs: JWK's `kty` and, where it has one, `crv`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyKind {
    /// A shared secret.
    Secret,
    /// RSA.
    Rsa,
    /// A curve of `kty` `EC`.
    Ec(Curve),
    /// `kty` `OKP` with `crv` `Ed25519`.
    Ed25519,
}

/// The NIST curves.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(missing_docs)]
pub enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    /// All, with their name in JWK and WebCrypto alike and the length of a coordinate in bytes.
    const TABLE: [(Self, &'static str, usize); 3] =
        [(Self::P256, "P-256", 32), (Self::P384, "P-384", 48), (Self::P521, "P-521", 66)];

    /// The curve of this `crv`, with the length of a coordinate in bytes.
    #[must_use]
    pub fn from_name(name: &str) -> Option<(Self, usize)> {
        Self::TABLE.iter().find(|(_, own, _)| *own == name).map(|(curve, _, length)| (*curve, *length))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::TABLE.iter().find(|(curve, ..)| *curve == self).map_or("", |(_, name, _)| name)
    }
}

struct Entry {
    algorithm: Algorithm,
    name: &'static str,
    kind: KeyKind,
    hash_bits: u16,
    /// What WebCrypto calls it.
    web_crypto: &'static str,
}

const fn entry(
    algorithm: Algorithm,
    name: &'static str,
    kind: KeyKind,
    hash_bits: u16,
    web_crypto: &'static str,
) -> Entry {
    Entry { algorithm, name, kind, hash_bits, web_crypto }
}

/// RSASSA-PSS.
const PSS: &str = "RSA-PSS";

static TABLE: [Entry; 14] = [
    entry(Algorithm::Hs256, "HS256", KeyKind::Secret, 256, "HMAC"),
    entry(Algorithm::Hs384, "HS384", KeyKind::Secret, 384, "HMAC"),
    entry(Algorithm::Hs512, "HS512", KeyKind::Secret, 512, "HMAC"),
    entry(Algorithm::Rs256, "RS256", KeyKind::Rsa, 256, "RSASSA-PKCS1-v1_5"),
    entry(Algorithm::Rs384, "RS384", KeyKind::Rsa, 384, "RSASSA-PKCS1-v1_5"),
    entry(Algorithm::Rs512, "RS512", KeyKind::Rsa, 512, "RSASSA-PKCS1-v1_5"),
    entry(Algorithm::Ps256, "PS256", KeyKind::Rsa, 256, PSS),
    entry(Algorithm::Ps384, "PS384", KeyKind::Rsa, 384, PSS),
    entry(Algorithm::Ps512, "PS512", KeyKind::Rsa, 512, PSS),
    entry(Algorithm::Es256, "ES256", KeyKind::Ec(Curve::P256), 256, "ECDSA"),
    entry(Algorithm::Es384, "ES384", KeyKind::Ec(Curve::P384), 384, "ECDSA"),
    entry(Algorithm::Es512, "ES512", KeyKind::Ec(Curve::P521), 512, "ECDSA"),
    entry(Algorithm::EdDsa, "EdDSA", KeyKind::Ed25519, 512, "Ed25519"),
    entry(Algorithm::Ed25519, "Ed25519", KeyKind::Ed25519, 512, "Ed25519"),
];

impl Algorithm {
    /// The algorithm of this exact name; names are case-sensitive, and `none` is not among them.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|entry| entry.name == name).map(|entry| entry.algorithm)
    }

    /// All names, for messages.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|entry| entry.name)
    }

    /// Its name as in `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().map_or("", |entry| entry.name)
    }

    /// The one that keys of this kind sign with where nothing else is said; nothing for a kind that none takes.
    #[must_use]
    pub fn of_kind(kind: KeyKind) -> Option<Self> {
        TABLE.iter().find(|entry| entry.kind == kind).map(|entry| entry.algorithm)
    }

    /// The kind of key it verifies with.
    #[must_use]
    pub fn key_kind(self) -> KeyKind {
        self.entry().map_or(KeyKind::Secret, |entry| entry.kind)
    }

    /// Bits of its hash.
    #[must_use]
    pub fn hash_bits(self) -> u16 {
        self.entry().map_or(512, |entry| entry.hash_bits)
    }

    /// What WebCrypto takes to import its keys, to sign and to verify.
    #[must_use]
    pub fn web_crypto(self) -> Value {
        let Some(Entry { kind, hash_bits, web_crypto: name, .. }) = self.entry() else { return Value::Null };
        let hash = format!("SHA-{hash_bits}");
        match kind {
            // Its hash is part of it.
            KeyKind::Ed25519 => json!({ "name": name }),
            KeyKind::Ec(curve) => json!({ "name": name, "namedCurve": curve.name(), "hash": hash }),
            // As long as the hash (RFC 7518, section 3.5).
            KeyKind::Rsa if *name == PSS => {
                json!({ "name": name, "hash": hash, "saltLength": hash_bits / 8 })
            }
            KeyKind::Rsa | KeyKind::Secret => json!({ "name": name, "hash": hash }),
        }
    }

    fn entry(self) -> Option<&'static Entry> {
        TABLE.iter().find(|entry| entry.algorithm == self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact_and_none_is_none() {
        for name in Algorithm::names() {
            assert_eq!(Algorithm::from_name(name).unwrap().name(), name);
        }
        for name in ["none", "None", "hs256", "HS256 ", "", "RS1", "ES256K"] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn web_crypto_is_told_what_it_takes() {
        for (algorithm, parameters) in [
            (Algorithm::Hs384, json!({ "name": "HMAC", "hash": "SHA-384" })),
            (Algorithm::Rs256, json!({ "name": "RSASSA-PKCS1-v1_5", "hash": "SHA-256" })),
            (Algorithm::Ps512, json!({ "name": "RSA-PSS", "hash": "SHA-512", "saltLength": 64u64 })),
            (Algorithm::Es256, json!({ "name": "ECDSA", "namedCurve": "P-256", "hash": "SHA-256" })),
            (Algorithm::Es512, json!({ "name": "ECDSA", "namedCurve": "P-521", "hash": "SHA-512" })),
            (Algorithm::EdDsa, json!({ "name": "Ed25519" })),
            (Algorithm::Ed25519, json!({ "name": "Ed25519" })),
        ] {
            assert_eq!(algorithm.web_crypto(), parameters, "{}", algorithm.name());
        }
    }

    #[test]
    fn a_curve_is_known_by_its_name() {
        for (curve, name, length) in Curve::TABLE {
            assert_eq!((Curve::from_name(name), curve.name()), (Some((curve, length)), name));
        }
        assert_eq!(Curve::from_name("secp256k1"), None);
        assert_eq!(Algorithm::of_kind(KeyKind::Ec(Curve::P256)), Some(Algorithm::Es256));
        assert_eq!(Algorithm::of_kind(KeyKind::Ed25519), Some(Algorithm::EdDsa));
    }
}
