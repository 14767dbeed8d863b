//! A decision that a service of the operator's takes: what memory holds of its answer, or that the service is to be asked.

use std::{borrow::Cow, rc::Rc};

use serde_json::{Map, Value};

use super::DecisionContext;
use crate::{
    base::{
        digest::Digest,
        json::{json, put, text},
        percent::decode_lenient,
        refusal::Refusal,
        time::Span,
    },
    decide::{
        decision::{Halt, Need},
        explain::{self, masked},
    },
    identity::{
        claimed::Claimed, credential::find_credential, jwt::VerifiedToken, method::AuthMethod,
        principal::Principal,
    },
    routing::{
        authorize::{self, Authorize, Question},
        condition::Facts,
    },
    state::{
        cache::{Lease, Lookup, Stored},
        memory::Memory,
        route::Route,
    },
};

impl DecisionContext<'_> {
    /// What the service says of the caller; nothing where it gives no answer, and the request goes on all the same.
    #[cold]
    #[inline(never)]
    pub(super) fn authorize(
        &mut self,
        (route, authorize): (&Route, &Rc<Authorize>),
        facts: &Facts<'_>,
        (principal, method): (&Rc<Principal>, &AuthMethod),
        memory: &Memory,
    ) -> Result<Option<Rc<VerifiedToken>>, Halt> {
        let mut shown = self.shown(route, authorize, facts, method);
        // Of what is really there, so that no two requests share an answer whatever is masked. No token has such a name: a
        // signature has no brace in it.
        let name = Digest::of(text(&shown).as_bytes());
        self.mask_credential(route, &mut shown)?;
        let body = text(&shown);
        let mut how = None;
        let said = match self.loaded.authorized.as_deref() {
            Some((of, said)) if *of == name => said.clone(),
            // `failed`, since it is not loaded as other entries are: an answer counts until its own end.
            _ => match memory.tokens.lookup(&name, self.now, true) {
                Lookup::Hit { stored: Stored::Present(kept), .. } if self.now < kept.expires_at => {
                    how = Some("cached");
                    Some(kept)
                }
                _ => {
                    // Where nothing is remembered, nobody can wait for what another request was told.
                    let lease = match authorize.keep > Span::default() {
                        true => memory.tokens.acquire_lease(&name, self.now),
                        false => Lease::Acquired,
                    };
                    let question = Question {
                        by: Rc::clone(authorize),
                        body,
                        name,
                        request_id: self.head.request_id.to_owned(),
                        principal: Rc::clone(principal),
                    };
                    return Err(Halt::Load(Need::Authorization(Rc::new(question)), lease));
                }
            },
        };
        let answer = match &said {
            Some(said) if said.denied.is_some() => "denied",
            Some(_) => "allowed",
            None => "failed",
        };
        let answer = how.unwrap_or(answer);
        self.trace.authorize = Some(answer);
        self.trace.record(|steps| {
            if let Some(said) = &said {
                steps.principal = Some(Rc::clone(&said.principal));
            }
            steps.authorize = Some(json!({ "step": "authorize", "answer": answer, "shown": shown }));
        });
        if said.is_none() && authorize.closed {
            return Err(Refusal::AuthorizationUnavailable.into());
        }
        // A service names customers where the credential names none; not beyond those that the token's issuer may speak for.
        if let (Some(said), Some(customers)) = (&said, &self.gateway.customers)
            && let Claimed::Id(id) = said.principal.customer(&customers.claim)
            && !self.may_be_of(id, principal, method)
        {
            return Err(Refusal::TokenCustomerNotOfIssuer.into());
        }
        Ok(said)
    }

    /// Takes the credential out of what is shown: the one that was read, and nothing else that the caller sent. What a caller
    /// chooses must mask nothing, or it would hide a claim or a path from the service. So a path or a host with the credential
    /// in it is refused, in whatever encoding: masked, it would be another one than the backend gets.
    fn mask_credential(&self, route: &Route, shown: &mut Value) -> Result<(), Refusal> {
        let keys = self.gateway.api_keys.as_ref();
        let Ok(Some(read)) = find_credential(self.head, keys, &route.auth.places) else { return Ok(()) };
        let credential = read.credential.as_str().to_owned();
        if credential.len() < masked::SHORTEST {
            return Ok(());
        }
        let target = self.head.target;
        if holds(target.path, &credential) || holds(target.authority, &credential) {
            return Err(Refusal::CredentialRepeated);
        }
        if let Some(Value::Object(members)) = shown.get_mut("shown") {
            for value in members.values_mut().filter(|value| holds(&text(value), &credential)) {
                *value = masked::MASK.into();
            }
        }
        Ok(())
    }

    /// What the service is shown: never the body, and nothing that the credential stands in. All of it is in the name of the
    /// answer, so nothing that differs from request to request is here.
    fn shown(&self, route: &Route, authorize: &Authorize, facts: &Facts<'_>, method: &AuthMethod) -> Value {
        let who = match method {
            AuthMethod::Anonymous => Value::Null,
            method => explain::principal(facts.principal, Some(&method.name())),
        };
        let mut members = Map::new();
        for of in &authorize.show {
            if let Some(value) = facts.find(of) {
                put(&mut members, &of.to_string(), value.into_owned());
            }
        }
        json!({
            "authorize": authorize::VERSION,
            "service": &*authorize.binding,
            "route": &*route.name,
            "method": self.head.method,
            "host": self.head.target.host().to_ascii_lowercase(),
            "path": self.head.target.path,
            "principal": who,
            "shown": Value::Object(members),
        })
    }
}

/// Whether the credential stands in a text, however often that is percent-encoded.
fn holds(text: &str, credential: &str) -> bool {
    let mut text = Cow::Borrowed(text);
    while !text.contains(credential) {
        let decoded = String::from_utf8_lossy(&decode_lenient(text.as_bytes())).into_owned();
        // Each round makes it shorter.
        if decoded.len() >= text.len() {
            return false;
        }
        text = Cow::Owned(decoded);
    }
    true
}
