//! A decision that a service of the operator's takes: what memory holds of its answer, or that the service is to be asked.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::DecisionContext;
use crate::{
    base::{
        json::{json, put, text},
        refusal::Refusal,
        time::Span,
    },
    decide::{
        decision::{Halt, Need},
        explain::masked,
    },
    identity::{method::AuthMethod, principal::Principal},
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
    /// The caller with what the service adds, or the status with which the service denies it.
    #[cold]
    #[inline(never)]
    pub(super) fn authorize(
        &mut self,
        (route, authorize): (&Route, &Rc<Authorize>),
        facts: &Facts<'_>,
        (principal, method): (&Rc<Principal>, &AuthMethod),
        memory: &Memory,
    ) -> Result<Result<Rc<Principal>, u16>, Halt> {
        let shown = self.shown(route, authorize, facts, method);
        let body = text(&shown);
        let name = authorize::name_of(&authorize.binding, &body);
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
        self.trace.authorize = Some(how.unwrap_or(answer));
        self.trace.record(|steps| {
            steps.authorize = Some(json!({
                "step": "authorize",
                "binding": &*authorize.binding,
                "shown": shown,
                "answer": answer,
                "cached": how.is_some(),
                "claims": said.as_ref().map(|said| said.principal.claims.to_json()),
            }));
        });
        match said {
            Some(said) => Ok(said.denied.map_or_else(|| Ok(Rc::clone(&said.principal)), Err)),
            None if authorize.closed => Err(Refusal::AuthorizationUnavailable.into()),
            None => Ok(Ok(Rc::clone(principal))),
        }
    }

    /// What the service is shown: never the body, and nothing that the credential stands in. All of it is in the name of the
    /// answer, so nothing that differs from request to request is here.
    fn shown(&self, route: &Route, authorize: &Authorize, facts: &Facts<'_>, method: &AuthMethod) -> Value {
        let principal = facts.principal;
        let who = match method {
            AuthMethod::Anonymous => Value::Null,
            method => json!({
                "subject": principal.subject.as_deref(),
                "authenticated_by": &*method.name(),
                "claims": principal.claims.to_json(),
            }),
        };
        let mut members = Map::new();
        for of in &authorize.show {
            if let Some(value) = facts.find(of) {
                put(&mut members, &of.to_string(), value.into_owned());
            }
        }
        let mut shown = json!({
            "authorize": authorize::VERSION,
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
