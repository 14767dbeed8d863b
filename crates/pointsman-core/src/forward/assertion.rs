//! Who is calling, as a short-lived signed JWT (RFC 7519, RFC 7523) that a backend can verify by itself: one
//! on the public internet can then refuse everybody but this gateway.
//!
//! Here is what such a token says and which keys sign and verify it. The times and the signature are added
//! by `sign.js`, with WebCrypto.

use std::{fmt, rc::Rc};

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};

use super::plan::{Attempt, CallerIdentity};
use crate::{
    base::{
        json::{json, text},
        number::all_exact,
        object::parse_object,
        refusal::Refusal,
        time::Span,
    },
    identity::{
        algorithm::{Algorithm, Curve, KeyKind},
        claims::ClaimPath,
        jwk_set::{Flaw, PublicKey},
    },
};

/// Claims that the gateway sets itself, or that verifiers read a meaning of their own into.
pub const OWN_CLAIMS: &[&str] =
    &["aud", "authenticated_by", "customer", "exp", "iat", "iss", "jti", "nbf", "sub"];

/// How backends are told by signed tokens.
#[derive(Clone, Debug)]
pub struct Assertions {
    /// The field that holds the token.
    pub field: Rc<str>,
    /// What `iss` is.
    pub issuer: String,
    /// The first one signs; all are published. Empty only where the keys are secrets that a check does not
    /// know.
    pub keys: Vec<SigningKey>,
    /// From `iat` to `exp`.
    pub lifetime: Span,
    /// Further claims by name, and where they come from.
    pub claims: Vec<(Rc<str>, ClaimPath)>,
    /// The path at which the public keys are served; `None` for nowhere.
    pub key_set_path: Option<String>,
}

impl Assertions {
    /// Gives each attempt the claims of its own token: every origin is an audience of its own, so that no
    /// backend can use at another one what it was sent.
    ///
    /// # Errors
    /// [`Refusal::Misconfigured`] where there is no key to sign with: nothing is sent unsigned.
    pub fn assert(&self, caller: CallerIdentity<'_>, attempts: &mut [Attempt]) -> Result<(), Refusal> {
        if self.keys.is_empty() {
            return Err(Refusal::Misconfigured);
        }
        let mut claims = self.claims_of(caller);
        for attempt in attempts {
            claims.insert("aud".to_owned(), audience(&attempt.origin).into());
            // Members are sorted: one caller's claims are always the same text, by which `sign.js` finds
            // the token that it has signed before.
            attempt.assertion = Some(text(&Value::Object(claims.clone())));
        }
        Ok(())
    }

    /// All but `aud` and the times.
    fn claims_of(&self, caller: CallerIdentity<'_>) -> Map<String, Value> {
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), self.issuer.as_str().into());
        if let Some(subject) = &caller.principal.subject {
            claims.insert("sub".to_owned(), subject.as_ref().into());
        }
        if let Some(customer) = caller.customer {
            claims.insert("customer".to_owned(), customer.as_str().into());
        }
        // A subject is one of its issuer's: backends must be able to tell those of two issuers apart, and so must the
        // cache of signed tokens.
        if let Some(issuer) = caller.authenticated_by {
            claims.insert("authenticated_by".to_owned(), issuer.into());
        }
        for (name, path) in &self.claims {
            // A number whose digits are not known is not told, as in a field.
            if let Some(claim) = caller.principal.claims.find(path).filter(|claim| all_exact(claim)) {
                claims.insert(name.to_string(), claim.clone());
            }
        }
        claims
    }

    /// The JWK Set (RFC 7517, section 5) that backends verify with: public members only.
    #[must_use]
    pub fn key_set(&self) -> String {
        let keys: Vec<_> = self.keys.iter().map(SigningKey::to_public_jwk).collect();
        text(&json!({ "keys": keys }))
    }

    /// What `sign.js` signs with, as JSON; `None` where there is no key. It holds the private key and goes
    /// nowhere else.
    #[must_use]
    pub fn signer(&self) -> Option<String> {
        let key = self.keys.first()?;
        let header = text(&json!({ "alg": key.algorithm.name(), "kid": key.id, "typ": "JWT" }));
        let is_credential = self.field.as_ref() == "authorization";
        let signer = json!({
            "field": self.field,
            "scheme": if is_credential { "Bearer " } else { "" },
            "header": Base64UrlUnpadded::encode_string(header.as_bytes()),
            "lifetime": self.lifetime.millis() / 1000,
            "kid": key.id,
            "algorithm": key.algorithm.web_crypto(),
            "publicKey": key.public.to_jwk(),
            "d": key.secret.0,
        });
        Some(text(&signer))
    }
}

/// An origin as a backend's own URL parser would write it: without the scheme's own port.
fn audience(origin: &str) -> &str {
    match origin.split_once(':') {
        Some(("https", _)) => origin.strip_suffix(":443").unwrap_or(origin),
        Some(("http", _)) => origin.strip_suffix(":80").unwrap_or(origin),
        _ => origin,
    }
}

/// A private key of the curve P-256 or Ed25519.
#[derive(Clone, Debug)]
pub struct SigningKey {
    id: String,
    algorithm: Algorithm,
    public: PublicKey,
    secret: Secret,
}

/// The private member, in base64url. It must not come out by a careless `{:?}`.
#[derive(Clone)]
struct Secret(Rc<str>);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

/// Why a text is no key to sign with. None of these shows any of the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SigningKeyError {
    /// Not one JSON object.
    NotAJwk,
    /// Another kind of key.
    Kind,
    /// `x` or `y` is missing, mistyped, or not as long as the curve wants.
    Public,
    /// `d` is missing, mistyped, or not 32 bytes.
    Private,
    /// `alg` is for another kind of key.
    Algorithm,
    /// `use` or `key_ops` does not let it sign.
    Purpose,
    /// `kid` is no text, or empty.
    Id,
}

impl fmt::Display for SigningKeyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotAJwk => "must be a private JWK as JSON text",
            Self::Kind => "must be a key of kty EC with crv P-256, or of kty OKP with crv Ed25519",
            Self::Public => "must have its public members: x, and y for P-256, of 32 bytes in base64url",
            Self::Private => "must have its private member d, of 32 bytes in base64url",
            Self::Algorithm => "must have the alg of its kind: ES256 for P-256, EdDSA for Ed25519",
            Self::Purpose => "must be for signing: use \"sig\", key_ops with \"sign\", or neither",
            Self::Id => "must have a kid that is text and not empty, or none",
        })
    }
}

impl std::error::Error for SigningKeyError {}

impl SigningKey {
    /// Reads a private JWK. Whether its public members belong to the private one takes the arithmetic of
    /// the curve: `sign.js` tries that before the first use.
    ///
    /// # Errors
    /// Why it cannot sign.
    pub fn parse(text: &str) -> Result<Self, SigningKeyError> {
        let mut members = parse_object(text.as_bytes()).map_err(|_| SigningKeyError::NotAJwk)?;
        // As in the keys of others, a member without a value is none.
        members.retain(|_, value| !value.is_null());
        let secret = members.remove("d");
        match members.remove("key_ops") {
            None => {}
            Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "sign") => {}
            Some(_) => return Err(SigningKeyError::Purpose),
        }
        let id = match members.get("kid") {
            None => None,
            Some(Value::String(id)) if !id.is_empty() => Some(id.clone()),
            Some(_) => return Err(SigningKeyError::Id),
        };
        let public = PublicKey::parse(&Value::Object(members)).map_err(|why| match why.flaw {
            Flaw::Kind | Flaw::Weak | Flaw::Private => SigningKeyError::Kind,
            Flaw::Encryption if why.member == "crv" => SigningKeyError::Kind,
            Flaw::Malformed => SigningKeyError::Public,
            Flaw::Purpose | Flaw::Encryption => SigningKeyError::Purpose,
            Flaw::Algorithm => SigningKeyError::Algorithm,
        })?;
        let algorithm = match public.kind() {
            kind @ (KeyKind::Ec(Curve::P256) | KeyKind::Ed25519) => {
                public.algorithm().or_else(|| Algorithm::of_kind(kind)).ok_or(SigningKeyError::Kind)?
            }
            KeyKind::Secret | KeyKind::Rsa | KeyKind::Ec(_) => return Err(SigningKeyError::Kind),
        };
        let Some(Value::String(secret)) = secret else { return Err(SigningKeyError::Private) };
        if Base64UrlUnpadded::decode_vec(&secret).map_or(0, |bytes| bytes.len()) != 32 {
            return Err(SigningKeyError::Private);
        }
        let id = id.unwrap_or_else(|| Base64UrlUnpadded::encode_string(public.thumbprint().bytes()));
        Ok(Self { id, algorithm, public, secret: Secret(Rc::from(secret)) })
    }

    /// Its `kid`: its own, else its thumbprint (RFC 7638).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    fn to_public_jwk(&self) -> Value {
        let mut jwk = self.public.to_jwk();
        if let Some(members) = jwk.as_object_mut() {
            members.insert("alg".to_owned(), self.algorithm.name().into());
            members.insert("kid".to_owned(), self.id.as_str().into());
            members.insert("use".to_owned(), "sig".into());
        }
        jwk
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::identity::{claims::Claims, customer_id::CustomerId, principal::Principal};

    fn private(name: &str) -> Value {
        let keys: Value =
            serde_json::from_str(include_str!("../../../../fixtures/keys/private.json")).unwrap();
        keys[name].clone()
    }

    fn with(mut jwk: Value, name: &str, value: Value) -> String {
        jwk[name] = value;
        jwk.to_string()
    }

    fn assertions(keys: &[&str]) -> Assertions {
        Assertions {
            field: Rc::from("x-pointsman-identity"),
            issuer: "https://api.example.com".to_owned(),
            keys: keys.iter().map(|name| SigningKey::parse(&private(name).to_string()).unwrap()).collect(),
            lifetime: Span::from_secs(60),
            claims: vec![(Rc::from("plan"), ClaimPath::parse("/org/plan").unwrap())],
            key_set_path: None,
        }
    }

    fn attempt(origin: &str) -> Attempt {
        Attempt {
            url: format!("{origin}/x"),
            origin: Rc::from(origin),
            key: origin.to_owned(),
            timeout: 1,
            trial: false,
            binding: None,
            assertion: None,
            secrets: None,
        }
    }

    fn claims_at(assertions: &Assertions, caller: CallerIdentity<'_>, origin: &str) -> Value {
        let mut attempts = [attempt(origin)];
        assertions.assert(caller, &mut attempts).unwrap();
        serde_json::from_str(attempts[0].assertion.as_ref().unwrap()).unwrap()
    }

    /// `sign.js` finds signed tokens by this text.
    #[test]
    fn one_subject_of_two_issuers_is_two_texts() {
        let principal = Principal::new(Some(Rc::from("admin")), Claims::default());
        let texts = [Some("staff"), Some("partner"), Some("api_key"), None].map(|authenticated_by| {
            let mut attempts = [attempt("https://b.example")];
            let caller = CallerIdentity { principal: &principal, customer: None, authenticated_by };
            assertions(&["es256-1"]).assert(caller, &mut attempts).unwrap();
            attempts[0].assertion.clone().unwrap()
        });
        let distinct: std::collections::HashSet<_> = texts.iter().collect();
        assert_eq!(distinct.len(), texts.len(), "{texts:?}");
    }

    #[test]
    fn a_token_says_who_calls_whom() {
        let claims = parse_object(br#"{"org":{"plan":["free",7]},"email":"e"}"#).unwrap();
        let principal = Principal::new(Some(Rc::from("u\"1")), Claims::new(claims));
        let customer = CustomerId::parse("acme-corp").unwrap();
        let caller = CallerIdentity {
            principal: &principal,
            customer: Some(&customer),
            authenticated_by: Some("api_key"),
        };
        assert_eq!(
            claims_at(&assertions(&["es256-1"]), caller, "https://b.example:8443"),
            json!({
                "iss": "https://api.example.com",
                "aud": "https://b.example:8443",
                "sub": "u\"1",
                "customer": "acme-corp",
                "authenticated_by": "api_key",
                "plan": ["free", 7],
            })
        );
    }

    #[test]
    fn whole_numbers_keep_every_digit_and_unknown_digits_are_not_told() {
        for (number, told) in [
            ("1122334455667789000", true),
            ("1122334455667788999", true),
            ("18446744073709551615", true),
            ("-9223372036854775808", true),
            ("18446744073709551616", false),
            ("1e16", false),
        ] {
            let claims = parse_object(format!(r#"{{"org":{{"plan":[{number}]}}}}"#).as_bytes()).unwrap();
            let principal = Principal::new(None, Claims::new(claims));
            let mut attempts = [attempt("https://b.example")];
            let caller = CallerIdentity { principal: &principal, customer: None, authenticated_by: None };
            assertions(&["es256-1"]).assert(caller, &mut attempts).unwrap();
            let text = attempts[0].assertion.as_ref().unwrap();
            assert_eq!(text.contains(&format!(r#""plan":[{number}]"#)), told, "{text}");
            assert_eq!(text.contains("plan"), told, "{text}");
        }
    }

    #[test]
    fn of_an_anonymous_caller_it_says_nothing() {
        let principal = Principal::default();
        let caller = CallerIdentity { principal: &principal, customer: None, authenticated_by: None };
        assert_eq!(
            claims_at(&assertions(&["es256-1"]), caller, "https://b.example"),
            json!({ "iss": "https://api.example.com", "aud": "https://b.example" })
        );
    }

    #[test]
    fn each_attempt_has_an_audience_of_its_own() {
        let principal = Principal::default();
        let caller = CallerIdentity { principal: &principal, customer: None, authenticated_by: None };
        let assertions = assertions(&["es256-1"]);
        let mut attempts = [attempt("https://a.example"), attempt("https://b.example")];
        assertions.assert(caller, &mut attempts).unwrap();
        let [first, second] = attempts.map(|attempt| attempt.assertion.unwrap());
        assert!(first.contains("https://a.example") && !first.contains("https://b.example"));
        assert!(second.contains("https://b.example") && !second.contains("https://a.example"));
    }

    #[test]
    fn an_audience_is_what_a_url_parser_takes_the_origin_for() {
        for origin in [
            "https://b.example",
            "https://b.example:443",
            "http://b.example:80",
            "https://b.example:80",
            "http://b.example:443",
            "https://[::443]",
            "https://127.0.0.1:8443",
            "https://orders.binding",
        ] {
            let seen = url::Url::parse(origin).unwrap();
            assert_eq!(audience(origin), seen.origin().ascii_serialization());
        }
    }

    #[test]
    fn nothing_is_sent_without_a_key() {
        let principal = Principal::default();
        let caller = CallerIdentity { principal: &principal, customer: None, authenticated_by: None };
        let refused = assertions(&[]).assert(caller, &mut [attempt("https://b.example")]);
        assert_eq!(refused, Err(Refusal::Misconfigured));
    }

    #[test]
    fn private_members_are_never_published_and_never_printed() {
        let assertions = assertions(&["es256-1", "eddsa-1"]);
        let set: Value = serde_json::from_str(&assertions.key_set()).unwrap();
        for (jwk, name) in set["keys"].as_array().unwrap().iter().zip(["es256-1", "eddsa-1"]) {
            let own = private(name);
            assert!(PublicKey::parse(jwk).is_ok(), "{jwk}");
            assert_eq!(jwk["x"], own["x"]);
            let secret = own["d"].as_str().unwrap();
            assert!(!assertions.key_set().contains(secret));
            assert!(!format!("{assertions:?}").contains(secret));
        }
        assert!(assertions.signer().unwrap().contains(private("es256-1")["d"].as_str().unwrap()));
    }

    #[test]
    fn a_key_without_a_kid_is_named_by_its_thumbprint() {
        // RFC 8037, appendix A.
        let jwk = json!({
            "kty": "OKP", "crv": "Ed25519",
            "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        let key = SigningKey::parse(&jwk.to_string()).unwrap();
        assert_eq!(key.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let named = SigningKey::parse(&with(jwk, "kid", json!("2026-07"))).unwrap();
        assert_eq!(named.id(), "2026-07");
    }

    #[test]
    fn the_algorithm_is_that_of_the_key() {
        for (name, alg, expected) in [
            ("es256-1", None, "ES256"),
            ("es256-1", Some("ES256"), "ES256"),
            ("eddsa-1", None, "EdDSA"),
            ("eddsa-1", Some("EdDSA"), "EdDSA"),
            ("eddsa-1", Some("Ed25519"), "Ed25519"),
        ] {
            let mut jwk = private(name);
            if let Some(alg) = alg {
                jwk["alg"] = json!(alg);
            }
            assert_eq!(SigningKey::parse(&jwk.to_string()).unwrap().algorithm.name(), expected);
        }
    }

    #[test]
    fn what_webcrypto_exports_is_taken() {
        let mut jwk = private("es256-1");
        jwk["key_ops"] = json!(["sign"]);
        jwk["ext"] = json!(true);
        assert!(SigningKey::parse(&jwk.to_string()).is_ok());
    }

    #[test]
    fn keys_that_cannot_sign_are_named() {
        let (ec, ed) = (private("es256-1"), private("eddsa-1"));
        let mut public = ec.clone();
        public.as_object_mut().unwrap().remove("d");
        for (text, why) in [
            (String::new(), SigningKeyError::NotAJwk),
            ("secret".to_owned(), SigningKeyError::NotAJwk),
            ("[]".to_owned(), SigningKeyError::NotAJwk),
            (ec.to_string().replacen('{', r#"{"d":"AA","#, 1), SigningKeyError::NotAJwk),
            (public.to_string(), SigningKeyError::Private),
            (with(ec.clone(), "d", json!(7)), SigningKeyError::Private),
            (with(ec.clone(), "d", json!("AA")), SigningKeyError::Private),
            (with(ec.clone(), "d", json!("no base64!")), SigningKeyError::Private),
            (with(ec.clone(), "x", json!("AA")), SigningKeyError::Public),
            (with(ec.clone(), "y", json!(null)), SigningKeyError::Public),
            (with(ec.clone(), "crv", json!("secp256k1")), SigningKeyError::Kind),
            (with(ec.clone(), "alg", json!("ES384")), SigningKeyError::Algorithm),
            (with(ec.clone(), "alg", json!("EdDSA")), SigningKeyError::Algorithm),
            (with(ec.clone(), "use", json!("enc")), SigningKeyError::Purpose),
            (with(ec.clone(), "key_ops", json!(["verify"])), SigningKeyError::Purpose),
            (with(ec.clone(), "key_ops", json!("sign")), SigningKeyError::Purpose),
            (with(ec.clone(), "kid", json!("")), SigningKeyError::Id),
            (with(ec, "kid", json!(1)), SigningKeyError::Id),
            (with(ed.clone(), "crv", json!("X25519")), SigningKeyError::Kind),
            (with(ed, "alg", json!("ES256")), SigningKeyError::Algorithm),
            (private("es384-1").to_string(), SigningKeyError::Kind),
            (private("rs256-1").to_string(), SigningKeyError::Kind),
            (json!({ "kty": "oct", "k": "AAAA" }).to_string(), SigningKeyError::Kind),
        ] {
            assert_eq!(SigningKey::parse(&text).err(), Some(why), "{text}");
        }
    }
}
