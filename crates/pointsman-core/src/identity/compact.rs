//! Strict JWS compact serialization (RFC 7515, section 3.1 and 5.2): one spelling for one token.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};

use crate::base::{
    object::{ObjectError, parse_object},
    refusal::Refusal,
};

/// A token longer than this is refused before anything of it is read: all that follows is linear in
/// its length, and no header field of a sane client is longer.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A token taken apart. Nothing in it is verified.
#[derive(Debug)]
pub struct Unverified<'a> {
    /// The header's members.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
    /// What the signature covers.
    pub signing_input: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
}

/// Takes a token apart.
///
/// # Errors
/// Any deviation from three canonical base64url parts, the first two holding JSON objects without
/// repeated members.
pub fn parse(token: &str) -> Result<Unverified<'_>, Refusal> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Refusal::TokenTooLarge);
    }
    let (signing_input, signature) = split_signing_input(token);
    let (header, claims) = signing_input.split_once('.').ok_or(Refusal::TokenEncoding)?;
    let header = decode(header)?;
    let claims = decode(claims)?;
    let signature = decode(signature)?;
    Ok(Unverified {
        header: object(&header, Refusal::TokenHeader)?,
        claims: object(&claims, Refusal::TokenClaims)?,
        signing_input,
        signature,
    })
}

/// What a token's signature covers, and the signature, both as they stand there.
#[must_use]
pub fn split_signing_input(token: &str) -> (&str, &str) {
    token.rsplit_once('.').unwrap_or((token, ""))
}

/// Base64url without padding and with zero spare bits: there is one text for given bytes, so no
/// token can be respelled into another that still verifies.
fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    let bytes = Base64UrlUnpadded::decode_vec(part).map_err(|_| Refusal::TokenEncoding)?;
    if bytes.is_empty() { Err(Refusal::TokenEncoding) } else { Ok(bytes) }
}

fn object(bytes: &[u8], otherwise: Refusal) -> Result<Map<String, Value>, Refusal> {
    parse_object(bytes).map_err(|error| match error {
        ObjectError::DuplicateMember => Refusal::TokenDuplicateMember,
        ObjectError::NotAnObject(_) => otherwise,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: &str) -> String {
        Base64UrlUnpadded::encode_string(text.as_bytes())
    }

    fn refusal(token: &str) -> Option<Refusal> {
        parse(token).err()
    }

    #[test]
    fn the_example_of_rfc_7515_appendix_a_1_is_read() {
        let token = include_str!("../../../../fixtures/tokens/rfc7515-a1.jwt").trim();
        let parsed = parse(token).unwrap();
        assert_eq!(parsed.header.get("alg"), Some(&Value::from("HS256")));
        assert_eq!(parsed.claims.get("exp"), Some(&Value::from(1_300_819_380)));
        assert_eq!(parsed.signature.len(), 32);
    }

    #[test]
    fn only_canonical_base64url_is_read() {
        let (header, claims) = (encode(r#"{"alg":"HS256"}"#), encode("{}"));
        assert_eq!(refusal(&format!("{header}.{claims}.AA")), None);
        for signature in ["", "A", "AB", "AA==", "AA=", "A A", "A/", "A+", "AA\n", "A%41", "ÄA"] {
            let token = format!("{header}.{claims}.{signature}");
            assert_eq!(refusal(&token), Some(Refusal::TokenEncoding), "{signature:?}");
        }
        assert_eq!(refusal("a"), Some(Refusal::TokenEncoding));
        assert_eq!(refusal("a.b"), Some(Refusal::TokenEncoding));
        assert_eq!(refusal(&format!("{header}.{claims}.AA.AA")), Some(Refusal::TokenEncoding));
        assert_eq!(refusal(&format!(".{claims}.AA")), Some(Refusal::TokenEncoding));
    }

    #[test]
    fn header_and_claims_are_objects_without_repeated_members() {
        let claims = encode("{}");
        for (json, expected) in [
            ("[]", Refusal::TokenHeader),
            ("\"x\"", Refusal::TokenHeader),
            ("{} ", Refusal::TokenHeader),
            ("{\"alg\":\"a\",\"alg\":\"b\"}", Refusal::TokenDuplicateMember),
        ] {
            let got = refusal(&format!("{}.{claims}.AA", encode(json)));
            // Trailing white space is JSON; only the others are refused.
            let expected = (json != "{} ").then_some(expected);
            assert_eq!(got, expected, "{json}");
        }
        let header = encode("{}");
        assert_eq!(refusal(&format!("{header}.{}.AA", encode("[]"))), Some(Refusal::TokenClaims));
        assert_eq!(
            refusal(&format!("{header}.{}.AA", encode("{\"a\":1,\"a\":1}"))),
            Some(Refusal::TokenDuplicateMember)
        );
        let not_utf8 = Base64UrlUnpadded::encode_string(b"{\"a\":\"\xff\"}");
        assert_eq!(refusal(&format!("{header}.{not_utf8}.AA")), Some(Refusal::TokenClaims));
    }

    #[test]
    fn size_is_checked_before_anything_else() {
        assert_eq!(refusal(&"a".repeat(MAX_TOKEN_BYTES + 1)), Some(Refusal::TokenTooLarge));
        assert_eq!(refusal(&"a".repeat(MAX_TOKEN_BYTES)), Some(Refusal::TokenEncoding));
    }
}
