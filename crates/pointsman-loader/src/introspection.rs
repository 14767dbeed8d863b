//! Asks issuers what tokens are that nobody else can read (RFC 7662).

use std::{cell::RefCell, rc::Rc};

use pointsman_core::{
    base::{json::without_bom, object::parse_object, refusal::Refusal},
    identity::{
        introspection::{self, Answer, Endpoint, Introspection},
        jwt::{Issuer, KeySource, VerifiedToken},
    },
    state::{
        cache::{Loaded, Stored},
        config::Gateway,
        memory::Memory,
    },
};

use crate::{
    answered::{answered, remember},
    cold::boxed_cold,
    ports::{DocumentRequest, Ports, SourceError},
};

/// The longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Asks issuers of tokens.
pub(crate) struct Introspector<'a, P> {
    gateway: &'a Gateway,
    memory: &'a RefCell<Memory>,
    ports: &'a P,
}

impl<'a, P: Ports> Introspector<'a, P> {
    pub(crate) const fn new(gateway: &'a Gateway, memory: &'a RefCell<Memory>, ports: &'a P) -> Self {
        Self { gateway, memory, ports }
    }

    /// Asks the issuer of a token, and remembers what it says: what counts until its end, what counts for nothing as briefly
    /// as an unknown key. Where it does not answer, nothing is remembered of the token, and the issuer is left alone a while.
    pub(crate) async fn ask(&self, of: &Introspection) -> Result<Rc<VerifiedToken>, Refusal> {
        let issuer = self.gateway.issuers().get(of.issuer).ok_or(Refusal::TokenIssuer)?;
        let KeySource::Introspection(endpoint) = &issuer.keys else { return Err(Refusal::TokenIssuer) };
        let asked_at = self.ports.now();
        let answer = self.answer(issuer, endpoint, &of.token).await;
        let now = self.ports.now();
        let mut memory = self.memory.borrow_mut();
        if let Some(known) = memory.key_sets.get_mut(of.issuer) {
            let went = answer.as_ref().map(|_| ()).map_err(|SourceError(what)| what.as_str());
            known.health.note(now, went);
            match went {
                Ok(()) => known.set.succeed(),
                Err(_) => known.set.fail(asked_at, now),
            }
        }
        let judged = match answer {
            Ok(Answer::Active(members)) => introspection::judge((of.issuer, issuer), members, asked_at, now),
            Ok(Answer::Inactive) => Err(Refusal::TokenInactive),
            Err(SourceError(what)) => {
                self.ports.warn("introspection_failed", &format!("{}: {what}", issuer.name));
                Err(Refusal::IntrospectionUnavailable)
            }
        };
        match &judged {
            Ok(verified) => {
                let verified = Rc::new(verified.clone());
                remember(self.gateway, &mut memory, of.name, &verified, asked_at);
                return Ok(verified);
            }
            Err(Refusal::TokenInactive) => {
                let inactive = Loaded { stored: Stored::Absent, weight: 0, asked_at, as_of: asked_at };
                memory.tokens.store(of.name, inactive);
            }
            // Active, and not for this gateway; or not known.
            Err(_) => memory.tokens.end_lease(&of.name, asked_at),
        }
        judged.map(Rc::new)
    }

    async fn answer(&self, issuer: &Issuer, endpoint: &Endpoint, token: &str) -> Result<Answer, SourceError> {
        let request = DocumentRequest {
            url: &endpoint.url,
            authorization: endpoint.authorization.as_deref(),
            service: None,
            body: Some(&endpoint.body(token)),
            etag: None,
            user_agent: self.gateway.user_agent(),
            timeout: issuer.timeout,
            max_bytes: MAX_ANSWER_BYTES,
        };
        let body = boxed_cold(answered(self.ports, request, "issuer")).await?;
        let members = parse_object(without_bom(&body)).ok().and_then(Answer::of);
        members
            .ok_or_else(|| SourceError("the answer is no JSON object with active true or false".to_owned()))
    }
}
