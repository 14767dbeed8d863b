//! A secret that is shared with an issuer, for HS* (RFC 7518, section 3.2): how its bytes are written.

use std::rc::Rc;

use super::{
    algorithm::Algorithm,
    jwk::{check_purpose, decode, optional_text, required_text},
};
use crate::base::object::parse_object;

/// How a secret is written. It is never guessed: `c2VjcmV0…` may be a text as well as bytes in base64url.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SecretFormat {
    /// The text's own bytes are the secret.
    #[default]
    Text,
    /// Bytes in base64url (RFC 4648, section 5), or in plain base64; padding may be left out.
    Base64Url,
    /// A JSON Web Key of the type `oct` (RFC 7518, section 6.4).
    Jwk,
}

impl SecretFormat {
    /// The names, as a configuration has them.
    pub const NAMES: [&str; 3] = ["text", "base64url", "jwk"];

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "base64url" => Some(Self::Base64Url),
            "jwk" => Some(Self::Jwk),
            _ => None,
        }
    }

    /// The secret's bytes: at least as many as the hash of each algorithm has (RFC 7518, section 3.2).
    ///
    /// # Errors
    /// What is wrong, without any part of the secret.
    pub fn read(self, written: &str, algorithms: &[Algorithm]) -> Result<Rc<[u8]>, String> {
        let bytes = match self {
            Self::Text => written.as_bytes().to_vec(),
            Self::Base64Url => decode(written).ok_or(
                "must be base64url, as secret_format says: leave secret_format out for a secret that is text",
            )?,
            Self::Jwk => of_jwk(written, algorithms)?,
        };
        let bits = bytes.len().saturating_mul(8);
        match algorithms.iter().find(|algorithm| usize::from(algorithm.hash_bits()) > bits) {
            None => Ok(Rc::from(bytes)),
            Some(algorithm) => Err(format!(
                "must be at least {} bytes for {} (RFC 7518, section 3.2)",
                algorithm.hash_bits() / 8,
                algorithm.name()
            )),
        }
    }
}

/// The bytes of a key that may verify, with each of these algorithms.
fn of_jwk(json: &str, algorithms: &[Algorithm]) -> Result<Vec<u8>, String> {
    let members = parse_object(json.as_bytes())
        .map_err(|_| "must be a JWK, as secret_format says: a JSON object with kty \"oct\" and k")?;
    if members.get("kty").is_none_or(|kty| kty != "oct") {
        return Err("must be a JWK whose kty is \"oct\": public keys belong in keys".to_owned());
    }
    let told = |error: &dyn std::fmt::Display| format!("cannot be used as a JWK: {error}");
    check_purpose(&members).map_err(|error| told(&error))?;
    let named = optional_text(&members, "alg").map_err(|error| told(&error))?;
    if let Some(other) = algorithms.iter().find(|own| named.is_some_and(|named| named != own.name())) {
        return Err(format!(
            "is a JWK for another algorithm than {}: write its alg in algorithms",
            other.name()
        ));
    }
    let encoded = required_text(&members, "k").map_err(|error| told(&error))?;
    decode(encoded).ok_or_else(|| "must be a JWK whose k is base64url".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HS256: [Algorithm; 1] = [Algorithm::Hs256];
    /// RFC 7515, appendix A.1.1.
    const RFC: &str =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

    fn read(format: SecretFormat, text: &str) -> Result<usize, String> {
        format.read(text, &HS256).map(|bytes| bytes.len())
    }

    #[test]
    fn a_secret_is_what_its_format_says() {
        assert_eq!(read(SecretFormat::Text, RFC), Ok(86));
        assert_eq!(read(SecretFormat::Base64Url, RFC), Ok(64));
        assert_eq!(read(SecretFormat::Base64Url, &format!("{RFC}==")), Ok(64));
        assert_eq!(read(SecretFormat::Base64Url, &RFC.replace('-', "+").replace('_', "/")), Ok(64));
        let jwk =
            json!({ "kty": "oct", "k": RFC, "alg": "HS256", "use": "sig", "key_ops": ["sign", "verify"] });
        assert_eq!(read(SecretFormat::Jwk, &jwk.to_string()), Ok(64));
        for name in SecretFormat::NAMES {
            assert!(SecretFormat::from_name(name).is_some(), "{name}");
        }
        assert_eq!(SecretFormat::from_name("base64"), None);
        assert_eq!(SecretFormat::default(), SecretFormat::Text);
    }

    #[test]
    fn what_is_too_short_or_no_such_secret_is_refused_and_not_told() {
        let short = "AyM1SysPpbyDfgZld3umjw";
        let jwk = |more: serde_json::Value| {
            let mut jwk = json!({ "kty": "oct", "k": RFC });
            jwk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            jwk.to_string()
        };
        for (format, secret, part) in [
            (SecretFormat::Text, short.to_owned(), "at least 32 bytes for HS256"),
            (SecretFormat::Base64Url, short.to_owned(), "at least 32 bytes for HS256"),
            // Long enough as text, and not as what it stands for.
            (SecretFormat::Base64Url, RFC.chars().take(40).collect(), "at least 32 bytes"),
            (SecretFormat::Base64Url, format!("{RFC}!"), "must be base64url"),
            (SecretFormat::Jwk, RFC.to_owned(), "must be a JWK"),
            (SecretFormat::Jwk, "[]".to_owned(), "must be a JWK"),
            (SecretFormat::Jwk, jwk(json!({ "kty": "RSA" })), "whose kty is \"oct\""),
            (SecretFormat::Jwk, jwk(json!({ "k": null })), "k is missing"),
            (SecretFormat::Jwk, jwk(json!({ "k": "!" })), "whose k is base64url"),
            (SecretFormat::Jwk, jwk(json!({ "k": short })), "at least 32 bytes"),
            (SecretFormat::Jwk, jwk(json!({ "alg": "HS512" })), "for another algorithm than HS256"),
            (SecretFormat::Jwk, jwk(json!({ "use": "enc" })), "use is for encryption"),
            (SecretFormat::Jwk, jwk(json!({ "key_ops": ["sign"] })), "key_ops does not hold"),
        ] {
            let told = read(format, &secret).unwrap_err();
            assert!(told.contains(part), "{secret}: {told}");
            assert!(!told.contains("AyM1SysPpbyDfgZld3um"), "{told}");
        }
    }
}
