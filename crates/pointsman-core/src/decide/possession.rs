//! Whether whoever sends a bound token holds what it is bound to: a key, by DPoP (RFC 9449), or the connection's client
//! certificate (RFC 8705). A token that is bound never passes as a plain bearer token.

use std::rc::Rc;

use crate::{
    base::{digest::Digest, refusal::Refusal, time::Timestamp},
    decide::{
        authenticate::Stage,
        decision::{Halt, Need},
        request_log::Trace,
    },
    http::{
        head::Head,
        protected_resource::{TOKEN_PARAMETER, TokenForms},
    },
    identity::{
        client_certificate,
        confirmation::Binding,
        dpop::{self, Asked, DpopSettings},
        jwt::VerifiedToken,
    },
    state::{cache::Lease, config::Gateway, memory::Memory, route::Route},
};

/// A token, and how it was shown.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    /// The token.
    pub(super) token: &'a str,
    /// Whether it stands behind `DPoP`.
    pub(super) with_proof: bool,
}

impl Stage<'_> {
    /// Checks what the holder of a verified token has to prove.
    #[cold]
    #[inline(never)]
    pub(super) fn check_possession(
        &self,
        shown: Shown<'_>,
        verified: &VerifiedToken,
        head: &Head<'_>,
        memory: &Memory,
        trace: &mut Trace,
    ) -> Result<(), Halt> {
        let bound = verified.bound_to.as_deref();
        if let Some(certificate) = bound.and_then(|bound| bound.certificate) {
            let presented = client_certificate::verified(head.fields).ok().flatten();
            trace.record(|steps| steps.compare_certificates(presented, certificate));
            let presented = presented.ok_or(Refusal::ClientCertificateMissing)?;
            if presented != certificate {
                return Err(Refusal::ClientCertificateOther.into());
            }
        }
        match (bound.and_then(|bound| bound.key), shown.with_proof) {
            (None, false) => Ok(()),
            // Whoever says DPoP means to prove something, and there is nothing that it could be (section 7.1).
            (None, true) => Err(Refusal::TokenNotBound.into()),
            // Section 7.2.
            (Some(_), false) => Err(Refusal::TokenBoundToKey.into()),
            (Some(key), true) => self.check_proof(shown.token, &key, head, memory, trace),
        }
    }

    fn check_proof(
        &self,
        token: &str,
        key: &Digest,
        head: &Head<'_>,
        memory: &Memory,
        trace: &mut Trace,
    ) -> Result<(), Halt> {
        let text = head.fields.get("dpop").ok_or(Refusal::DpopProofMissing)?;
        let asked = Asked { method: head.method, target: head.target, token, key, now: self.now };
        trace.record(|steps| steps.see_proof(&text, &asked));
        if let Some(outcome) = self.loaded.proof {
            return outcome.map_err(Halt::from);
        }
        let proof = dpop::examine(&text, &asked, &self.gateway.dpop)?;
        // Before its signature is verified, which costs more; it is taken once that is.
        if memory.replays.holds(proof.id) {
            return Err(Refusal::DpopProofReplayed.into());
        }
        Err(Halt::Load(Need::Proof(Rc::new(proof)), Lease::Acquired))
    }
}

/// How tokens may come to a route.
#[cold]
#[inline(never)]
pub(super) fn token_forms(route: &Route, gateway: &Gateway) -> TokenForms {
    let auth = &route.auth;
    let bindings = || auth.all_issuers().filter_map(|index| Some(gateway.issuers.get(index)?.bindings));
    TokenForms {
        in_query: auth.places.query.iter().any(|name| name == TOKEN_PARAMETER),
        dpop: auth.places.dpop.then(|| dpop::algorithms().collect()),
        dpop_only: bindings().all(|own| own.dpop == Binding::Required),
        certificate_bound: bindings().any(|own| own.certificate != Binding::Refused),
    }
}

/// The nonce that the next proof must have, where there are any.
pub(super) fn nonce(settings: &DpopSettings, now: Timestamp) -> Option<(&'static str, String)> {
    let secret = settings.nonce.as_ref()?;
    Some(("dpop-nonce", secret.nonce(now, settings.max_age)))
}

/// Adds to a refusal what RFC 9449 wants of it: the challenge of section 7.1, and a nonce (section 9).
#[cold]
#[inline(never)]
pub(super) fn challenge(
    fields: &mut Vec<(&'static str, String)>,
    refusal: Refusal,
    settings: &DpopSettings,
    now: Timestamp,
) {
    let algorithms = dpop::algorithm_list();
    let error = match refusal {
        Refusal::DpopNonce => "error=\"use_dpop_nonce\", ",
        Refusal::DpopProofMissing
        | Refusal::DpopProofMalformed
        | Refusal::DpopProofKey
        | Refusal::DpopProofRequest
        | Refusal::DpopProofToken
        | Refusal::DpopProofTime
        | Refusal::DpopProofReplayed
        | Refusal::DpopProofSignature => "error=\"invalid_dpop_proof\", ",
        _ => "",
    };
    let own = format!("{error}algs=\"{algorithms}\"");
    for (_, value) in fields.iter_mut().filter(|(name, _)| *name == "www-authenticate") {
        *value = match value.strip_prefix("DPoP") {
            // An error of the proof is none of another scheme's.
            _ if !error.is_empty() => format!("DPoP {own}"),
            Some("") => format!("DPoP {own}"),
            Some(_) => format!("{value}, {own}"),
            None => format!("{value}, DPoP {own}"),
        };
    }
    if refusal == Refusal::DpopNonce {
        fields.extend(nonce(settings, now));
    }
}
