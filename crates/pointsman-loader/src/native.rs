//! Signatures verified natively: the command line and the tests have no WebCrypto. Same port, same
//! keys, other arithmetic.

use jwt_compact::alg::{Ed25519, Es256, Hs384, Hs384Key, Hs512, Hs512Key, Rsa, RsaPublicKey, VerifyingKey};
use pointsman_core::identity::{
    algorithm::{Algorithm, Curve, KeyKind},
    jwk_set::{Material, PublicKey},
    jwt::{verify_hs256, verify_with},
};

use crate::ports::VerifyError;

/// Verifies `signature` over `signing_input`.
///
/// # Errors
/// [`VerifyError::UnusableKey`] where the key is no key (a point off its curve).
pub fn verify(
    key: &PublicKey,
    algorithm: Algorithm,
    signing_input: &str,
    signature: &[u8],
) -> Result<bool, VerifyError> {
    match (key.kind(), key.material()) {
        (KeyKind::Rsa, Material::Rsa { n, e }) => verify_rsa(algorithm, n, e, signing_input, signature),
        (KeyKind::Ec(curve), Material::Ec { x, y }) => {
            let point: Vec<u8> = [&[4][..], x, y].concat();
            match curve {
                Curve::P256 => {
                    let key =
                        <<Es256 as jwt_compact::Algorithm>::VerifyingKey as VerifyingKey<Es256>>::from_slice(
                            &point,
                        );
                    let key = key.map_err(|_| VerifyError::UnusableKey)?;
                    Ok(verify_with(&Es256, &key, signing_input, signature))
                }
                Curve::P384 => verify_p384(&point, signing_input, signature),
                Curve::P521 => verify_p521(&point, signing_input, signature),
            }
        }
        (KeyKind::Ed25519, Material::Okp { x }) => {
            let key =
                <<Ed25519 as jwt_compact::Algorithm>::VerifyingKey as VerifyingKey<Ed25519>>::from_slice(x);
            let key = key.map_err(|_| VerifyError::UnusableKey)?;
            Ok(verify_with(&Ed25519, &key, signing_input, signature))
        }
        (KeyKind::Secret, Material::Secret { k }) => match algorithm {
            Algorithm::Hs256 => Ok(verify_hs256(k, signing_input, signature)),
            Algorithm::Hs384 => Ok(verify_with(&Hs384, &Hs384Key::new(k), signing_input, signature)),
            Algorithm::Hs512 => Ok(verify_with(&Hs512, &Hs512Key::new(k), signing_input, signature)),
            _ => Err(VerifyError::UnusableKey),
        },
        _ => Err(VerifyError::UnusableKey),
    }
}

fn verify_rsa(
    algorithm: Algorithm,
    n: &[u8],
    e: &[u8],
    signing_input: &str,
    signature: &[u8],
) -> Result<bool, VerifyError> {
    let rsa: Rsa = algorithm.name().parse().map_err(|_| VerifyError::UnusableKey)?;
    let key = rsa_public_key(n, e).ok_or(VerifyError::UnusableKey)?;
    Ok(verify_with(&rsa, &key, signing_input, signature))
}

fn rsa_public_key(n: &[u8], e: &[u8]) -> Option<RsaPublicKey> {
    use base64ct::{Base64UrlUnpadded, Encoding};
    let jwk = serde_json::json!({
        "kty": "RSA",
        "n": Base64UrlUnpadded::encode_string(n),
        "e": Base64UrlUnpadded::encode_string(e),
    });
    let jwk: jwt_compact::jwk::JsonWebKey<'_> = serde_json::from_value(jwk).ok()?;
    RsaPublicKey::try_from(&jwk).ok()
}

fn verify_p384(point: &[u8], signing_input: &str, signature: &[u8]) -> Result<bool, VerifyError> {
    use p384::ecdsa::{Signature, VerifyingKey, signature::Verifier};
    let key = VerifyingKey::from_sec1_bytes(point).map_err(|_| VerifyError::UnusableKey)?;
    let signature = Signature::from_slice(signature);
    Ok(signature.is_ok_and(|signature| key.verify(signing_input.as_bytes(), &signature).is_ok()))
}

fn verify_p521(point: &[u8], signing_input: &str, signature: &[u8]) -> Result<bool, VerifyError> {
    use p521::ecdsa::{Signature, VerifyingKey, signature::Verifier};
    let key = VerifyingKey::from_sec1_bytes(point).map_err(|_| VerifyError::UnusableKey)?;
    let signature = Signature::from_slice(signature);
    Ok(signature.is_ok_and(|signature| key.verify(signing_input.as_bytes(), &signature).is_ok()))
}
