//! Keys (RFC 7517, section 4): what a JWK must say to be one that signatures are verified with.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};

use super::algorithm::{Algorithm, Curve, KeyKind};
use crate::{
    digest::Digest,
    json::{json, text},
};

/// Smaller moduli can be factored (RFC 7518, section 3.3); larger ones only cost time to verify.
const RSA_MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A public key that passed all checks that need no curve arithmetic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKey {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    kind: KeyKind,
    material: Material,
    thumbprint: Digest,
}

/// The public members of a JWK, decoded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Material {
    /// Modulus and exponent, big-endian.
    Rsa {
        /// The modulus, without leading zeros.
        n: Vec<u8>,
        /// The exponent, without leading zeros.
        e: Vec<u8>,
    },
    /// The coordinates of a point, each as long as the curve's field.
    Ec {
        /// The x coordinate.
        x: Vec<u8>,
        /// The y coordinate.
        y: Vec<u8>,
    },
    /// A compressed Edwards point.
    Okp {
        /// Its 32 bytes.
        x: Vec<u8>,
    },
}

/// Why a key of a set is passed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnusableKey {
    /// A member is missing, mistyped or no base64url.
    Malformed,
    /// `kty` or `crv` is none that an algorithm here uses; symmetric keys are among them: a secret
    /// in a public set is public.
    Kind,
    /// `use` is not `sig`, or `key_ops` lacks `verify`.
    Purpose,
    /// `alg` is unknown or is not for this kind of key.
    Algorithm,
    /// Private members: whoever can read the set can sign.
    Private,
    /// An RSA modulus under 2048 or over 8192 bits, or an exponent under 3 or even.
    Weak,
}

impl PublicKey {
    /// Checks one JWK.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn parse(jwk: &Value) -> Result<Self, UnusableKey> {
        let members = jwk.as_object().ok_or(UnusableKey::Malformed)?;
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| members.contains_key(*name)) {
            return Err(UnusableKey::Private);
        }
        check_purpose(members)?;
        let (kind, material) = parse_material(members)?;
        let algorithm = match optional_text(members, "alg")? {
            None => None,
            Some(name) => match Algorithm::from_name(name) {
                Some(algorithm) if algorithm.key_kind() == kind => Some(algorithm),
                _ => return Err(UnusableKey::Algorithm),
            },
        };
        let id = optional_text(members, "kid")?.map(str::to_owned);
        let thumbprint = Digest::of(text(&minimal_jwk(kind, &material)).as_bytes());
        Ok(Self { id, algorithm, kind, material, thumbprint })
    }

    /// Whether tokens of `algorithm` may be verified with it.
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.kind == algorithm.key_kind() && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Its `kid`.
    #[must_use]
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The kind of key.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The decoded members.
    #[must_use]
    pub const fn material(&self) -> &Material {
        &self.material
    }

    /// The key's thumbprint (RFC 7638): what identifies it, whatever its `kid`.
    #[must_use]
    pub const fn thumbprint(&self) -> &Digest {
        &self.thumbprint
    }

    /// The key as a JWK of its required members only, in the order of RFC 7638: what is imported.
    #[must_use]
    pub fn to_jwk(&self) -> Value {
        minimal_jwk(self.kind, &self.material)
    }
}

fn check_purpose(members: &Map<String, Value>) -> Result<(), UnusableKey> {
    if optional_text(members, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(UnusableKey::Purpose);
    }
    match members.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => Ok(()),
        Some(_) => Err(UnusableKey::Purpose),
    }
}

fn parse_material(members: &Map<String, Value>) -> Result<(KeyKind, Material), UnusableKey> {
    match optional_text(members, "kty")? {
        Some("RSA") => {
            let (n, e) = (unsigned(members, "n")?, unsigned(members, "e")?);
            let bits = n
                .len()
                .saturating_mul(8)
                .saturating_sub(n.first().map_or(0, |byte| byte.leading_zeros() as usize));
            let odd = e.last().is_some_and(|byte| byte % 2 == 1);
            let at_least_3 = e.len() > 1 || e.first().is_some_and(|byte| *byte >= 3);
            if !RSA_MODULUS_BITS.contains(&bits) || !odd || !at_least_3 || e.len() > 8 {
                return Err(UnusableKey::Weak);
            }
            Ok((KeyKind::Rsa, Material::Rsa { n, e }))
        }
        Some("EC") => {
            let name = optional_text(members, "crv")?.ok_or(UnusableKey::Malformed)?;
            let (curve, _, length) =
                Curve::ALL.into_iter().find(|(_, known, _)| *known == name).ok_or(UnusableKey::Kind)?;
            let (x, y) = (bytes(members, "x")?, bytes(members, "y")?);
            if x.len() != length || y.len() != length {
                return Err(UnusableKey::Malformed);
            }
            Ok((KeyKind::Ec(curve), Material::Ec { x, y }))
        }
        Some("OKP") if optional_text(members, "crv")? == Some("Ed25519") => {
            let x = bytes(members, "x")?;
            if x.len() != 32 {
                return Err(UnusableKey::Malformed);
            }
            Ok((KeyKind::Ed25519, Material::Okp { x }))
        }
        Some(_) => Err(UnusableKey::Kind),
        None => Err(UnusableKey::Malformed),
    }
}

fn minimal_jwk(kind: KeyKind, material: &Material) -> Value {
    let encode = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let curve_name = match kind {
        KeyKind::Ec(curve) => {
            Curve::ALL.iter().find(|(known, _, _)| *known == curve).map_or("", |(_, name, _)| name)
        }
        KeyKind::Ed25519 => "Ed25519",
        KeyKind::Rsa | KeyKind::Secret => "",
    };
    // serde_json keeps members sorted, which is the order that RFC 7638 wants.
    match material {
        Material::Rsa { n, e } => json!({ "e": encode(e), "kty": "RSA", "n": encode(n) }),
        Material::Ec { x, y } => json!({ "crv": curve_name, "kty": "EC", "x": encode(x), "y": encode(y) }),
        Material::Okp { x } => json!({ "crv": curve_name, "kty": "OKP", "x": encode(x) }),
    }
}

fn optional_text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, UnusableKey> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(UnusableKey::Malformed),
    }
}

fn bytes(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, UnusableKey> {
    let text = optional_text(members, name)?.ok_or(UnusableKey::Malformed)?;
    Base64UrlUnpadded::decode_vec(text).map_err(|_| UnusableKey::Malformed)
}

/// A Base64urlUInt (RFC 7518, section 2); leading zeros, which some issuers send, are dropped.
fn unsigned(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, UnusableKey> {
    let mut digits = bytes(members, name)?;
    let zeros = digits.iter().take_while(|byte| **byte == 0).count();
    digits.drain(..zeros);
    if digits.is_empty() { Err(UnusableKey::Malformed) } else { Ok(digits) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn public(name: &str) -> Value {
        let set: Value = serde_json::from_str(include_str!("../../fixtures/keys/issuer.jwks.json")).unwrap();
        set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == name).unwrap().clone()
    }

    fn with(mut jwk: Value, name: &str, value: Value) -> Value {
        jwk[name] = value;
        jwk
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638_section_3_1() {
        let jwk: Value =
            serde_json::from_str(include_str!("../../fixtures/keys/rfc7638-example.jwk.json")).unwrap();
        let key = PublicKey::parse(&jwk).unwrap();
        let text = Base64UrlUnpadded::encode_string(key.thumbprint().bytes());
        assert_eq!(text, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn keys_that_cannot_or_must_not_be_used_are_named() {
        let (ec, rsa, ed) = (public("es256-1"), public("rs256-1"), public("eddsa-1"));
        for (jwk, why) in [
            (json!("x"), UnusableKey::Malformed),
            (json!({}), UnusableKey::Malformed),
            (json!({"kty": "oct", "k": "c2VjcmV0"}), UnusableKey::Private),
            (json!({"kty": "oct"}), UnusableKey::Kind),
            (json!({"kty": "DSA"}), UnusableKey::Kind),
            (with(ec.clone(), "d", json!("AA")), UnusableKey::Private),
            (with(ec.clone(), "use", json!("enc")), UnusableKey::Purpose),
            (with(ec.clone(), "key_ops", json!(["sign"])), UnusableKey::Purpose),
            (with(ec.clone(), "key_ops", json!("verify")), UnusableKey::Purpose),
            (with(ec.clone(), "alg", json!("ES384")), UnusableKey::Algorithm),
            (with(ec.clone(), "alg", json!("HS256")), UnusableKey::Algorithm),
            (with(ec.clone(), "alg", json!(256)), UnusableKey::Malformed),
            (with(ec.clone(), "crv", json!("P-192")), UnusableKey::Kind),
            (with(ec.clone(), "crv", json!("P-384")), UnusableKey::Malformed),
            (with(ec.clone(), "x", json!("AA")), UnusableKey::Malformed),
            (with(ec, "y", json!("not base64!")), UnusableKey::Malformed),
            (with(rsa.clone(), "e", json!("AQ")), UnusableKey::Weak),
            (with(rsa.clone(), "e", json!("BA")), UnusableKey::Weak),
            (with(rsa.clone(), "e", json!("AAAA")), UnusableKey::Malformed),
            (
                with(rsa.clone(), "n", json!(Base64UrlUnpadded::encode_string(&[0xff; 255]))),
                UnusableKey::Weak,
            ),
            (
                with(rsa.clone(), "n", json!(Base64UrlUnpadded::encode_string(&[0x7f; 256]))),
                UnusableKey::Weak,
            ),
            (with(rsa, "n", json!(Base64UrlUnpadded::encode_string(&[0xff; 2000]))), UnusableKey::Weak),
            (with(ed.clone(), "crv", json!("X25519")), UnusableKey::Kind),
            (with(ed, "x", json!("AA")), UnusableKey::Malformed),
        ] {
            assert_eq!(PublicKey::parse(&jwk), Err(why), "{jwk}");
        }
    }
}
