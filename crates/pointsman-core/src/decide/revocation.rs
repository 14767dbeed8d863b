//! Whether a token whose signature verifies was revoked since.

use serde_json::Value;

use crate::{
    base::{identifier::identifier, refusal::Refusal, time::Timestamp},
    decide::decision::{Halt, LoadedForRequest, Need},
    directory::record_key::RecordKey,
    identity::jwt::VerifiedToken,
    state::{
        cache::Lease,
        directory::{Revocation, TokenNames},
        memory::Memory,
    },
};

/// Looks at a token after its signature, and at one that was verified before alike: it may have been revoked meanwhile.
///
/// # Errors
/// A refusal, or that the revocations must be loaded first.
pub(super) fn check(
    token: &VerifiedToken,
    memory: &mut Memory,
    loaded: &LoadedForRequest,
    now: Timestamp,
) -> Result<(), Halt> {
    let Some(directory) = &mut memory.directory else { return Ok(()) };
    match directory.revocation(&token.checked, || names(token), now) {
        Revocation::None => Ok(()),
        Revocation::Revoked => Err(Refusal::TokenRevoked.into()),
        Revocation::Wait if !loaded.revocations_failed => Err(Halt::Load(Need::Revocations, Lease::Acquired)),
        Revocation::Wait | Revocation::Unavailable => Err(Refusal::RevocationsUnavailable.into()),
    }
}

/// The names under which this token can be revoked.
fn names(token: &VerifiedToken) -> TokenNames {
    let text = |name| token.principal.claims.member(name).and_then(identifier);
    // The token's own: a revocation is of one tenant, also where an entry of the configuration is for many.
    let issuer = token.principal.claims.member("iss").and_then(Value::as_str).unwrap_or_default();
    TokenNames {
        id: text("jti").map(|jti| RecordKey::token_id(issuer, &jti)),
        // The claim of RFC 7519, whatever claim the configuration takes for the subject: revocations name what tokens say.
        subject: text("sub").map(|sub| RecordKey::subject(issuer, &sub)),
        issued_at: token.principal.claims.member("iat").and_then(Value::as_f64),
    }
}
