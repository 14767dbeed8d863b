//! From what a rule chose to how the request is sent: to one URL, or by a plan of several attempts.

use std::rc::Rc;

use serde_json::Value;

use super::{
    DecisionContext,
    rules::{ChosenBackend, ChosenOrigin},
};
use crate::{
    base::{digest::Digest, refusal::Refusal, time::Span},
    customer::backend_url::split_network,
    decide::decision::Halt,
    forward::{
        failover::{self, OriginCandidate, Selection, Watched},
        limit,
        plan::{self, Attempt, CallerIdentity, Plan, Sending},
    },
    http::head::RequestTarget,
    identity::claimed::Claimed,
    routing::condition::Facts,
    state::{memory::Memory, route::Route},
};

/// Where a rule sends a request, and how its route has it sent.
pub(super) struct Destination<'a> {
    pub(super) chosen: ChosenBackend<'a>,
    pub(super) route: &'a Route,
    /// Who is calling, for backends that are told by a token.
    pub(super) caller: CallerIdentity<'a>,
    pub(super) captures: &'a [&'a str],
    /// The query without the credential, where that is there.
    pub(super) rest: Option<&'a str>,
    /// Whether a body is refused, since the request did not say its size.
    pub(super) needs_size: bool,
}

impl<'a> DecisionContext<'a> {
    /// The request's target, without the credential in its query.
    fn target<'t>(&'t self, rest: Option<&'t str>) -> RequestTarget<'t> {
        let target = self.head.target;
        rest.map_or(target, |rest| target.with_query(rest))
    }

    /// How the request is sent.
    pub(super) fn send(
        &mut self,
        to: Destination<'_>,
        facts: &Facts<'_>,
        memory: &Memory,
    ) -> Result<Sending, Halt> {
        let Destination { chosen, route, captures, rest, needs_size, .. } = &to;
        if let ([only], false, true) = (chosen.origins.as_slice(), *needs_size, chosen.within.is_empty())
            && only.binding.is_none()
            && only.secrets.is_none()
            && self.gateway.identity.token.is_none()
        {
            let rewrite = route.rewrite.as_ref();
            let url = plan::url(&only.origin, &only.base, rewrite, captures, self.target(*rest));
            self.trace.origin = Some(Rc::clone(&only.origin));
            return Ok(Sending::Direct { url, timeout: route.timeout.unwrap_or(only.timeout) });
        }
        self.plan(&to, facts, memory).map(Sending::Planned)
    }

    /// What the route's rewrite takes off the beginning of the path, so that a backend can write links that lead back here.
    /// `None` where what is called is no end of the path. `rest` is as in [`Destination`].
    pub(super) fn prefix_taken_off(&self, sending: &Sending, rest: Option<&str>) -> Option<&'a str> {
        let query = self.target(rest).query.map_or(0, |query| query.len() + 1);
        let origin = self.trace.origin.as_deref().unwrap_or_default();
        plan::prefix_taken_off(sending, origin, query, self.head.target.path)
    }

    /// Where one call of one URL will not do.
    #[cold]
    #[inline(never)]
    fn plan(&mut self, to: &Destination<'_>, facts: &Facts<'_>, memory: &Memory) -> Result<Plan, Halt> {
        let Destination { chosen, route, captures, rest, needs_size, .. } = to;
        let ChosenBackend { origins, within, balance, deadline, breaker, statuses, own, .. } = chosen;
        let origins = origins.as_slice();
        let single = origins.len() == 1;
        let url = |origin: &ChosenOrigin| {
            let (_, called) = split_network(&origin.origin);
            plan::url(called, &origin.base, route.rewrite.as_ref(), captures, self.target(*rest))
        };
        let timeout = |origin: &ChosenOrigin| route.timeout.unwrap_or(origin.timeout);
        // Of several, one that hangs must leave the others some of the route's time.
        let one_of_several = |origin: &ChosenOrigin| {
            if single { timeout(origin) } else { origin.timeout.min(timeout(origin)) }
        };
        // What one caller meets must not count for another, and what one customer's origins do never for
        // another's of the same URL.
        let (backend, caller) = if *own {
            (format!("customer {}", self.trace.customer.as_deref().unwrap_or_default()), String::new())
        } else {
            let name = self.trace.backend.as_deref().unwrap_or_default();
            (format!("backend {name}"), if single { String::new() } else { self.caller(facts) })
        };
        let key = |origin: &ChosenOrigin| format!("{backend}\n{}{}", origin.origin, origin.base);
        let keys: Vec<_> = origins.iter().map(key).collect();
        let candidates: Vec<_> = origins
            .iter()
            .zip(&keys)
            .map(|(origin, key)| OriginCandidate {
                key,
                region: origin.region.as_deref(),
                weight: origin.weight,
            })
            .collect();
        let near = if candidates.iter().any(|candidate| candidate.region.is_some()) {
            self.gateway.regions_of(facts)
        } else {
            Vec::new()
        };
        // The id may be the client's own, who would draw an origin by it.
        let salt = format!("{}\0{}", self.now.millis(), self.head.request_id);
        let choice = Selection { balance: *balance, near: &near, within, salt: &salt, caller: &caller };
        let order = failover::order(&candidates, choice, &memory.origins, self.now);
        let tries = |key: &str| memory.origins.is_half_open(Watched { key, caller: &caller }, self.now);
        let mut attempts: Vec<_> = order
            .iter()
            .filter_map(|index| origins.get(*index).zip(keys.get(*index)))
            .enumerate()
            .map(|(place, (origin, key))| Attempt {
                url: url(origin),
                origin: Rc::clone(&origin.origin),
                key: key.clone(),
                trial: place == 0 && !single && tries(key),
                timeout: one_of_several(origin).millis(),
                binding: origin.binding.clone(),
                assertion: None,
                secrets: origin.secrets.clone(),
            })
            .collect();
        if attempts.is_empty() {
            return Err(Refusal::NoOriginInRegion.into());
        }
        let whole = deadline.or(route.timeout).unwrap_or_else(|| {
            let all = attempts.iter().map(|attempt| attempt.timeout).sum();
            Span::from_millis(all)
        });
        if let Some(token) = &self.gateway.identity.token {
            token.assert(to.caller, &mut attempts)?;
        }
        Ok(Plan {
            attempts,
            deadline: whole.millis(),
            statuses: statuses.to_vec(),
            breaker: (breaker.failures, breaker.ratio, breaker.pause.millis()),
            needs_size: *needs_size,
            caller: (!single).then_some(caller),
        })
    }

    /// Tells the callers of a backend apart: by customer, else by who they are, else by their address. Those
    /// with none of these are one.
    fn caller(&self, facts: &Facts<'_>) -> String {
        let customers = self.gateway.customers.as_ref();
        let customer = customers.and_then(|customers| match facts.principal.customer(&customers.claim) {
            Claimed::Id(id) => Some(id.as_str()),
            Claimed::Missing | Claimed::Malformed => None,
        });
        let who = match (customer, &facts.principal.subject) {
            (Some(id), _) => format!("customer\0{id}"),
            // One issuer may be all tenants of a provider, whose subjects are their own.
            (None, Some(subject)) => {
                let iss = facts.principal.claims.member("iss").and_then(Value::as_str).unwrap_or_default();
                format!("{}\0{iss}\0{subject}", self.trace.auth.as_deref().unwrap_or_default())
            }
            (None, None) => format!("address\0{}", limit::address(facts).unwrap_or_default()),
        };
        format!("{:016x}", Digest::of(who.as_bytes()).prefix())
    }
}
