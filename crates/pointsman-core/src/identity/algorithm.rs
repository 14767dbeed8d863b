//! The signature algorithms (RFC 7518, section 3.1; RFC 8037; RFC 9864). All that is known about one
//! stands in its table entry; nothing else lists algorithm names.

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
    /// All, with their JWK name and the length of a coordinate in bytes.
    pub const ALL: [(Self, &'static str, usize); 3] =
        [(Self::P256, "P-256", 32), (Self::P384, "P-384", 48), (Self::P521, "P-521", 66)];
}

struct Entry {
    algorithm: Algorithm,
    name: &'static str,
    kind: KeyKind,
    hash_bits: u16,
}

const fn entry(algorithm: Algorithm, name: &'static str, kind: KeyKind, hash_bits: u16) -> Entry {
    Entry { algorithm, name, kind, hash_bits }
}

static TABLE: [Entry; 14] = [
    entry(Algorithm::Hs256, "HS256", KeyKind::Secret, 256),
    entry(Algorithm::Hs384, "HS384", KeyKind::Secret, 384),
    entry(Algorithm::Hs512, "HS512", KeyKind::Secret, 512),
    entry(Algorithm::Rs256, "RS256", KeyKind::Rsa, 256),
    entry(Algorithm::Rs384, "RS384", KeyKind::Rsa, 384),
    entry(Algorithm::Rs512, "RS512", KeyKind::Rsa, 512),
    entry(Algorithm::Ps256, "PS256", KeyKind::Rsa, 256),
    entry(Algorithm::Ps384, "PS384", KeyKind::Rsa, 384),
    entry(Algorithm::Ps512, "PS512", KeyKind::Rsa, 512),
    entry(Algorithm::Es256, "ES256", KeyKind::Ec(Curve::P256), 256),
    entry(Algorithm::Es384, "ES384", KeyKind::Ec(Curve::P384), 384),
    entry(Algorithm::Es512, "ES512", KeyKind::Ec(Curve::P521), 512),
    entry(Algorithm::EdDsa, "EdDSA", KeyKind::Ed25519, 512),
    entry(Algorithm::Ed25519, "Ed25519", KeyKind::Ed25519, 512),
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

    /// Whether it is PSS rather than PKCS #1 v1.5.
    #[must_use]
    pub const fn is_pss(self) -> bool {
        matches!(self, Self::Ps256 | Self::Ps384 | Self::Ps512)
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
}
