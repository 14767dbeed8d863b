//! Key sets (RFC 7517, section 5): which keys of a set are usable, and which one key a token means.

use std::{fmt, rc::Rc};

use serde_json::Value;

pub use super::jwk::{Flaw, Material, PublicKey, UnusableKey};
use super::{algorithm::Algorithm, jwk::MOST_OF_A_NAME};
use crate::base::{
    digest::Digest,
    json::{Shallow, without_bom},
    refusal::Refusal,
};

/// A set longer than this is not read. Real ones hold a few kilobytes.
pub const MAX_SET_BYTES: usize = 256 * 1024;
/// Of so many keys that cannot be used, it is told why.
const MOST_TOLD: usize = 5;
/// So many keys are tried for a token that does not say which of them it means. Each is a verification, which
/// whoever makes up tokens can cause at will.
pub const MOST_TRIED: usize = 4;

/// The usable keys of one issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeySet {
    keys: Vec<Rc<PublicKey>>,
    passed_over: usize,
    /// The first of them.
    complaints: Vec<PassedOver>,
}

/// A key of a set that cannot be used, and looks as if it was meant to be.
#[derive(Clone, Debug, Eq, PartialEq)]
struct PassedOver {
    position: usize,
    id: Option<String>,
    why: UnusableKey,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "/keys/{}", self.position)?;
        if let Some(id) = &self.id {
            write!(formatter, " (kid {id:?})")?;
        }
        write!(formatter, ": {}", self.why)
    }
}

/// The keys that may have signed a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Candidates {
    /// The first one.
    pub key: Rc<PublicKey>,
    /// Further ones, tried in this order where the first one did not sign it.
    pub others: Vec<Rc<PublicKey>>,
}

impl Candidates {
    /// Those that may sign for this `iss`; `None` where there is none.
    #[must_use]
    pub fn of(self, iss: &str) -> Option<Self> {
        let mut keys = std::iter::once(self.key).chain(self.others).filter(|key| key.is_of(iss));
        Some(Self { key: keys.next()?, others: keys.collect() })
    }
}

impl KeySet {
    /// How many keys can be used.
    #[must_use]
    pub fn usable(&self) -> usize {
        self.keys.len()
    }

    /// Reads a JWK Set (RFC 7517, section 5). Keys that cannot be used are passed over, so that one
    /// odd key does not take the others down; a document that is no set is an error, so that it
    /// never replaces a good one. A set without any usable key is a set all the same: the issuer says
    /// that none of its earlier keys counts any more.
    ///
    /// # Errors
    /// What the document is instead.
    pub fn parse(document: &[u8]) -> Result<Self, &'static str> {
        if document.len() > MAX_SET_BYTES {
            return Err("the key set is over 256 kB");
        }
        let set = match Shallow::parse(without_bom(document)) {
            Ok(set @ Shallow::Object(_)) => set,
            Ok(_) => return Err("the key set is not a JSON object"),
            Err(_) => return Err("the key set is no JSON"),
        };
        let keys = set.member("keys").ok_or("the key set has no member \"keys\", or has it twice")?;
        let Ok(Shallow::List(jwks)) = Shallow::parse(keys.get().as_bytes()) else {
            return Err("the key set's \"keys\" is no array");
        };
        let read = jwks.iter().map(|jwk| {
            let json = jwk.get().as_bytes();
            let id =
                || Shallow::parse(json).ok()?.text("kid").map(|id| id.chars().take(MOST_OF_A_NAME).collect());
            PublicKey::read(json).map_err(|why| (why, id()))
        });
        Ok(Self::of(read))
    }

    /// The usable ones of `jwks`.
    #[must_use]
    pub fn from_jwks(jwks: &[Value]) -> Self {
        Self::of(jwks.iter().map(|jwk| PublicKey::parse(jwk).map_err(|why| (why, None))))
    }

    fn of(read: impl Iterator<Item = Result<PublicKey, (UnusableKey, Option<String>)>>) -> Self {
        let mut set = Self { keys: Vec::new(), passed_over: 0, complaints: Vec::new() };
        for (position, key) in read.enumerate() {
            match key {
                Ok(key) => set.keys.push(Rc::new(key)),
                Err((UnusableKey { flaw: Flaw::Encryption, .. }, _)) => {}
                Err((why, id)) => {
                    set.passed_over += 1;
                    if set.complaints.len() < MOST_TOLD {
                        set.complaints.push(PassedOver { position, id, why });
                    }
                }
            }
        }
        set
    }

    /// How many keys of the document cannot be used, without those for encryption.
    #[must_use]
    pub const fn passed_over(&self) -> usize {
        self.passed_over
    }

    /// What is wrong with these, each named by its place and its `kid`; nothing where there are none.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let told: Vec<_> = self.complaints.iter().map(ToString::to_string).collect();
        let more = self.passed_over.saturating_sub(told.len());
        let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
        (!told.is_empty()).then(|| told.join("; ") + &rest)
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

    /// The keys that may have signed a token with this `kid` and `alg`. Where both token and set name keys, that
    /// is the one of that name and no other: a key of another name may be for another purpose. Where one of them
    /// does not, all that fit are tried, as long as they are few.
    ///
    /// # Errors
    /// [`Refusal::TokenKeyUnknown`] where another set may hold it, [`Refusal::TokenKeyUnusable`]
    /// where the named key does not fit, [`Refusal::TokenKeyAmbiguous`] where too many would be tried.
    pub fn select(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Candidates, Refusal> {
        let Some(kid) = kid else { return self.nameless(algorithm, |_| true) };
        let is_named = |key: &PublicKey| key.id() == Some(kid);
        if !self.keys.iter().any(|key| is_named(key)) {
            return self.nameless(algorithm, |key| key.id().is_none());
        }
        match self.fitting(algorithm, is_named).as_slice() {
            [key] => Ok(Candidates { key: Rc::clone(key), others: Vec::new() }),
            _ => Err(Refusal::TokenKeyUnusable),
        }
    }

    fn nameless(
        &self,
        algorithm: Algorithm,
        counts: impl Fn(&PublicKey) -> bool,
    ) -> Result<Candidates, Refusal> {
        match self.fitting(algorithm, counts).split_first() {
            None => Err(Refusal::TokenKeyUnknown),
            Some((_, others)) if others.len() >= MOST_TRIED => Err(Refusal::TokenKeyAmbiguous),
            Some((key, others)) => Ok(Candidates { key: Rc::clone(key), others: others.to_vec() }),
        }
    }

    /// Those of these keys that fit. One that stands in the set several times is one key.
    fn fitting(&self, algorithm: Algorithm, counts: impl Fn(&PublicKey) -> bool) -> Vec<Rc<PublicKey>> {
        let mut fitting: Vec<Rc<PublicKey>> = Vec::new();
        for key in self.keys.iter().filter(|key| counts(key) && key.fits(algorithm)) {
            // One more than are tried is enough to see that they are too many.
            if fitting.len() <= MOST_TRIED
                && fitting.iter().all(|other| other.thumbprint() != key.thumbprint())
            {
                fitting.push(Rc::clone(key));
            }
        }
        fitting
    }
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding};
    use serde_json::json;

    use super::*;

    fn public(name: &str) -> Value {
        let set: Value =
            serde_json::from_str(include_str!("../../../../fixtures/keys/issuer.jwks.json")).unwrap();
        set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == name).unwrap().clone()
    }

    fn with(mut jwk: Value, name: &str, value: Value) -> Value {
        jwk[name] = value;
        jwk
    }

    fn without(mut jwk: Value, name: &str) -> Value {
        jwk.as_object_mut().unwrap().remove(name);
        jwk
    }

    /// A key of its own for each number; whether it lies on its curve is not looked at here.
    fn another(number: u8) -> Value {
        let coordinate = Base64UrlUnpadded::encode_string(&[number; 32]);
        json!({"kty": "EC", "crv": "P-256", "kid": format!("k-{number}"), "x": coordinate, "y": coordinate})
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
        assert!(KeySet::parse(b"\xef\xbb\xbf{\"keys\":[]}").is_ok(), "after a byte order mark");
        assert!(KeySet::parse(b"\xef\xbb\xbf\xef\xbb\xbf{\"keys\":[]}").is_err());
    }

    /// Promise 59.
    #[test]
    fn a_set_without_a_key_that_can_be_used_is_a_set() {
        for document in [
            json!({"keys": [1, {"kty": "oct", "k": "AA"}]}),
            json!({"keys": [with(public("rs256-1"), "use", json!("enc"))]}),
        ] {
            let set = KeySet::parse(document.to_string().as_bytes()).unwrap();
            assert_eq!(set.usable(), 0);
            assert_eq!(set.select(None, Algorithm::Rs256).err(), Some(Refusal::TokenKeyUnknown));
        }
    }

    #[test]
    fn what_is_wrong_with_a_key_names_key_member_and_cause() {
        let weak = with(public("rs256-1"), "e", json!("AQ"));
        let (ec, nameless) = (public("es256-1"), without(public("es256-1"), "kid"));
        let text = format!(
            r#"{{"keys":[{weak},{ec},{},7,{{"kty":"RSA","kid":"twice","e":"AQAB","e":"AQAB"}}]}}"#,
            with(nameless, "y", json!("?"))
        );
        let set = KeySet::parse(text.as_bytes()).unwrap();
        assert_eq!((set.usable(), set.passed_over()), (1, 4));
        assert_eq!(
            set.complaint().unwrap(),
            "/keys/0 (kid \"rs256-1\"): e is no odd exponent from 3 to 2^64; /keys/2: y is no base64url; \
             /keys/3: is no JSON object; /keys/4: e has a member twice"
                .replace("e has a member twice", "e stands twice, and which of them counts nobody can say")
                .replace("/keys/4:", "/keys/4 (kid \"twice\"):")
        );
        let many = json!({"keys": vec![json!({"kty": "oct", "k": "secret"}); 100]}).to_string();
        let complaint = KeySet::parse(many.as_bytes()).unwrap().complaint().unwrap();
        assert!(complaint.ends_with("; and 95 more") && !complaint.contains("secret"), "{complaint}");
    }

    #[test]
    fn keys_for_encryption_are_nothing_to_complain_of() {
        let rsa = without(public("rs256-1"), "use");
        for jwk in [
            with(rsa.clone(), "use", json!("enc")),
            with(with(rsa.clone(), "use", json!("enc")), "alg", json!("RSA-OAEP")),
            with(rsa.clone(), "alg", json!("RSA-OAEP-256")),
            with(rsa, "key_ops", json!(["encrypt", "wrapKey"])),
            with(without(public("es256-1"), "use"), "alg", json!("ECDH-ES+A256KW")),
            json!({"kty": "OKP", "crv": "X25519", "x": public("eddsa-1")["x"]}),
        ] {
            let document = json!({"keys": [jwk, public("es256-1")]}).to_string();
            let set = KeySet::parse(document.as_bytes()).unwrap();
            assert_eq!((set.usable(), set.passed_over(), set.complaint()), (1, 0, None), "{document}");
        }
    }

    fn selected(set: &KeySet, kid: Option<&str>, algorithm: Algorithm) -> Result<usize, Refusal> {
        set.select(kid, algorithm).map(|candidates| 1 + candidates.others.len())
    }

    #[test]
    fn a_named_key_is_the_only_one_that_counts() {
        let set = KeySet::from_jwks(&[public("es256-1"), public("rs256-1"), public("eddsa-1")]);
        for (kid, algorithm, expected) in [
            ("es256-1", Algorithm::Es256, Ok(1)),
            ("es256-1", Algorithm::Rs256, Err(Refusal::TokenKeyUnusable)),
            ("es256-1", Algorithm::Hs256, Err(Refusal::TokenKeyUnusable)),
            ("other", Algorithm::Es256, Err(Refusal::TokenKeyUnknown)),
            ("", Algorithm::Es256, Err(Refusal::TokenKeyUnknown)),
        ] {
            assert_eq!(selected(&set, Some(kid), algorithm), expected, "{kid} {algorithm:?}");
        }
        let two = KeySet::from_jwks(&[public("es256-1"), with(another(1), "kid", json!("es256-1"))]);
        assert_eq!(selected(&two, Some("es256-1"), Algorithm::Es256), Err(Refusal::TokenKeyUnusable));
    }

    #[test]
    fn the_same_key_twice_is_one_key() {
        let padded =
            with(public("es256-1"), "x", json!(format!("{}=", public("es256-1")["x"].as_str().unwrap())));
        let set = KeySet::from_jwks(&[public("es256-1"), public("es256-1"), padded, public("rs256-1")]);
        assert_eq!(selected(&set, Some("es256-1"), Algorithm::Es256), Ok(1));
        assert_eq!(selected(&set, None, Algorithm::Es256), Ok(1));
    }

    /// Promise 7.
    #[test]
    fn without_a_name_on_either_side_a_few_fitting_keys_count() {
        let named = |count: u8| (1..=count).map(another).collect::<Vec<_>>();
        let nameless = |count| named(count).into_iter().map(|jwk| without(jwk, "kid")).collect::<Vec<_>>();
        for (count, expected) in [
            (0, Err(Refusal::TokenKeyUnknown)),
            (1, Ok(1)),
            (4, Ok(4)),
            (5, Err(Refusal::TokenKeyAmbiguous)),
            (90, Err(Refusal::TokenKeyAmbiguous)),
        ] {
            let other_kind = [public("rs256-1")];
            let set = |keys: Vec<Value>| KeySet::from_jwks(&[keys, other_kind.to_vec()].concat());
            assert_eq!(selected(&set(named(count)), None, Algorithm::Es256), expected, "{count} named keys");
            assert_eq!(
                selected(&set(nameless(count)), None, Algorithm::Es256),
                expected,
                "{count} nameless keys"
            );
            assert_eq!(
                selected(&set(nameless(count)), Some("k"), Algorithm::Es256),
                expected,
                "{count} and a kid"
            );
        }
        let mixed = KeySet::from_jwks(&[named(3), vec![without(public("es256-1"), "kid")]].concat());
        assert_eq!(selected(&mixed, Some("k-2"), Algorithm::Es256), Ok(1), "the one of that name");
        let of_no_other_name = mixed.select(Some("unknown"), Algorithm::Es256).unwrap();
        assert!(of_no_other_name.key.id().is_none() && of_no_other_name.others.is_empty());
        let empty_name = KeySet::from_jwks(&[with(public("es256-1"), "kid", json!(""))]);
        assert_eq!(selected(&empty_name, Some("k"), Algorithm::Es256), Ok(1), "an empty name is none");
    }

    #[test]
    fn a_key_that_names_its_issuer_signs_for_nobody_else() {
        let own = |issuer: Value| {
            let x = Base64UrlUnpadded::encode_string(&[7; 32]);
            let mut key = json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "a" });
            key["issuer"] = issuer;
            let set = json!({ "keys": [key] }).to_string();
            KeySet::parse(set.as_bytes()).unwrap().select(Some("a"), Algorithm::EdDsa).unwrap()
        };
        let iss = |tenant: &str| format!("https://login.example/{tenant}/v2.0");
        for (issuer, fits) in [
            (json!(null), true),
            (json!(7), true),
            (json!(iss("{tenantid}")), true),
            (json!(iss("t1")), true),
            (json!(iss("t2")), false),
            (json!("https://login.example/{tenantid}/v1.0"), false),
            (json!("{tenantid}"), false),
        ] {
            assert_eq!(own(issuer.clone()).of(&iss("t1")).is_some(), fits, "{issuer}");
        }
        assert!(own(json!(iss("{tenantid}"))).of("https://login.example//v2.0").is_none());
    }
}
