//! Proofs that whoever sends a token holds the key that it is bound to: DPoP (RFC 9449).
//!
//! Nothing here fetches or verifies signatures. [`examine`] checks all of a proof but its signature (section 4.3).

use std::rc::Rc;

use base64ct::{Base64UrlUnpadded, Encoding};
use jwt_compact::{
    Algorithm as _, AlgorithmSignature,
    alg::{Hs256, Hs256Key},
};
use serde_json::{Map, Value};

use crate::{
    base::{
        digest::Digest,
        percent,
        refusal::Refusal,
        time::{Span, Timestamp},
    },
    http::head::RequestTarget,
    identity::{
        algorithm::Algorithm,
        compact::{self, Unverified},
        jwk_set::PublicKey,
        jwt::{bare_type, check_extensions},
    },
};

/// How far the clock of whoever makes proofs may be ahead of ours.
pub const AHEAD: Span = Span::from_secs(5);

/// How proofs are judged.
#[derive(Clone, Debug)]
pub struct DpopSettings {
    /// How old a proof may be.
    pub max_age: Span,
    /// What nonces are made with, where proofs must have one.
    pub nonce: Option<NonceSecret>,
}

impl Default for DpopSettings {
    fn default() -> Self {
        Self { max_age: Self::USUAL_AGE, nonce: None }
    }
}

impl DpopSettings {
    /// How old a proof may be where nothing else is configured.
    pub const USUAL_AGE: Span = Span::from_secs(60);
    /// The oldest that one may be.
    pub const LONGEST_AGE: Span = Span::from_secs(300);
    /// The youngest that all may have to be.
    pub const SHORTEST_AGE: Span = Span::from_secs(5);

    /// For how long a proof that was taken could be taken again.
    #[must_use]
    pub const fn window(&self) -> Span {
        self.max_age.plus(AHEAD)
    }
}

/// A secret that nonces are made with (section 9): all isolates know which ones count, and none remembers any.
#[derive(Clone)]
pub struct NonceSecret(Rc<[u8]>);

impl std::fmt::Debug for NonceSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("NonceSecret")
    }
}

impl NonceSecret {
    /// The shortest that is taken, in bytes: as long as the hash.
    pub const SHORTEST: usize = 32;

    /// A secret of this text, if it is long enough.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (text.len() >= Self::SHORTEST).then(|| Self(Rc::from(text.as_bytes())))
    }

    /// The nonce of this time: a new one each `period`.
    #[must_use]
    pub fn nonce(&self, now: Timestamp, period: Span) -> String {
        let number = now.millis() / period.millis().max(1);
        let mac = Hs256.sign(&Hs256Key::new(&*self.0), format!("dpop nonce {number}").as_bytes());
        let mac = mac.as_bytes();
        Base64UrlUnpadded::encode_string(mac.get(..16).unwrap_or_default())
    }
}

/// The request that a proof must be for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a str,
    /// Where it goes.
    pub target: RequestTarget<'a>,
    /// The token that it shows.
    pub token: &'a str,
    /// The thumbprint of the key that the token is bound to.
    pub key: &'a Digest,
    /// When it came.
    pub now: Timestamp,
}

/// A proof whose every check passed but that of its signature.
#[derive(Debug)]
pub struct Proof {
    /// The key.
    pub key: PublicKey,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// What the signature covers.
    pub signing_input: String,
    /// The signature.
    pub signature: Vec<u8>,
    /// What tells it from other proofs: of its `jti` and its key, so that nobody can use up another's.
    pub id: u64,
}

/// The names of the algorithms that proofs may be signed with: all that have a public key.
pub fn algorithms() -> impl Iterator<Item = &'static str> {
    Algorithm::names().filter(|name| !name.starts_with("HS"))
}

/// The same in one text, as challenges have it.
#[must_use]
pub fn algorithm_list() -> String {
    algorithms().fold(
        String::new(),
        |all, name| if all.is_empty() { name.to_owned() } else { format!("{all} {name}") },
    )
}

/// Reads a proof and checks all but its signature.
///
/// # Errors
/// The first check that fails.
pub fn examine(text: &str, asked: &Asked<'_>, settings: &DpopSettings) -> Result<Proof, Refusal> {
    const MALFORMED: Refusal = Refusal::DpopProofMalformed;
    // Fetch joins repeated fields with a comma, which no JWT has.
    let Unverified { header, claims, signing_input, signature } =
        compact::parse(text.trim()).map_err(|_| MALFORMED)?;
    check_extensions(&header).map_err(|_| MALFORMED)?;
    let named = |name| header.get(name).and_then(Value::as_str).ok_or(MALFORMED);
    if bare_type(named("typ")?) != "dpop+jwt" {
        return Err(MALFORMED);
    }
    let algorithm = Algorithm::from_name(named("alg")?).ok_or(MALFORMED)?;
    // A private key is refused too: whoever sends one has given it away.
    let key = header.get("jwk").and_then(|jwk| PublicKey::parse(jwk).ok()).ok_or(MALFORMED)?;
    if !key.fits(algorithm) {
        return Err(MALFORMED);
    }
    if key.thumbprint() != asked.key {
        return Err(Refusal::DpopProofKey);
    }
    let text_of = |name| member(&claims, name);
    if text_of("htm")? != asked.method || !is_target(text_of("htu")?, asked.target) {
        return Err(Refusal::DpopProofRequest);
    }
    if Digest::from_base64url(text_of("ath")?) != Some(Digest::of(asked.token.as_bytes())) {
        return Err(Refusal::DpopProofToken);
    }
    check_time(&claims, asked.now, settings)?;
    if let Some(secret) = &settings.nonce {
        let nonce = claims.get("nonce").and_then(Value::as_str).ok_or(Refusal::DpopNonce)?;
        let before = Timestamp::from_millis(asked.now.millis().saturating_sub(settings.max_age.millis()));
        let counts = [asked.now, before].map(|at| secret.nonce(at, settings.max_age));
        if !counts.iter().any(|own| own == nonce) {
            return Err(Refusal::DpopNonce);
        }
    }
    let id = Digest::of(format!("{} {}", key.thumbprint(), text_of("jti")?).as_bytes()).prefix();
    let signing_input = signing_input.to_owned();
    Ok(Proof { key, algorithm, signing_input, signature, id })
}

fn member<'a>(claims: &'a Map<String, Value>, name: &str) -> Result<&'a str, Refusal> {
    let text = claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or(Refusal::DpopProofMalformed)
}

/// All arithmetic is on `f64`, as for tokens: a huge, negative or fractional time neither wraps nor panics.
fn check_time(claims: &Map<String, Value>, now: Timestamp, settings: &DpopSettings) -> Result<(), Refusal> {
    let made = claims.get("iat").and_then(Value::as_f64).ok_or(Refusal::DpopProofMalformed)?;
    let seconds = |span: Span| Timestamp::from_millis(span.millis()).numeric_date();
    let age = now.numeric_date() - made;
    let in_time = age <= seconds(settings.max_age) && age >= -seconds(AHEAD);
    if in_time { Ok(()) } else { Err(Refusal::DpopProofTime) }
}

/// Whether `htu` is where a request goes, after the normalisation that section 4.3 recommends (RFC 3986, sections 6.2.2
/// and 6.2.3), its query and fragment left out.
fn is_target(htu: &str, target: RequestTarget<'_>) -> bool {
    let Some(said) = RequestTarget::parse(htu) else { return false };
    let same_scheme = said.scheme.eq_ignore_ascii_case(target.scheme);
    let port = if target.scheme.eq_ignore_ascii_case("http") { ":80" } else { ":443" };
    let authority = |text: &str| text.strip_suffix(port).unwrap_or(text).to_ascii_lowercase();
    same_scheme
        && authority(said.authority) == authority(target.authority)
        && normal_path(said.path) == normal_path(target.path)
}

/// A path in which what need not be encoded is not, and what is has capital digits.
fn normal_path(path: &str) -> Vec<u8> {
    let mut rest = path.as_bytes();
    let mut normal = Vec::with_capacity(rest.len());
    while let Some((first, behind)) = rest.split_first() {
        match percent::octet(rest) {
            Some((byte, left)) => {
                let is_unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
                match rest.get(..3).filter(|_| !is_unreserved) {
                    Some(encoded) => normal.extend(encoded.to_ascii_uppercase()),
                    None => normal.push(byte),
                }
                rest = left;
            }
            None => {
                normal.push(*first);
                rest = behind;
            }
        }
    }
    normal
}

#[cfg(test)]
mod tests;
