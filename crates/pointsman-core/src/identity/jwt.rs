//! Tokens: every check that needs neither a clock nor the network of its own (RFC 7519, RFC 8725).
//!
//! Nothing here fetches. [`examine`] reads a token and checks all but its signature; which key that
//! needs is then asked of the issuer's key set, and the signature is verified by jwt-compact here
//! (HS256) or behind a port (all others, which WebCrypto does 10 to 30 times faster than wasm).

use std::{cell::Cell, rc::Rc};

use jwt_compact::{
    AlgorithmSignature,
    alg::{Hs256, Hs256Key},
};
use serde_json::{Map, Value};

use super::{
    algorithm::Algorithm,
    audience::Audience,
    compact::{self, Unverified},
    confirmation::{Bindings, Confirmation},
    introspection::Endpoint,
    issuer_customers::CustomersOfIssuer,
    issuer_name::IssuerName,
    jwk_set::KeySet,
};
use crate::{
    base::{
        digest::Digest,
        freshness::Policy,
        identifier::identifier,
        refusal::Refusal,
        time::{Span, Timestamp},
    },
    identity::{
        claims::{BLOCK, COUNTED, ClaimPath, Claims},
        principal::Principal,
    },
};

/// An issuer that routes may accept tokens of.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its name in the configuration.
    pub name: Rc<str>,
    /// What `iss` must be.
    pub issuer: IssuerName,
    /// The fields that its tokens come in, in lower case.
    pub fields: Vec<String>,
    /// Whom its tokens must be for.
    pub audience: Audience,
    /// The algorithms that its tokens may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// The values that `typ` may have, in lower case and without `application/`.
    pub types: Vec<String>,
    /// The claim that names the subject.
    pub subject: ClaimPath,
    /// How far its clock may be from ours.
    pub leeway: Leeway,
    /// Where its keys come from.
    pub keys: KeySource,
    /// How long a fetched key set is used.
    pub policy: Policy,
    /// How long the issuer is left alone after a fetch, whatever kids are asked for.
    pub cooldown: Span,
    /// How long one fetch may take.
    pub timeout: Span,
    /// The customers that it may speak for, where that is not all.
    pub customers: Option<CustomersOfIssuer>,
    /// How its tokens may be bound to who holds them.
    pub bindings: Bindings,
}

/// How far an issuer's clock may be from ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Leeway {
    /// Behind ours: how long a token counts past its `exp`.
    pub expiry: Span,
    /// Ahead of ours: how long a token counts before its `nbf`.
    pub not_before: Span,
}

impl Default for Leeway {
    /// A clock that is a few seconds ahead must not refuse each token that is new. Nothing is lost by that, whereas
    /// `exp` is "on or after" (RFC 7519, section 4.1.4): what works longer is the operator's to say.
    fn default() -> Self {
        Self { expiry: Span::default(), not_before: Span::from_secs(5) }
    }
}

/// Where an issuer's keys come from: always the configuration, never the token.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A secret shared with the issuer; only for HS*.
    Secret(Rc<[u8]>),
    /// Keys in the configuration.
    Inline(Rc<KeySet>),
    /// A JWK Set at this URL.
    Url(String),
    /// A JWK Set at the `jwks_uri` of the OpenID provider metadata at this URL.
    Discovery(String),
    /// None: the issuer itself is asked what each token is (RFC 7662).
    Introspection(Rc<Endpoint>),
}

impl KeySource {
    /// Whether the issuer is asked for anything.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        self.is_fetched() || matches!(self, Self::Introspection(_))
    }

    /// Whether the keys are fetched, and so can change.
    #[must_use]
    pub const fn is_fetched(&self) -> bool {
        matches!(self, Self::Url(_) | Self::Discovery(_))
    }
}

/// A token whose every check passed but that of its signature.
#[derive(Debug)]
pub struct Examined<'a> {
    /// The issuer, as an index into the configured ones.
    pub issuer: usize,
    /// The algorithm: on the issuer's list, and what the header says too.
    pub algorithm: Algorithm,
    /// The key that the header names.
    pub kid: Option<String>,
    /// Who the caller is, once the signature is verified.
    pub principal: Principal,
    /// When the token stops working, leeway included.
    pub expires_at: Timestamp,
    /// What its holder has to prove.
    pub bound_to: Option<Box<Confirmation>>,
    /// What the signature covers.
    pub signing_input: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
}

/// A token whose signature was verified.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedToken {
    /// The issuer, as an index into the configured ones.
    pub issuer: usize,
    /// Who the caller is.
    pub principal: Rc<Principal>,
    /// When the token stops working.
    pub expires_at: Timestamp,
    /// What its holder has to prove, at each request anew.
    pub bound_to: Option<Box<Confirmation>>,
    /// The key that verified it; `None` for a shared secret.
    pub thumbprint: Option<Digest>,
    /// What its signature covers.
    pub signing_input: Box<str>,
    /// Up to which state of the revocations it is known not to be revoked.
    pub checked: Cell<u64>,
    /// The status with which a service of the operator's denies the caller, where this is its answer and no token
    /// ([`crate::routing::authorize`]): answers lie among the tokens, since each further type of cache is some kB of wasm.
    pub denied: Option<u16>,
}

impl VerifiedToken {
    /// Bytes held, for the cache's bound.
    #[must_use]
    pub fn weight(&self) -> usize {
        let bound_to = self.bound_to.as_ref().map_or(0, |_| BLOCK + size_of::<Confirmation>());
        COUNTED + size_of::<Self>() + self.principal.weight() + BLOCK + self.signing_input.len() + bound_to
    }
}

/// Reads a token and checks all but its signature. `accepted` are the route's issuers, as indices
/// into `issuers`: a token of any other is refused even where its key would verify.
///
/// # Errors
/// The first check that fails. Signature and key come last, so that junk costs no cryptography.
pub fn examine<'a>(
    token: &'a str,
    issuers: &[Issuer],
    accepted: &[usize],
    now: Timestamp,
) -> Result<Examined<'a>, Refusal> {
    let Unverified { header, claims, signing_input, signature } = compact::parse(token)?;
    check_extensions(&header)?;
    let claims = Claims::new(claims);
    let (index, issuer) = find_issuer(&claims, issuers, accepted)?;
    check_type(&header, issuer)?;
    let algorithm = check_algorithm(&header, issuer)?;
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.clone()),
        Some(_) => return Err(Refusal::TokenKeyId),
    };
    issuer.audience.check(&claims)?;
    let bound_to = issuer.bindings.check(&claims)?;
    let expires_at = check_times(&claims, issuer.leeway, now)?;
    let principal = Principal::new(find_subject(&claims, issuer)?, claims);
    if let Some(customers) = &issuer.customers {
        customers.check(&principal)?;
    }
    Ok(Examined { issuer: index, algorithm, kid, principal, expires_at, bound_to, signing_input, signature })
}

/// Whom a token of this issuer is of.
pub(super) fn find_subject(claims: &Claims, issuer: &Issuer) -> Result<Option<Rc<str>>, Refusal> {
    match claims.find(&issuer.subject) {
        None => Ok(None),
        // One that is empty names nobody.
        Some(Value::String(subject)) if subject.is_empty() => Ok(None),
        Some(subject) => Ok(Some(Rc::from(identifier(subject).ok_or(Refusal::TokenSubject)?))),
    }
}

/// `crit` asks that what it names be understood (RFC 7515, section 4.1.11). Nothing that it could
/// name is, and a malformed one is no reason to be kinder. `b64` changes what was signed (RFC 7797).
/// `jku`, `jwk`, `x5u` and `x5c` are not looked at anywhere: keys come from the configuration.
pub(super) fn check_extensions(header: &Map<String, Value>) -> Result<(), Refusal> {
    if header.contains_key("crit") {
        return Err(Refusal::TokenCritical);
    }
    if header.contains_key("b64") {
        return Err(Refusal::TokenUnencodedPayload);
    }
    let nested = match header.get("cty") {
        None => false,
        Some(Value::String(content)) => bare_type(content) == "jwt",
        Some(_) => true,
    };
    if nested || header.contains_key("enc") || header.contains_key("zip") {
        return Err(Refusal::TokenNested);
    }
    Ok(())
}

fn find_issuer<'a>(
    claims: &Claims,
    issuers: &'a [Issuer],
    accepted: &[usize],
) -> Result<(usize, &'a Issuer), Refusal> {
    let claimed = claims.member("iss").and_then(Value::as_str).ok_or(Refusal::TokenIssuer)?;
    accepted
        .iter()
        .filter_map(|index| issuers.get(*index).map(|issuer| (*index, issuer)))
        .find(|(_, issuer)| issuer.issuer.is_of(claimed, claims))
        .ok_or(Refusal::TokenIssuer)
}

/// Explicit typing (RFC 8725, section 3.11): a logout or identity-event token of the same issuer
/// must not pass for an access token.
fn check_type(header: &Map<String, Value>, issuer: &Issuer) -> Result<(), Refusal> {
    match header.get("typ") {
        None => Ok(()),
        Some(Value::String(name)) if issuer.types.contains(&bare_type(name)) => Ok(()),
        Some(_) => Err(Refusal::TokenType),
    }
}

/// A media type in lower case, `application/` left off as RFC 7515, section 4.1.9 recommends.
pub(super) fn bare_type(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("application/").map(str::to_owned).unwrap_or(name)
}

fn check_algorithm(header: &Map<String, Value>, issuer: &Issuer) -> Result<Algorithm, Refusal> {
    header
        .get("alg")
        .and_then(Value::as_str)
        .and_then(Algorithm::from_name)
        .filter(|algorithm| issuer.algorithms.contains(algorithm))
        .ok_or(Refusal::TokenAlgorithm)
}

/// A missing or mistyped time is a refusal, never a skipped check. All arithmetic is on `f64`, as
/// `NumericDate` may be huge, negative or fractional, and comparisons of those neither wrap nor panic.
pub(super) fn check_times(claims: &Claims, leeway: Leeway, now: Timestamp) -> Result<Timestamp, Refusal> {
    let now_seconds = now.numeric_date();
    let seconds = |span: Span| Timestamp::from_millis(span.millis()).numeric_date();
    let expiry = claims.member("exp").and_then(Value::as_f64).ok_or(Refusal::TokenExpiryMalformed)?;
    let expiry = expiry + seconds(leeway.expiry);
    // JSON has no NaN and infinities; were one to come about all the same, it would refuse.
    let in_time = now_seconds < expiry;
    if !in_time {
        return Err(Refusal::TokenExpired);
    }
    if let Some(not_before) = claims.member("nbf") {
        let not_before = not_before.as_f64().ok_or(Refusal::TokenNotBeforeMalformed)?;
        let has_come = not_before - seconds(leeway.not_before) <= now_seconds;
        if !has_come {
            return Err(Refusal::TokenNotYetValid);
        }
    }
    if claims.member("iat").is_some_and(|issued_at| !issued_at.is_number()) {
        return Err(Refusal::TokenIssuedAtMalformed);
    }
    // A cast from float to integer saturates.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let millis = (expiry * 1000.0) as u64;
    Ok(Timestamp::from_millis(millis))
}

/// Verifies an HS256 signature with a shared secret. The secret was checked to be at least as long as the hash when the
/// configuration was read (RFC 7518, section 3.2). HS384 and HS512 are behind the port: few use them, and their hash would be
/// a large part of the wasm.
#[must_use]
pub fn verify_hs256(secret: &[u8], signing_input: &str, signature: &[u8]) -> bool {
    verify_with(&Hs256, &Hs256Key::new(secret), signing_input, signature)
}

/// Verifies with one of jwt-compact's algorithms.
pub fn verify_with<A: jwt_compact::Algorithm>(
    algorithm: &A,
    key: &A::VerifyingKey,
    signing_input: &str,
    signature: &[u8],
) -> bool {
    // As jwt-compact's own validator does: the length first, since not every algorithm's
    // conversion bears another one.
    let fits = A::Signature::LENGTH.is_none_or(|length| length.get() == signature.len());
    let signature = fits.then(|| A::Signature::try_from_slice(signature).ok()).flatten();
    signature.is_some_and(|signature| algorithm.verify_signature(&signature, key, signing_input.as_bytes()))
}

impl Examined<'_> {
    /// What is remembered once the signature was verified: by which key, or by none where the issuer has a shared secret.
    #[must_use]
    pub fn into_verified(self, thumbprint: Option<Digest>) -> VerifiedToken {
        VerifiedToken {
            issuer: self.issuer,
            principal: Rc::new(self.principal),
            expires_at: self.expires_at,
            bound_to: self.bound_to,
            thumbprint,
            signing_input: Box::from(self.signing_input),
            checked: Cell::default(),
            denied: None,
        }
    }
}

#[cfg(test)]
mod tests;
