//! Key sets (RFC 7517, section 5): which keys of a set are usable, and which one key a token means.

use std::rc::Rc;

use serde_json::Value;

use super::algorithm::Algorithm;
pub use super::jwk::{Material, PublicKey, UnusableKey};
use crate::{claims::parse_object, digest::Digest, error::Refusal};

/// A set longer than this is not read. Real ones hold a few kilobytes.
pub const MAX_SET_BYTES: usize = 256 * 1024;

/// The usable keys of one issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeySet {
    keys: Vec<Rc<PublicKey>>,
    passed_over: usize,
}

impl KeySet {
    /// How many keys can be used.
    #[must_use]
    pub fn usable(&self) -> usize {
        self.keys.len()
    }

    /// Reads a JWK Set (RFC 7517, section 5). Keys that cannot be used are passed over, so that one
    /// odd key does not take the others down; a document that is no set is an error, so that it
    /// never replaces a good one.
    ///
    /// # Errors
    /// What the document is instead.
    pub fn parse(document: &[u8]) -> Result<Self, &'static str> {
        if document.len() > MAX_SET_BYTES {
            return Err("the key set is over 256 kB");
        }
        let members = parse_object(document).map_err(|_| "the key set is not a JSON object")?;
        let Some(Value::Array(jwks)) = members.get("keys") else {
            return Err("the key set has no array \"keys\"");
        };
        let set = Self::from_jwks(jwks);
        // An empty set says that no key counts any more; one that is full of what nobody can use says
        // that something is broken.
        if set.keys.is_empty() && !jwks.is_empty() {
            return Err("the key set has no key that can be used");
        }
        Ok(set)
    }

    /// The usable ones of `jwks`.
    #[must_use]
    pub fn from_jwks(jwks: &[Value]) -> Self {
        let keys: Vec<_> = jwks.iter().filter_map(|jwk| PublicKey::parse(jwk).ok()).map(Rc::new).collect();
        let passed_over = jwks.len().saturating_sub(keys.len());
        Self { keys, passed_over }
    }

    /// How many keys of the document cannot be used.
    #[must_use]
    pub const fn passed_over(&self) -> usize {
        self.passed_over
    }

    /// The usable keys.
    #[must_use]
    pub fn keys(&self) -> &[Rc<PublicKey>] {
        &self.keys
    }

    /// Whether the key with this thumbprint is still in the set.
    #[must_use]
    pub fn holds(&self, thumbprint: &Digest) -> bool {
        self.keys.iter().any(|key| key.thumbprint() == thumbprint)
    }

    /// The one key that a token with this `kid` and `alg` means. Other keys are never tried: trying
    /// would let a token of one purpose pass with the key of another.
    ///
    /// # Errors
    /// [`Refusal::TokenKeyUnknown`] where another set may hold it, [`Refusal::TokenKeyUnusable`]
    /// where the named key does not fit.
    pub fn select(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&Rc<PublicKey>, Refusal> {
        let named = || self.keys.iter().filter(|key| kid.is_none() || key.id() == kid);
        if named().next().is_none() {
            return Err(Refusal::TokenKeyUnknown);
        }
        let mut fitting = named().filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            // Without a kid, "none" and "several" are both: this token does not say which key it means.
            _ if kid.is_none() => Err(Refusal::TokenKeyUnknown),
            _ => Err(Refusal::TokenKeyUnusable),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn public(name: &str) -> Value {
        let set: Value = serde_json::from_str(include_str!("../../fixtures/keys/issuer.jwks.json")).unwrap();
        set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == name).unwrap().clone()
    }

    #[test]
    fn one_odd_key_does_not_take_the_others_down() {
        let document = json!({"keys": [public("es256-1"), {"kty": "oct", "k": "AA"}, 7, public("rs256-1")]});
        let set = KeySet::parse(document.to_string().as_bytes()).unwrap();
        assert_eq!((set.keys().len(), set.passed_over()), (2, 2));
    }

    #[test]
    fn what_is_no_set_is_an_error() {
        for document in ["", "<html>", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            assert!(KeySet::parse(document.as_bytes()).is_err(), "{document}");
        }
        assert!(
            KeySet::parse(format!("{{\"keys\":[],\"x\":\"{}\"}}", "y".repeat(MAX_SET_BYTES)).as_bytes())
                .is_err()
        );
        assert!(KeySet::parse(br#"{"keys":[]}"#).is_ok());
        assert!(KeySet::parse(br#"{"keys":[1,{"kty":"oct","k":"AA"}]}"#).is_err());
    }

    #[test]
    fn exactly_one_key_must_remain() {
        let set = KeySet::from_jwks(&[public("es256-1"), public("rs256-1"), public("eddsa-1")]);
        assert!(set.select(Some("es256-1"), Algorithm::Es256).is_ok());
        assert_eq!(set.select(Some("es256-1"), Algorithm::Rs256).err(), Some(Refusal::TokenKeyUnusable));
        assert_eq!(set.select(Some("es256-1"), Algorithm::Hs256).err(), Some(Refusal::TokenKeyUnusable));
        assert_eq!(set.select(Some("other"), Algorithm::Es256).err(), Some(Refusal::TokenKeyUnknown));
        assert!(set.select(None, Algorithm::Es256).is_ok());
        assert_eq!(set.select(None, Algorithm::Es384).err(), Some(Refusal::TokenKeyUnknown));
        let twice = KeySet::from_jwks(&[public("es256-1"), public("es256-1")]);
        assert_eq!(twice.select(Some("es256-1"), Algorithm::Es256).err(), Some(Refusal::TokenKeyUnusable));
    }
}
