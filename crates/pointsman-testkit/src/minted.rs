//! Tokens and proofs that are signed when a test runs: of its own time, and bound to its own keys.

use base64ct::{Base64UrlUnpadded, Encoding};
use jwt_compact::{
    Algorithm, AlgorithmSignature,
    alg::{Es256, SigningKey},
};
use pointsman_core::{base::digest::Digest, identity::jwk_set::PublicKey};
use serde_json::{Value, json};

use crate::files::json as read_json;

fn encode(bytes: impl AsRef<[u8]>) -> String {
    Base64UrlUnpadded::encode_string(bytes.as_ref())
}

/// The public members of a P-256 key of `fixtures/keys`.
pub fn public_jwk(key: &str) -> Value {
    let jwk = &read_json("fixtures/keys/private.json")[key];
    json!({ "kty": jwk["kty"], "crv": jwk["crv"], "x": jwk["x"], "y": jwk["y"] })
}

/// Its thumbprint, as `jkt` has it.
pub fn thumbprint(key: &str) -> String {
    encode(PublicKey::parse(&public_jwk(key)).unwrap().thumbprint().bytes())
}

/// The digest of a token, as `ath` has it.
pub fn digest_of(token: &str) -> String {
    encode(Digest::of(token.as_bytes()).bytes())
}

/// A JWT with these members, signed with a P-256 key of `fixtures/keys`.
pub fn mint(key: &str, header: &Value, claims: &Value) -> String {
    let jwk = &read_json("fixtures/keys/private.json")[key];
    let secret = Base64UrlUnpadded::decode_vec(jwk["d"].as_str().unwrap()).unwrap();
    let secret = <<Es256 as Algorithm>::SigningKey as SigningKey<Es256>>::from_slice(&secret).unwrap();
    let input = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = Es256.sign(&secret, input.as_bytes());
    format!("{input}.{}", encode(signature.as_bytes()))
}
