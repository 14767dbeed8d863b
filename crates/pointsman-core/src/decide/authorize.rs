//! A decision that a service of the operator's takes: what memory holds of its answer, or that the service is to be asked.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::DecisionContext;
use crate::{
    base::{
        digest::Digest,
        json::{json, put, text},
        refusal::Refusal,
        time::Span,
    },
    decide::{
        decision::{Halt, Need},
        explain::{self, masked},
    },
    identity::{jwt::VerifiedToken, method::AuthMethod, principal::Principal},
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
        let shown = self.shown(route, authorize, facts, method);
        let body = text(&shown);
        // No token has such a name: a signature has no brace in it.
        let name = Digest::of(body.as_bytes());
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
        Ok(said)
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
        let mut shown = json!({
            "authorize": authorize::VERSION,
            "service": &*authorize.binding,
            "route": &*route.name,
            "method": self.head.method,
            "host": self.head.target.host().to_ascii_lowercase(),
            "path": self.head.target.path,
            "principal": who,
            "shown": Value::Object(members),
        });
        masked::mask_all(&mut shown, self.head, self.gateway, &route.auth.places);
        shown
    }
}
