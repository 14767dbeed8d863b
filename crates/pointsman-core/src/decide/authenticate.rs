//! From a credential to a principal, by what this request has loaded and what memory holds.

use std::{num::NonZeroU64, rc::Rc};

use serde_json::Value;

use crate::{
    base::{digest::Digest, refusal::Refusal, time::Timestamp},
    decide::{
        decision::{Deferred, Fetched, Halt, LoadedForRequest, Need, SignatureCheck},
        handshake,
        possession::Shown,
        request_log::Trace,
        revocation,
        steps::Steps,
        unverified::Unverified,
    },
    http::head::Head,
    identity::{
        algorithm::{Algorithm, KeyKind},
        claims::Claims,
        client_certificate::{self, ClientCertificates},
        compact::{self, MAX_TOKEN_BYTES},
        credential::{Credential, Found, find_credential},
        jwk_set::{Candidates, KeySet, PublicKey},
        jwt::{self, Examined, Issuer, KeySource, VerifiedToken},
        method::AuthMethod,
        principal::Principal,
    },
    state::{
        cache::{Lease, Loaded, Lookup, Stored},
        config::Gateway,
        memory::Memory,
        route::Route,
    },
};

/// What authentication works with.
pub struct Stage<'a> {
    /// The configuration.
    pub gateway: &'a Gateway,
    /// What this request has loaded.
    pub loaded: &'a LoadedForRequest,
    /// The time.
    pub now: Timestamp,
}

impl Stage<'_> {
    /// Authenticates a request on a route.
    ///
    /// # Errors
    /// A refusal, or what must be loaded first.
    pub fn authenticate(
        &self,
        head: &Head<'_>,
        route: &Route,
        memory: &mut Memory,
        deferred: &mut Deferred,
        trace: &mut Trace,
    ) -> Result<(Rc<Principal>, AuthMethod), Halt> {
        let auth = &route.auth;
        trace.record(|steps| steps.accept(auth, self.gateway));
        let anonymous = || (Rc::new(Principal::default()), AuthMethod::Anonymous);
        if !auth.needs_credential() {
            return Ok(anonymous());
        }
        if let Some(principal) = &self.loaded.assumed {
            trace.record(Steps::assume);
            return Ok((Rc::clone(principal), AuthMethod::Assumed));
        }
        let found = find_credential(head, self.gateway.api_keys.as_ref(), &auth.places);
        trace.record(|steps| steps.find_credential(found.as_ref().map_err(|error| *error), self.gateway));
        let Some(Found { credential, place }) = found? else {
            if auth.client_certificate
                && let Some(caller) = self.client_certificate(head, route, memory, deferred, trace)?
            {
                return Ok(caller);
            }
            return if auth.anonymous { Ok(anonymous()) } else { Err(Refusal::CredentialMissing.into()) };
        };
        if place.is_sent_by_browsers() {
            handshake::check_cookie(route, head)?;
        }
        match credential {
            Credential::ApiKey(key) if auth.api_key => self
                .api_key(&key, head, memory, deferred, trace)
                .map(|principal| (principal, AuthMethod::ApiKey)),
            Credential::Token(ref token) | Credential::DpopToken(ref token) => {
                let accepted = auth.issuers_in(place);
                let with_proof = matches!(credential, Credential::DpopToken(_));
                if accepted.is_empty() {
                    // Of three parts, and nobody but its issuer may know of what.
                    let shown = Shown { token, with_proof };
                    return self.introspect(shown, auth.places.introspection, head, memory, deferred, trace);
                }
                let verified = self.token(token, accepted, memory, deferred)?;
                if with_proof || verified.bound_to.is_some() {
                    self.check_possession(Shown { token, with_proof }, &verified, head, memory, trace)?;
                }
                let authenticated = self.authenticated(&verified, memory)?;
                trace.record(|steps| steps.believe_token(token, memory));
                Ok(authenticated)
            }
            Credential::OpaqueToken(ref token) | Credential::OpaqueDpopToken(ref token) => {
                let with_proof = matches!(credential, Credential::OpaqueDpopToken(_));
                let shown = Shown { token, with_proof };
                self.introspect(shown, auth.places.introspection, head, memory, deferred, trace)
            }
            Credential::ApiKey(_) => Err(Refusal::CredentialKindNotAccepted.into()),
        }
    }

    /// Authenticates by what an issuer says of a token.
    #[cold]
    #[inline(never)]
    fn introspect(
        &self,
        shown: Shown<'_>,
        issuer: Option<usize>,
        head: &Head<'_>,
        memory: &mut Memory,
        deferred: &mut Deferred,
        trace: &mut Trace,
    ) -> Result<(Rc<Principal>, AuthMethod), Halt> {
        let issuer = issuer.ok_or(Refusal::CredentialKindNotAccepted)?;
        let verified = self.introspected(shown.token, issuer, memory, deferred)?;
        if shown.with_proof || verified.bound_to.is_some() {
            self.check_possession(shown, &verified, head, memory, trace)?;
        }
        self.authenticated(&verified, memory)
    }

    #[inline]
    fn api_key(
        &self,
        key: &str,
        head: &Head<'_>,
        memory: &mut Memory,
        deferred: &mut Deferred,
        trace: &mut Trace,
    ) -> Result<Rc<Principal>, Halt> {
        let keys = self.gateway.api_keys.as_ref().ok_or(Refusal::CredentialKindNotAccepted)?;
        self.record_of(keys.digest(key)?, head, memory, deferred, trace)
    }

    /// The caller by the client certificate of the connection; nothing where it has none.
    #[cold]
    #[inline(never)]
    fn client_certificate(
        &self,
        head: &Head<'_>,
        route: &Route,
        memory: &mut Memory,
        deferred: &mut Deferred,
        trace: &mut Trace,
    ) -> Result<Option<(Rc<Principal>, AuthMethod)>, Halt> {
        let Some(ClientCertificates { records }) = &self.gateway.client_certificates else { return Ok(None) };
        let presented = client_certificate::verified(head.fields);
        trace.record(|steps| steps.find_client_certificate(&presented));
        let Some(fingerprint) = presented? else { return Ok(None) };
        // Browsers show the certificate that a person has chosen, whoever made the request.
        handshake::check_cookie(route, head)?;
        let principal = if records.is_some() {
            let unknown = |halt| match halt {
                Halt::Refuse(Refusal::ApiKeyUnknown) => Refusal::ClientCertificateUnknown.into(),
                halt => halt,
            };
            self.record_of(fingerprint, head, memory, deferred, trace).map_err(unknown)?
        } else {
            let claims = client_certificate::claims(head.fields, &fingerprint);
            let subject = claims.get("subject_dn").and_then(Value::as_str).map(Rc::from);
            Rc::new(Principal::new(subject, Claims::new(claims)))
        };
        Ok(Some((principal, AuthMethod::ClientCertificate)))
    }

    /// The caller by the record that stands under this digest.
    fn record_of(
        &self,
        digest: Digest,
        head: &Head<'_>,
        memory: &mut Memory,
        deferred: &mut Deferred,
        trace: &mut Trace,
    ) -> Result<Rc<Principal>, Halt> {
        trace.key = NonZeroU64::new(digest.prefix());
        let stored = match &self.loaded.key {
            Fetched::Got(stored) => stored.clone(),
            missing => match memory.look_up_key(&digest, self.now, missing.has_failed()) {
                Lookup::Hit { stored, refresh } => {
                    deferred.refresh(refresh, self.now, || Need::Key(digest));
                    stored
                }
                Lookup::Load(claim) => return Err(Halt::Load(Need::Key(digest), claim)),
                Lookup::Unavailable => return Err(Refusal::KeyStoreUnavailable.into()),
            },
        };
        trace.record(|steps| steps.judge_key(&stored, self.gateway, memory));
        match stored {
            Stored::Absent => Err(Refusal::ApiKeyUnknown.into()),
            Stored::Malformed => Err(Refusal::ApiKeyRecordMalformed.into()),
            Stored::Present(key) => match key.admit(self.now, head) {
                Ok(principal) => Ok(Rc::clone(principal)),
                Err(refusal) => {
                    let principal = key.principal();
                    let whose = Unverified::of(principal, principal.subject.as_deref(), self.gateway);
                    trace.rare().unverified = Some(whose);
                    Err(refusal.into())
                }
            },
        }
    }

    fn token(
        &self,
        token: &str,
        accepted: &[usize],
        memory: &mut Memory,
        deferred: &mut Deferred,
    ) -> Result<Rc<VerifiedToken>, Halt> {
        // Before anything of it is read, or hashed.
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::TokenTooLarge.into());
        }
        // A verified token is known by its signature's digest and by the text that is signed. Neither is any use
        // without the signature itself, which is not kept, and comparing text is quicker than hashing it.
        let (signing_input, signature) = compact::split_signing_input(token);
        let digest = Digest::of(signature.as_bytes());
        if let Some(Err(Refusal::TokenSignature | Refusal::TokenKeyUnusable)) = self.loaded.token {
            self.refetch_after_bad_signature(token, accepted, memory)?;
        }
        if let Some(verified) = self.verified_before(&digest, signing_input, accepted, memory, deferred)? {
            return Ok(verified);
        }
        let examined = jwt::examine(token, &self.gateway.issuers, accepted, self.now)?;
        let issuer = self.gateway.issuers.get(examined.issuer).ok_or(Refusal::TokenIssuer)?;
        match &issuer.keys {
            KeySource::Secret(secret) if examined.algorithm != Algorithm::Hs256 => {
                let key = Rc::new(PublicKey::of_secret(secret));
                let keys = Candidates { key, others: Vec::new() };
                Err(Halt::Load(self.signature_check(examined, keys, digest), Lease::Acquired))
            }
            KeySource::Secret(secret) => {
                self.shared_secret(secret, &examined)?;
                self.gateway.read_customer(&examined.principal);
                let verified = Rc::new(examined.into_verified(None));
                let (asked_at, as_of) = (self.now, self.now);
                let stored = Stored::Present(Rc::clone(&verified));
                let loaded = Loaded { stored, weight: verified.weight(), asked_at, as_of };
                memory.tokens.store(digest, loaded);
                Ok(verified)
            }
            KeySource::Inline(set) => {
                let keys = keys_of(set, &examined, issuer)?;
                Err(Halt::Load(self.signature_check(examined, keys, digest), Lease::Acquired))
            }
            KeySource::Introspection(_) => Err(Refusal::TokenIssuer.into()),
            KeySource::Url(_) | KeySource::Discovery(_) => {
                let set = self.key_set(examined.issuer, memory, deferred)?;
                match keys_of(&set, &examined, issuer) {
                    Ok(keys) => {
                        Err(Halt::Load(self.signature_check(examined, keys, digest), Lease::Acquired))
                    }
                    // The key may be a new one, also under an old name. Asking is bounded by the cooldown,
                    // whatever kids are sent.
                    Err(refusal) => {
                        self.ask_again(examined.issuer, issuer, memory)?;
                        Err(refusal.into())
                    }
                }
            }
        }
    }

    /// A token that was verified before, if it still counts: for an issuer that is accepted,
    /// before its expiry, and with its key still in the issuer's set.
    fn verified_before(
        &self,
        digest: &Digest,
        signing_input: &str,
        accepted: &[usize],
        memory: &Memory,
        deferred: &mut Deferred,
    ) -> Result<Option<Rc<VerifiedToken>>, Halt> {
        if let Some(outcome) = &self.loaded.token {
            return outcome.clone().map(Some).map_err(Halt::from);
        }
        // `failed`, since there is nobody to load it from: a token is verified, by each request for itself.
        let Lookup::Hit { stored: Stored::Present(verified), .. } =
            memory.tokens.lookup(digest, self.now, true)
        else {
            return Ok(None);
        };
        if *verified.signing_input != *signing_input {
            return Ok(None);
        }
        if self.now >= verified.expires_at || !accepted.contains(&verified.issuer) {
            return Ok(None);
        }
        let issuer = self.gateway.issuers.get(verified.issuer).ok_or(Refusal::TokenIssuer)?;
        let key_counts = match (&issuer.keys, &verified.thumbprint) {
            (KeySource::Secret(_), None) => true,
            (KeySource::Inline(set), Some(thumbprint)) => set.holds(thumbprint),
            (KeySource::Url(_) | KeySource::Discovery(_), Some(thumbprint)) => {
                self.key_set(verified.issuer, memory, deferred)?.holds(thumbprint)
            }
            _ => false,
        };
        Ok(key_counts.then_some(verified))
    }

    fn key_set(&self, issuer: usize, memory: &Memory, deferred: &mut Deferred) -> Result<Rc<KeySet>, Halt> {
        if let Fetched::Got(set) = &self.loaded.key_set {
            return Ok(Rc::clone(set));
        }
        let memory = memory.key_sets.get(issuer).ok_or(Refusal::KeySetUnavailable)?;
        match memory.set.lookup(self.now, self.loaded.key_set.has_failed()) {
            Lookup::Hit { stored: Stored::Present(set), refresh } => {
                deferred.refresh(refresh, self.now, || Need::KeySet(issuer));
                Ok(set)
            }
            Lookup::Load(claim) => Err(Halt::Load(Need::KeySet(issuer), claim)),
            Lookup::Hit { .. } | Lookup::Unavailable => Err(Refusal::KeySetUnavailable.into()),
        }
    }

    /// A signature that does not verify may be one of a key that took the place of another under the same
    /// `kid`, or in a set without any; and a key that is none, off its curve, may have been mended. Within the cooldown's bound, the issuer is asked before it is refused.
    fn refetch_after_bad_signature(
        &self,
        token: &str,
        accepted: &[usize],
        memory: &Memory,
    ) -> Result<(), Halt> {
        let examined = jwt::examine(token, &self.gateway.issuers, accepted, self.now)?;
        let issuer = self.gateway.issuers.get(examined.issuer).ok_or(Refusal::TokenIssuer)?;
        if issuer.keys.is_fetched() {
            self.ask_again(examined.issuer, issuer, memory)?;
        }
        Ok(())
    }

    /// Asks the issuer for a key that its set lacks, or waits for whoever does: once a request, and for
    /// all requests together once a cooldown.
    fn ask_again(&self, index: usize, issuer: &Issuer, memory: &Memory) -> Result<(), Halt> {
        let Some(known) = memory.key_sets.get(index) else { return Ok(()) };
        if !self.loaded.issuer_asked
            && (known.set.is_loading(self.now) || known.cooldown_elapsed(issuer.cooldown, self.now))
        {
            return Err(Halt::Load(Need::KeySet(index), known.set.acquire_lease(self.now)));
        }
        Ok(())
    }

    fn shared_secret(&self, secret: &[u8], examined: &Examined<'_>) -> Result<(), Refusal> {
        let verifies = jwt::verify_hs256(secret, examined.signing_input, &examined.signature);
        if verifies { Ok(()) } else { Err(Refusal::TokenSignature) }
    }

    fn signature_check(&self, mut examined: Examined<'_>, keys: Candidates, digest: Digest) -> Need {
        let Candidates { key, others } = keys;
        self.gateway.read_customer(&examined.principal);
        let signature = std::mem::take(&mut examined.signature);
        let algorithm = examined.algorithm;
        let is_secret = key.kind() == KeyKind::Secret;
        let verified = Rc::new(examined.into_verified((!is_secret).then(|| *key.thumbprint())));
        Need::Signature(Rc::new(SignatureCheck {
            key,
            others,
            algorithm,
            signature,
            token: digest,
            weight: verified.weight(),
            verified,
        }))
    }

    fn authenticated(
        &self,
        verified: &VerifiedToken,
        memory: &mut Memory,
    ) -> Result<(Rc<Principal>, AuthMethod), Halt> {
        let issuer = self.gateway.issuers.get(verified.issuer).ok_or(Refusal::TokenIssuer)?;
        revocation::check(verified, memory, self.loaded, self.now)?;
        let by = if issuer.issuer.claim().is_some() { AuthMethod::TenantToken } else { AuthMethod::Token };
        Ok((Rc::clone(&verified.principal), by(Rc::clone(&issuer.name))))
    }
}

/// The keys of a set that may have signed a token. Where one set is for all tenants of a provider, some of its keys are for
/// certain tenants only, and say so.
#[cold]
#[inline(never)]
fn keys_of(set: &KeySet, examined: &Examined<'_>, issuer: &Issuer) -> Result<Candidates, Refusal> {
    let keys = set.select(examined.kid.as_deref(), examined.algorithm)?;
    if issuer.issuer.claim().is_none() {
        return Ok(keys);
    }
    let iss = examined.principal.claims.member("iss").and_then(Value::as_str).unwrap_or_default();
    keys.of(iss).ok_or(Refusal::TokenKeyUnusable)
}
