//! JWS in the compact serialization (RFC 7515), read strictly.

use super::oracle::{base64url, repeats_a_member, to_base64url};
use pointsman_core::identity::compact::{MAX_TOKEN_BYTES, Unverified, parse};
use serde_json::Value;

pub fn run(data: &[u8]) {
    let Ok(token) = std::str::from_utf8(data) else { return };
    let Ok(Unverified { header, claims, signing_input, signature }) = parse(token) else { return };
    assert!(token.len() <= MAX_TOKEN_BYTES);
    let parts: Vec<&str> = token.split('.').collect();
    let [header_part, claims_part, signature_part] = parts[..] else {
        panic!("{} parts were taken for a token", parts.len());
    };
    assert_eq!(signing_input, format!("{header_part}.{claims_part}"));
    // There is one spelling of a token: nobody can make a second one of it that still verifies.
    let read = |part: &str| {
        let bytes = base64url(part).expect("what is read strictly can be read laxly");
        assert!(!bytes.is_empty() && to_base64url(&bytes) == part, "{part:?} is another spelling");
        bytes
    };
    assert_eq!(read(signature_part), signature);
    for (part, members) in [(header_part, header), (claims_part, claims)] {
        let json = read(part);
        let lax: Value = serde_json::from_slice(&json).expect("what is read strictly can be read laxly");
        assert_eq!(lax, Value::Object(members));
        assert!(!repeats_a_member(&json), "a member stands twice and was let through");
    }
}
