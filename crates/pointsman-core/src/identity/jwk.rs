//! Keys (RFC 7517, section 4): what a JWK must say to be one that signatures are verified with.

use std::{borrow::Cow, fmt};

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};

use super::algorithm::{Algorithm, Curve, KeyKind};
use crate::base::{
    digest::Digest,
    json::{Shallow, json, text},
    object::{ObjectError, parse_object},
};

/// Smaller moduli can be factored (RFC 7518, section 3.3); larger ones only cost time to verify.
const RSA_MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A public key that passed all checks that need no curve arithmetic; or, for HS*, the secret in its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKey {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    kind: KeyKind,
    material: Material,
    thumbprint: Digest,
    /// Whose tokens it may sign, where the set is for several issuers and says so.
    issuer: Option<String>,
}

/// What stands for each tenant in the `issuer` of Microsoft Entra's keys.
const EACH_TENANT: &str = "{tenantid}";

/// The public members of a JWK, decoded.
#[derive(Clone, Eq, PartialEq)]
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
    /// The bytes of a secret.
    Secret {
        /// All of them.
        k: Vec<u8>,
    },
}

impl fmt::Debug for Material {
    /// Of what kind it is, since it may be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Rsa { .. } => "Rsa",
            Self::Ec { .. } => "Ec",
            Self::Okp { .. } => "Okp",
            Self::Secret { .. } => "Secret",
        })
    }
}

/// Why a key cannot be used: which of its members is to blame, and for what. It never says what the member
/// holds, which may be a private key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnusableKey {
    /// The kind of fault.
    pub flaw: Flaw,
    /// The member; empty for the whole key.
    pub member: Cow<'static, str>,
    /// What is wrong with it.
    pub cause: &'static str,
}

/// What makes a key unusable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flaw {
    /// A member is missing, mistyped, no base64, or stands twice.
    Malformed,
    /// `kty` or `crv` is none that an algorithm here uses; symmetric keys are among them: a secret
    /// in a public set is public.
    Kind,
    /// `use` or `key_ops` does not let it verify signatures.
    Purpose,
    /// It is a key for encryption, as many issuers publish beside those for signatures. There is nothing
    /// wrong with it.
    Encryption,
    /// `alg` is unknown or is not for this kind of key.
    Algorithm,
    /// Private members: whoever can read the set can sign.
    Private,
    /// An RSA modulus under 2048 or over 8192 bits, or an exponent under 3 or even.
    Weak,
}

impl UnusableKey {
    const fn new(flaw: Flaw, member: &'static str, cause: &'static str) -> Self {
        Self { flaw, member: Cow::Borrowed(member), cause }
    }

    const fn malformed(member: &'static str, cause: &'static str) -> Self {
        Self::new(Flaw::Malformed, member, cause)
    }
}

impl fmt::Display for UnusableKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.member {
            "" => formatter.write_str(self.cause),
            member => write!(formatter, "{member} {}", self.cause),
        }
    }
}

impl std::error::Error for UnusableKey {}

impl PublicKey {
    /// Reads one JWK out of a document.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn read(json: &[u8]) -> Result<Self, UnusableKey> {
        match parse_object(json) {
            Ok(members) => Self::of(&members),
            // RFC 7517, section 4.
            Err(ObjectError::DuplicateMember) => Err(UnusableKey {
                flaw: Flaw::Malformed,
                member: repeated(json).into(),
                cause: "stands twice, and which of them counts nobody can say",
            }),
            Err(ObjectError::NotAnObject(_)) => Err(UnusableKey::malformed("", "is no JSON object")),
        }
    }

    /// Checks one JWK.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn parse(jwk: &Value) -> Result<Self, UnusableKey> {
        Self::of(jwk.as_object().ok_or(UnusableKey::malformed("", "is no JSON object"))?)
    }

    /// A secret of the configuration, as what verifies HS* signatures. No document is ever read as one.
    #[must_use]
    pub fn of_secret(secret: &[u8]) -> Self {
        let (kind, material) = (KeyKind::Secret, Material::Secret { k: secret.to_vec() });
        let thumbprint = Digest::of(text(&minimal_jwk(kind, &material)).as_bytes());
        Self { id: None, algorithm: None, kind, material, thumbprint, issuer: None }
    }

    fn of(members: &Map<String, Value>) -> Result<Self, UnusableKey> {
        if let Some(name) = PRIVATE.into_iter().find(|name| present(members, name).is_some()) {
            return Err(UnusableKey::new(Flaw::Private, name, "is private: whoever can read it can sign"));
        }
        check_purpose(members)?;
        let (kind, material) = parse_material(members)?;
        let algorithm = match optional_text(members, "alg")? {
            None => None,
            Some(name) => match Algorithm::from_name(name) {
                Some(algorithm) if algorithm.key_kind() == kind => Some(algorithm),
                _ => {
                    let cause = "is no signature algorithm that is known here for such a key";
                    return Err(UnusableKey::new(Flaw::Algorithm, "alg", cause));
                }
            },
        };
        let id = optional_text(members, "kid")?.map(str::to_owned);
        let thumbprint = Digest::of(text(&minimal_jwk(kind, &material)).as_bytes());
        // No member of the standard: whatever else it may be somewhere spoils no key.
        let issuer = present(members, "issuer").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { id, algorithm, kind, material, thumbprint, issuer })
    }

    /// Whether it may sign for this `iss`. Entra's set for all tenants has keys of all of them, and keys of one alone.
    #[must_use]
    pub fn is_of(&self, iss: &str) -> bool {
        let Some(own) = &self.issuer else { return true };
        let Some((before, after)) = own.split_once(EACH_TENANT) else { return own == iss };
        let tenant = iss.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        tenant.is_some_and(|tenant| !tenant.is_empty() && !tenant.contains('/'))
    }

    /// The algorithm that its `alg` names.
    #[must_use]
    pub const fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
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

/// The members that make a key a private or a symmetric one (RFC 7518, section 6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A member that says something. `null`, empty text and an empty list say nothing: many serializers write them
/// for what a key does not have, and a member that is not understood spoils no key (RFC 7517, section 4).
fn present<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    })
}

/// `use`, `key_ops` and `alg` say what a key is for (RFC 7517, sections 4.2 to 4.4).
pub(super) fn check_purpose(members: &Map<String, Value>) -> Result<(), UnusableKey> {
    let for_encryption = |member| Err(UnusableKey::new(Flaw::Encryption, member, "is for encryption"));
    match optional_text(members, "use")? {
        None | Some("sig") => {}
        Some("enc") => return for_encryption("use"),
        Some(_) => return Err(UnusableKey::new(Flaw::Purpose, "use", "is not \"sig\"")),
    }
    match present(members, "key_ops") {
        None => {}
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => {}
        Some(Value::Array(operations)) if !operations.iter().any(|operation| operation == "sign") => {
            return for_encryption("key_ops");
        }
        Some(Value::Array(_)) => {
            return Err(UnusableKey::new(Flaw::Purpose, "key_ops", "does not hold \"verify\""));
        }
        Some(_) => return Err(UnusableKey::new(Flaw::Purpose, "key_ops", "is no list")),
    }
    if optional_text(members, "alg")?.is_some_and(manages_keys) {
        return for_encryption("alg");
    }
    // Diffie-Hellman is all that these curves are for (RFC 8037, section 3.2).
    if matches!(optional_text(members, "crv")?, Some("X25519" | "X448")) {
        return for_encryption("crv");
    }
    Ok(())
}

/// Whether an algorithm manages keys for encryption (RFC 7518, section 4.1).
fn manages_keys(algorithm: &str) -> bool {
    let begins = |with| algorithm.starts_with(with);
    matches!(algorithm, "RSA1_5" | "dir")
        || algorithm.ends_with("KW")
        || begins("RSA-OAEP")
        || begins("ECDH-ES")
}

fn parse_material(members: &Map<String, Value>) -> Result<(KeyKind, Material), UnusableKey> {
    match required_text(members, "kty")? {
        "RSA" => {
            let (n, e) = (unsigned(members, "n")?, unsigned(members, "e")?);
            let bits = n
                .len()
                .saturating_mul(8)
                .saturating_sub(n.first().map_or(0, |byte| byte.leading_zeros() as usize));
            if !RSA_MODULUS_BITS.contains(&bits) {
                return Err(UnusableKey::new(Flaw::Weak, "n", "is no modulus of 2048 to 8192 bits"));
            }
            let odd = e.last().is_some_and(|byte| byte % 2 == 1);
            let at_least_3 = e.len() > 1 || e.first().is_some_and(|byte| *byte >= 3);
            if !odd || !at_least_3 || e.len() > 8 {
                return Err(UnusableKey::new(Flaw::Weak, "e", "is no odd exponent from 3 to 2^64"));
            }
            Ok((KeyKind::Rsa, Material::Rsa { n, e }))
        }
        "EC" => {
            let name = required_text(members, "crv")?;
            let Some((curve, length)) = Curve::from_name(name) else {
                return Err(UnusableKey::new(Flaw::Kind, "crv", "is none of P-256, P-384 and P-521"));
            };
            let (x, y) = (coordinate(members, "x", length)?, coordinate(members, "y", length)?);
            Ok((KeyKind::Ec(curve), Material::Ec { x, y }))
        }
        "OKP" => {
            if required_text(members, "crv")? != "Ed25519" {
                return Err(UnusableKey::new(Flaw::Kind, "crv", "is not Ed25519"));
            }
            let x = bytes(members, "x")?;
            if x.len() != 32 {
                return Err(UnusableKey::malformed("x", "is not 32 bytes long"));
            }
            Ok((KeyKind::Ed25519, Material::Okp { x }))
        }
        _ => Err(UnusableKey::new(Flaw::Kind, "kty", "is none of RSA, EC and OKP")),
    }
}

fn minimal_jwk(kind: KeyKind, material: &Material) -> Value {
    let encode = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let curve_name = match kind {
        KeyKind::Ec(curve) => curve.name(),
        KeyKind::Ed25519 => "Ed25519",
        KeyKind::Rsa | KeyKind::Secret => "",
    };
    // serde_json keeps members sorted, which is the order that RFC 7638 wants.
    match material {
        Material::Rsa { n, e } => json!({ "e": encode(e), "kty": "RSA", "n": encode(n) }),
        Material::Ec { x, y } => json!({ "crv": curve_name, "kty": "EC", "x": encode(x), "y": encode(y) }),
        Material::Okp { x } => json!({ "crv": curve_name, "kty": "OKP", "x": encode(x) }),
        Material::Secret { k } => json!({ "k": encode(k), "kty": "oct" }),
    }
}

pub(super) fn optional_text<'a>(
    members: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, UnusableKey> {
    match present(members, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(UnusableKey::malformed(name, "is no text")),
    }
}

pub(super) fn required_text<'a>(
    members: &'a Map<String, Value>,
    name: &'static str,
) -> Result<&'a str, UnusableKey> {
    optional_text(members, name)?.ok_or(UnusableKey::malformed(name, "is missing"))
}

fn bytes(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, UnusableKey> {
    decode(required_text(members, name)?).ok_or(UnusableKey::malformed(name, "is no base64url"))
}

/// Base64 in either alphabet, with padding or without, and with white space as line-breaking encoders put it
/// there. A key set comes from the configured place, and whoever answers there can publish any key: so there is
/// nothing to gain from a second spelling of one. A token's own parts are read strictly
/// ([`super::compact`]).
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches(|end: char| end == '=' || end.is_ascii_whitespace());
    let mut decoded = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let (mut pending, mut bits) = (0u32, 0u32);
    for digit in digits.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        pending = (pending << 6 | u32::from(value)) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            #[allow(clippy::cast_possible_truncation)] // the eight bits above those that wait
            decoded.push((pending >> bits) as u8);
        }
    }
    // Six bits are left where a digit is missing: no byte ends there.
    (bits < 6).then_some(decoded)
}

/// A Base64urlUInt (RFC 7518, section 2); leading zeros, which some issuers send, are dropped.
fn unsigned(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, UnusableKey> {
    let mut digits = bytes(members, name)?;
    let zeros = digits.iter().take_while(|byte| **byte == 0).count();
    digits.drain(..zeros);
    if digits.is_empty() { Err(UnusableKey::malformed(name, "is zero")) } else { Ok(digits) }
}

/// A coordinate as long as its field (RFC 7518, section 6.2.1.2). Some issuers write it as a number, without
/// its leading zeros or with one for the sign; it can be no other number, and so no other point. More zeros than
/// chance makes are those of another curve.
fn coordinate(
    members: &Map<String, Value>,
    name: &'static str,
    length: usize,
) -> Result<Vec<u8>, UnusableKey> {
    let written = bytes(members, name)?;
    let zeros = written.iter().take_while(|byte| **byte == 0).count();
    let digits = written.get(zeros..).unwrap_or_default();
    let missing = length.checked_sub(digits.len()).filter(|missing| *missing <= MOST_LEADING_ZEROS);
    let Some(missing) = missing else {
        return Err(UnusableKey::malformed(name, "is not as long as the curve's coordinates"));
    };
    let mut whole = vec![0; missing];
    whole.extend_from_slice(digits);
    Ok(whole)
}

/// One coordinate in 2^64 begins with more bytes of zero.
const MOST_LEADING_ZEROS: usize = 8;

/// The first member of an object that stands there twice.
fn repeated(json: &[u8]) -> String {
    const INSIDE: &str = "a member of a member";
    let Ok(Shallow::Object(members)) = Shallow::parse(json) else { return INSIDE.to_owned() };
    let mut seen = Map::new();
    let twice = members.iter().find(|(name, _)| seen.insert(name.to_string(), Value::Null).is_some());
    // Escaped: whoever publishes the set chooses the name, and an operator's terminal shows it.
    let told = |name: &str| name.chars().take(MOST_OF_A_NAME).flat_map(char::escape_debug).collect();
    twice.map(|(name, _)| told(name)).unwrap_or_else(|| INSIDE.to_owned())
}

/// Of a name out of a document, so much is told.
pub(super) const MOST_OF_A_NAME: usize = 64;

#[cfg(test)]
mod tests;
