//! From a credential to a principal, by what this request has loaded and what memory holds.

use std::rc::Rc;

use super::{
    Credential,
    compact::MAX_TOKEN_BYTES,
    find_credential,
    jwks::{KeySet, PublicKey},
    jwt::{self, Examined, Issuer, KeySource, VerifiedToken},
};
use crate::{
    cache::{Lookup, Stored},
    claims::Principal,
    config::{Gateway, RouteAuth},
    decision::{Found, Halt, Need, Refreshes, SignatureCheck},
    digest::Digest,
    error::Refusal,
    memory::Memory,
    request::Head,
    time::Timestamp,
};

/// How a caller was authenticated, for the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Method {
    /// Not at all.
    Anonymous,
    /// By an API key.
    ApiKey,
    /// By a token of this issuer.
    Token(Rc<str>),
}

impl Method {
    /// Its name in the log.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::ApiKey => "api_key",
            Self::Token(issuer) => issuer,
        }
    }
}

/// What authentication works with.
pub struct Stage<'a> {
    /// The configuration.
    pub gateway: &'a Gateway,
    /// What this request has loaded.
    pub found: &'a Found,
    /// The time.
    pub now: Timestamp,
}

impl Stage<'_> {
    /// Authenticates a request on a route with these demands.
    ///
    /// # Errors
    /// A refusal, or what must be loaded first.
    pub fn authenticate(
        &self,
        head: &Head<'_>,
        auth: &RouteAuth,
        memory: &mut Memory,
        refreshes: &mut Refreshes,
    ) -> Result<(Rc<Principal>, Method), Halt> {
        let anonymous = || (Rc::new(Principal::default()), Method::Anonymous);
        if !auth.needs_credential() {
            return Ok(anonymous());
        }
        match find_credential(head, self.gateway.api_keys.as_ref())? {
            None if auth.anonymous => Ok(anonymous()),
            None => Err(Refusal::CredentialMissing.into()),
            Some(Credential::ApiKey(key)) if auth.api_key => {
                self.api_key(&key, memory, refreshes).map(|principal| (principal, Method::ApiKey))
            }
            Some(Credential::Token(token)) if !auth.issuers.is_empty() => {
                self.token(&token, auth, memory, refreshes)
            }
            Some(_) => Err(Refusal::CredentialKindNotAccepted.into()),
        }
    }

    fn api_key(&self, key: &str, memory: &Memory, refreshes: &mut Refreshes) -> Result<Rc<Principal>, Halt> {
        let keys = self.gateway.api_keys.as_ref().ok_or(Refusal::CredentialKindNotAccepted)?;
        let digest = keys.digest(key)?;
        let stored = match &self.found.key {
            Some(stored) => stored.clone(),
            None => match memory.keys.lookup(&digest, self.now) {
                Lookup::Hit { stored, refresh } => {
                    refreshes.want(refresh, || Need::Key(digest));
                    stored
                }
                Lookup::Miss if self.found.key_failed => {
                    return Err(Refusal::KeyStoreUnavailable.into());
                }
                Lookup::Miss => return Err(Need::Key(digest).into()),
            },
        };
        match stored {
            Stored::Absent => Err(Refusal::ApiKeyUnknown.into()),
            Stored::Malformed => Err(Refusal::ApiKeyRecordMalformed.into()),
            Stored::Present(key) => Ok(Rc::clone(key.admit(self.now)?)),
        }
    }

    fn token(
        &self,
        token: &str,
        auth: &RouteAuth,
        memory: &mut Memory,
        refreshes: &mut Refreshes,
    ) -> Result<(Rc<Principal>, Method), Halt> {
        // Before anything of it is read, or hashed.
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::TokenTooLarge.into());
        }
        let digest = Digest::of(token.as_bytes());
        if self.found.token.as_ref().is_some_and(|outcome| *outcome == Err(Refusal::TokenSignature)) {
            self.ask_for_a_replaced_key(token, auth, memory)?;
        }
        if let Some(verified) = self.verified_before(&digest, auth, memory, refreshes)? {
            return Ok(self.admitted(&verified));
        }
        let examined = jwt::examine(token, &self.gateway.issuers, &auth.issuers, self.now)?;
        let issuer = self.gateway.issuers.get(examined.issuer).ok_or(Refusal::TokenIssuer)?;
        match &issuer.keys {
            KeySource::Secret(secret) => {
                self.shared_secret(secret, &examined)?;
                let verified = Rc::new(examined.believed(None));
                let stored = Stored::Present(Rc::clone(&verified));
                memory.tokens.store(digest, stored, VerifiedToken::weight(token), self.now);
                Ok(self.admitted(&verified))
            }
            KeySource::Inline(set) => {
                let key = set.select(examined.kid.as_deref(), examined.algorithm)?;
                Err(examined.signature_check(key, token, digest).into())
            }
            KeySource::Url(_) | KeySource::Discovery(_) => {
                let set = self.key_set(examined.issuer, memory, refreshes)?;
                match set.select(examined.kid.as_deref(), examined.algorithm) {
                    Ok(key) => Err(examined.signature_check(key, token, digest).into()),
                    // The key may be a new one, also under an old name. Asking is bounded by the cooldown,
                    // whatever kids are sent.
                    Err(Refusal::TokenKeyUnknown | Refusal::TokenKeyUnusable)
                        if self.may_ask_again(examined.issuer, issuer, memory) =>
                    {
                        Err(Need::KeySet(examined.issuer).into())
                    }
                    Err(refusal) => Err(refusal.into()),
                }
            }
        }
    }

    /// A token that was verified before, if it still counts: for an issuer that this route accepts,
    /// before its expiry, and with its key still in the issuer's set.
    fn verified_before(
        &self,
        digest: &Digest,
        auth: &RouteAuth,
        memory: &Memory,
        refreshes: &mut Refreshes,
    ) -> Result<Option<Rc<VerifiedToken>>, Halt> {
        if let Some(outcome) = &self.found.token {
            return outcome.clone().map(Some).map_err(Halt::from);
        }
        let Lookup::Hit { stored: Stored::Present(verified), .. } = memory.tokens.lookup(digest, self.now)
        else {
            return Ok(None);
        };
        if self.now >= verified.expires_at || !auth.issuers.contains(&verified.issuer) {
            return Ok(None);
        }
        let issuer = self.gateway.issuers.get(verified.issuer).ok_or(Refusal::TokenIssuer)?;
        let key_counts = match (&issuer.keys, &verified.thumbprint) {
            (KeySource::Secret(_), None) => true,
            (KeySource::Inline(set), Some(thumbprint)) => set.holds(thumbprint),
            (KeySource::Url(_) | KeySource::Discovery(_), Some(thumbprint)) => {
                self.key_set(verified.issuer, memory, refreshes)?.holds(thumbprint)
            }
            _ => false,
        };
        Ok(key_counts.then_some(verified))
    }

    fn key_set(&self, issuer: usize, memory: &Memory, refreshes: &mut Refreshes) -> Result<Rc<KeySet>, Halt> {
        if let Some(set) = &self.found.key_set {
            return Ok(Rc::clone(set));
        }
        let memory = memory.key_sets.get(issuer).ok_or(Refusal::KeySetUnavailable)?;
        match memory.lookup(self.now) {
            Lookup::Hit { stored: Stored::Present(set), refresh } => {
                refreshes.want(refresh, || Need::KeySet(issuer));
                Ok(set)
            }
            _ if self.found.key_set_failed || memory.backs_off(self.now) => {
                Err(Refusal::KeySetUnavailable.into())
            }
            _ => Err(Need::KeySet(issuer).into()),
        }
    }

    /// A signature that does not verify may be one of a key that took the place of another under the same
    /// `kid`, or in a set without any. Within the cooldown's bound, the issuer is asked before it is refused.
    fn ask_for_a_replaced_key(&self, token: &str, auth: &RouteAuth, memory: &Memory) -> Result<(), Halt> {
        let examined = jwt::examine(token, &self.gateway.issuers, &auth.issuers, self.now)?;
        let issuer = self.gateway.issuers.get(examined.issuer).ok_or(Refusal::TokenIssuer)?;
        let fetched = matches!(issuer.keys, KeySource::Url(_) | KeySource::Discovery(_));
        if fetched && self.may_ask_again(examined.issuer, issuer, memory) {
            return Err(Need::KeySet(examined.issuer).into());
        }
        Ok(())
    }

    fn may_ask_again(&self, index: usize, issuer: &Issuer, memory: &Memory) -> bool {
        let asked = self.found.key_set.is_some() || self.found.key_set_failed;
        !asked && memory.key_sets.get(index).is_some_and(|set| set.is_cool(issuer.cooldown, self.now))
    }

    fn shared_secret(&self, secret: &[u8], examined: &Examined<'_>) -> Result<(), Refusal> {
        let verifies =
            jwt::verify_hmac(examined.algorithm, secret, examined.signing_input, &examined.signature);
        if verifies { Ok(()) } else { Err(Refusal::TokenSignature) }
    }

    fn admitted(&self, verified: &VerifiedToken) -> (Rc<Principal>, Method) {
        let name = self
            .gateway
            .issuers
            .get(verified.issuer)
            .map_or_else(|| Rc::from(""), |issuer| Rc::clone(&issuer.name));
        (Rc::clone(&verified.principal), Method::Token(name))
    }
}

impl Examined<'_> {
    fn believed(self, thumbprint: Option<Digest>) -> VerifiedToken {
        VerifiedToken {
            issuer: self.issuer,
            principal: Rc::new(self.principal),
            expires_at: self.expires_at,
            thumbprint,
        }
    }

    fn signature_check(mut self, key: &Rc<PublicKey>, token: &str, digest: Digest) -> Need {
        let signature = std::mem::take(&mut self.signature);
        let signing_input = self.signing_input.to_owned();
        let algorithm = self.algorithm;
        Need::Signature(Box::new(SignatureCheck {
            key: Rc::clone(key),
            algorithm,
            signing_input,
            signature,
            token: digest,
            weight: VerifiedToken::weight(token),
            verified: Rc::new(self.believed(Some(*key.thumbprint()))),
        }))
    }
}
