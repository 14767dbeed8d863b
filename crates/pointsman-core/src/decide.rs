//! The conductor: calls the stages in order and knows all of them, so that none knows another.
//!
//! [`Gateway::decide`] is synchronous. Where everything it needs is in memory it decides at once,
//! which is the usual case and the fast one; else it says what must be loaded, and is called again
//! when that is there ([`pointsman_loader::loader`]).

pub mod authenticate;
mod authorize;
mod copies;
pub mod customer;
pub mod decision;
mod dispatch;
pub mod explain;
mod handing_on;
mod handshake;
mod host;
mod introspection;
pub mod operator;
mod possession;
pub mod request_log;
mod revocation;
mod rules;
pub mod steps;
pub mod unverified;

use std::{borrow::Cow, rc::Rc};

use serde_json::Value;

use crate::{
    base::{refusal::Refusal, time::Timestamp},
    customer::record::CustomerConfig,
    decide::{
        authenticate::Stage,
        customer::Customer,
        decision::{Decision, Deferred, Halt, LoadedForRequest, Outcome},
        request_log::Trace,
        steps::{Requirement, RouteStep, Steps},
    },
    forward::{
        limit,
        plan::{self, CallerIdentity, Forward},
    },
    http::{
        answer::{Answer, Telling, problem},
        cors::{AnswerEdits, AnswerPrivacy, Preflight},
        fields::lists_too_many,
        head::{Head, PresentFields},
        path, protected_resource,
        trace_context::Tracing,
    },
    identity::{claimed::Claimed, customer_id::CustomerId, method::AuthMethod, principal::Principal},
    routing::{
        condition::{Condition, Facts},
        operand::registry::CONTINENT,
        readings::Taken,
        table::Matched,
        target::Target,
    },
    state::{
        config::Gateway,
        memory::Memory,
        route::{Route, guard_alike},
    },
};

use self::{dispatch::Destination, rules::RuleDecision};

/// A request on the way through the stages.
struct DecisionContext<'a> {
    gateway: &'a Gateway,
    head: &'a Head<'a>,
    loaded: &'a LoadedForRequest,
    now: Timestamp,
    trace: Trace,
    deferred: Deferred,
    /// The customer whose host was asked for, on routes where that counts.
    of_host: Option<Rc<CustomerConfig>>,
}

impl Gateway {
    /// Decides what becomes of a request.
    #[must_use]
    pub fn decide(
        &self,
        head: &Head<'_>,
        memory: &mut Memory,
        loaded: &LoadedForRequest,
        now: Timestamp,
    ) -> Decision {
        let mut context = DecisionContext {
            gateway: self,
            head,
            loaded,
            now,
            trace: Trace {
                steps: loaded.explain.map(|began| Box::new(Steps::new(began))),
                ..Trace::default()
            },
            deferred: Deferred::default(),
            of_host: None,
        };
        if let Some(tracing) = &self.telemetry.tracing {
            context.join_trace(tracing, memory);
        }
        if let Some(directory) = &mut memory.directory {
            context.deferred.follow = directory.follower.note_request(now);
        }
        let outcome = context.decide(memory);
        Decision { outcome, trace: context.trace, deferred: context.deferred }
    }

    /// The problem for a refusal, with the fields that the route's callers get on any answer.
    #[must_use]
    #[cold]
    #[inline(never)]
    pub fn refuse(
        &self,
        refusal: Refusal,
        status: Option<u16>,
        route: Option<&Route>,
        head: &Head<'_>,
    ) -> Answer {
        let edits = route.map(|route| self.answer_edits(route, head)).unwrap_or_default();
        let challenge = route.map(|route| match &route.resource {
            None => Cow::Borrowed(route.challenge.as_str()),
            Some(resource) => Cow::Owned(resource.challenge(&route.challenge, head)),
        });
        problem(refusal, status, challenge.as_deref(), self.telling(route, head.request_id), edits)
    }

    fn telling<'a>(&'a self, route: Option<&Route>, request_id: &'a str) -> Telling<'a> {
        let shape = route.map_or(self.errors.usual, |route| route.errors);
        let shape = shape.and_then(|place| self.errors.shapes.get(place));
        Telling { type_base: &self.problem_base, shape, request_id }
    }

    fn target_name(&self, target: Target) -> String {
        match target {
            Target::Backend(index) => {
                self.backends.get(index).map_or_else(String::new, |own| own.name.to_string())
            }
            Target::Customer { .. } => "customer".to_owned(),
        }
    }

    /// The regions that a client is in, by name; where the configuration has none, the
    /// client's continent.
    fn regions_of(&self, facts: &Facts<'_>) -> Vec<Rc<str>> {
        if self.regions.is_empty() {
            let continent = CONTINENT.read(facts.head.fields);
            let code = continent.as_ref().and_then(Value::as_str).map(str::to_ascii_lowercase);
            return code.map(Rc::from).into_iter().collect();
        }
        let own =
            self.regions.iter().filter(|region| region.when.iter().all(|condition| condition.holds(facts)));
        own.map(|region| Rc::clone(&region.name)).collect()
    }

    fn answer_edits(&self, route: &Route, head: &Head<'_>) -> AnswerEdits {
        let mut edits = match &route.cors {
            Some(policy) => policy.answer(head.field(PresentFields::ORIGIN, "origin").as_deref()),
            None => AnswerEdits::default(),
        };
        edits.errors = route.errors;
        if route.shows_request_id {
            edits.set.push(("x-request-id", head.request_id.to_owned()));
        }
        edits
    }
}

impl<'a> DecisionContext<'a> {
    /// Notes the request's place in a trace. On its own, so that requests without traces have no part in what it takes.
    #[inline(never)]
    fn join_trace(&mut self, tracing: &Tracing, memory: &mut Memory) {
        if let Some(place) = tracing.place(self.head, &mut memory.trace_ids) {
            self.trace.rare().context = Some(place);
        }
    }

    fn decide(&mut self, memory: &mut Memory) -> Outcome {
        let path = self.head.target.path;
        let gateway = self.gateway;
        if let Err(refusal) = explain::refuse_question(gateway, self.head, self.loaded.explain.is_some()) {
            return self.refused(refusal, None);
        }
        if let Some(answer) = operator::answer(gateway, self.head, memory, self.now, &mut self.trace) {
            return Outcome::Answer(answer);
        }
        let matched = gateway.table.find(path);
        self.trace.record(|steps| {
            steps.route = RouteStep::NotTaken { methods: matched.as_ref().map(Matched::allow) };
        });
        let spelling = match path::check(path) {
            Ok(spelling) => spelling,
            Err(refusal) => {
                return self.refused(refusal, matched.and_then(|matched| self.readable_route(&matched)));
            }
        };
        if let Some(answer) = self.resource_metadata() {
            return Outcome::Answer(answer);
        }
        let Some(matched) = matched else {
            return self.refused(Refusal::RouteUnknown, None);
        };
        if self.head.method == "OPTIONS"
            && let Some(answer) = self.preflight(&matched)
        {
            return Outcome::Answer(answer);
        }
        let method = self.head.method;
        let found = matched.route(method).and_then(|index| Some((index, gateway.routes.get(index)?)));
        let Some((index, route)) = found else {
            return self.method_refused(&matched);
        };
        self.trace.route = Some(Rc::clone(&route.name));
        self.trace.record(|steps| steps.take_route(route, &matched.captures));
        let taken = Taken { path, method, route: index, captures: &matched.captures };
        let guards_like = |one, other| guard_alike(&gateway.routes, one, other);
        if gateway.readings.differ(spelling, &taken, &guards_like) {
            return self.refused(Refusal::PathOfAnotherRoute, Some(route));
        }
        if route.customer_by_host
            && let Err(halt) = self.customer_of_host(memory)
        {
            return self.halted(halt, route);
        }
        match self.decide_on_route(route, &matched.captures, memory) {
            Ok(outcome) => outcome,
            Err(Halt::Load(need, claim)) => Outcome::Load(need, claim),
            Err(Halt::Refuse(refusal)) => {
                self.note_unverified(route);
                self.refused(refusal, Some(route))
            }
        }
    }

    fn decide_on_route(
        &mut self,
        route: &'a Route,
        captures: &[&str],
        memory: &mut Memory,
    ) -> Result<Outcome, Halt> {
        let gateway = self.gateway;
        let via = gateway.via.pass(self.head)?;
        if self.head.seen.has(PresentFields::TOO_MANY.and(PresentFields::CONNECTION)) {
            self.check_size()?;
        }
        handshake::check(route, self.head)?;
        let stage = Stage { gateway, loaded: self.loaded, now: self.now };
        let (principal, method) =
            stage.authenticate(self.head, route, memory, &mut self.deferred, &mut self.trace)?;
        self.trace.auth = Some(method.name());
        self.trace.subject = principal.subject.clone();
        self.trace.record(|steps| {
            steps.principal = Some(Rc::clone(&principal));
            steps.requirement = (!route.require.is_empty()).then_some(Requirement::Holds);
        });
        let of_host = match self.of_host {
            None => None,
            Some(_) => Some(self.claim_host(&principal, &method)?),
        };
        let mut claimed = self.claimed(of_host.as_deref(), &principal);
        let mut facts = Facts { principal: &principal, head: self.head, captures };
        if let Some(failed) = route.require.iter().find(|condition| !condition.holds(&facts)) {
            return Err(self.requirement_failed(failed, &facts));
        }
        let needs_size = self.needs_size(route)?;
        let said;
        if let Some(authorize) = &route.authorize {
            said = self.authorize((route, authorize), &facts, (&principal, &method), memory)?;
            if let Some(said) = &said {
                if let Some(status) = said.denied {
                    return Ok(self.denied(Refusal::DeniedByService, status, route));
                }
                facts.principal = &said.principal;
                claimed = self.claimed(of_host.as_deref(), &said.principal);
            }
        }
        let principal = facts.principal;
        let decided = self.choose(route, &facts, claimed, memory);
        if !route.shadow.is_empty() {
            self.compare_shadow(route, &facts, &decided);
        }
        let chosen = match decided? {
            RuleDecision::Backend(chosen) => chosen,
            RuleDecision::Deny(status) => {
                return Ok(self.denied(Refusal::DeniedByRule, status, route));
            }
        };
        let customer = match claimed {
            Claimed::Id(id) => Some(id),
            Claimed::Missing | Claimed::Malformed => None,
        };
        let caller = CallerIdentity { principal, customer, authenticated_by: method.authority() };
        let copied = if self.may_be_copied() { self.copied(route, &method) } else { None };
        let rest = copied.as_ref().and_then(|copied| copied.query.as_deref());
        let isolates = chosen.own && gateway.customers.as_ref().is_some_and(|all| all.isolate_answers);
        let privacy = match method {
            // A service may have let in whom it knows by something else.
            AuthMethod::Anonymous if route.hands_on.is_nothing() && route.authorize.is_none() => {
                AnswerPrivacy::Untouched
            }
            AuthMethod::Anonymous
            | AuthMethod::ApiKey
            | AuthMethod::ClientCertificate
            | AuthMethod::Token(_)
            | AuthMethod::TenantToken(_)
            | AuthMethod::Assumed => AnswerPrivacy::of_authenticated(self.head),
        };
        let own_fields = chosen.fields;
        let to = Destination { chosen, route, caller, captures, rest, needs_size };
        let sending = self.send(to, &facts, memory)?;
        let admission = if route.limits.is_empty() {
            None
        } else {
            let caller = limit::LimitedCaller { facts: &facts, method: &method, customer, record: None };
            self.admission(route, caller, memory)?
        };
        let (mut remove, mut set) = match &copied {
            None => plan::edit_fields(self.head, &via, &gateway.identity, caller),
            Some(copied) => self.edit_copied(&via, caller, copied),
        };
        if let Some(context) = self.trace.context() {
            context.tell(&mut remove, &mut set);
        }
        if route.rewrite.is_some()
            && let Some(prefix) = self.prefix_taken_off(&sending, rest)
        {
            // A slice of a URL, which holds no line break.
            set.push_checked("x-forwarded-prefix", prefix);
        }
        if !route.hands_on.is_nothing() {
            self.hand_on(route, &method, own_fields, &mut set);
        }
        if let Some(fields) = own_fields {
            set.append(fields);
        }
        let mut edits = AnswerEdits { privacy, isolates, ..gateway.answer_edits(route, self.head) };
        if let Some(copied) = &copied {
            edits.set.extend(copied.answer());
        }
        if self.loaded.proof.is_some() {
            // The proof was for the gateway; the next one needs a nonce that counts by then.
            remove.push("dpop".to_owned());
            edits.set.extend(possession::nonce(&gateway.dpop, self.now));
        }
        Ok(Outcome::Forward(Box::new(Forward {
            sending,
            remove,
            set,
            edits,
            server_timing: route.server_timing,
            admission,
        })))
    }

    /// What is known of the caller's customer: by the host, or by the caller's claims.
    #[inline]
    fn claimed<'c>(&mut self, of_host: Option<&'c Claimed>, principal: &'c Principal) -> &'c Claimed
    where
        'a: 'c,
    {
        let claimed = match (of_host, &self.gateway.customers) {
            (Some(of_host), _) => of_host,
            (None, Some(customers)) => principal.customer(&customers.claim),
            (None, None) => &Claimed::Missing,
        };
        if let Claimed::Id(id) = claimed {
            self.trace.customer = Some(id.shared());
            self.trace.record(|steps| steps.name_customer(id));
        }
        claimed
    }

    #[inline(never)]
    fn denied(&self, refusal: Refusal, status: u16, route: &Route) -> Outcome {
        Outcome::Answer(self.gateway.refuse(refusal, Some(status), Some(route), self.head))
    }

    /// Refuses a head that would take too many calls of the runtime.
    #[cold]
    #[inline(never)]
    fn check_size(&self) -> Result<(), Refusal> {
        if self.head.seen.has(PresentFields::TOO_MANY) {
            return Err(Refusal::TooManyFields);
        }
        let connection = self.head.field(PresentFields::CONNECTION, "connection");
        if connection.is_some_and(|names| lists_too_many(&names)) {
            return Err(Refusal::ConnectionTooLong);
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn requirement_failed(&mut self, failed: &Condition, facts: &Facts<'_>) -> Halt {
        let why_not = || failed.why_not(facts).unwrap_or_default();
        self.trace.record(|steps| steps.requirement = Some(Requirement::Fails(why_not())));
        Refusal::RequirementNotMet.into()
    }

    /// What must let the request pass.
    #[inline(never)]
    fn admission(
        &mut self,
        route: &Route,
        caller: limit::LimitedCaller<'_>,
        memory: &mut Memory,
    ) -> Result<Option<limit::Admission>, Halt> {
        let chosen = limit::chosen(&route.limits, &self.gateway.limits, caller.facts);
        let of_record = caller.customer.filter(|_| chosen.iter().any(|limit| limit.is_from_record()));
        let record = match of_record {
            None => None,
            Some(id) => self.record_of(id, memory)?,
        };
        let caller = limit::LimitedCaller { record: record.as_deref(), ..caller };
        Ok(limit::admission(&chosen, caller, self.now))
    }

    /// The record of a customer whose numbers count; `None` where the customer has none, and where it cannot be had: then the
    /// numbers of the file do.
    #[cold]
    #[inline(never)]
    fn record_of(
        &mut self,
        id: &CustomerId,
        memory: &mut Memory,
    ) -> Result<Option<Rc<CustomerConfig>>, Halt> {
        let stored = match customer::look_up(id, memory, self.loaded, &mut self.deferred, self.now) {
            Err(Halt::Refuse(Refusal::CustomerSourceUnavailable)) => return Ok(None),
            other => other?,
        };
        Ok(match customer::admit(stored, self.head)? {
            Customer::Listed(record) => Some(record),
            Customer::Missing | Customer::Unlisted => None,
        })
    }

    /// Whether a body must be refused, since the route takes bodies up to a size and the request does not
    /// say its own. Whether there is a body only the edge knows.
    fn needs_size(&self, route: &Route) -> Result<bool, Refusal> {
        let Some(most) = route.max_body else { return Ok(false) };
        match self.head.fields.get("content-length").map(|text| text.trim().parse::<u64>()) {
            Some(Ok(length)) if length <= most => Ok(false),
            Some(Ok(_)) => Err(Refusal::BodyTooLarge),
            Some(Err(_)) | None => Ok(true),
        }
    }

    /// A preflight (`OPTIONS` with `Origin` and `Access-Control-Request-Method`) is answered by the
    /// policy of the route that the request itself would take: before authentication, since browsers
    /// send no credential along, and without a backend.
    #[cold]
    #[inline(never)]
    fn preflight(&mut self, matched: &Matched<'_, '_>) -> Option<Answer> {
        let origin = self.head.field(PresentFields::ORIGIN, "origin")?;
        let asked = self.head.fields.get("access-control-request-method")?;
        let route_of = |index: usize| self.gateway.routes.get(index).filter(|route| route.cors.is_some());
        let route = match matched.route(asked.trim()) {
            Some(index) => route_of(index)?,
            None => matched.endpoints.iter().find_map(|endpoint| route_of(endpoint.route))?,
        };
        let policy = route.cors.as_ref()?;
        let methods: Vec<&str> = matched
            .endpoints
            .iter()
            .filter(|endpoint| {
                route_of(endpoint.route).is_some_and(|other| other.cors.as_ref() == Some(policy))
            })
            .map(|endpoint| endpoint.method.as_str())
            .collect();
        let headers = self.head.fields.get("access-control-request-headers");
        let preflight = Preflight { origin: &origin, headers: headers.as_deref() };
        self.trace.route = Some(Rc::clone(&route.name));
        let fields = policy.preflight(preflight, &methods.join(", "));
        Some(Answer { status: 204, fields, body: None, refusal: None })
    }

    /// The route for this method, or any at this path that has a CORS policy, so that a browser's
    /// script can read a refusal that comes before the route is settled.
    fn readable_route(&self, matched: &Matched<'_, '_>) -> Option<&Route> {
        let own = matched.route(self.head.method).and_then(|index| self.gateway.routes.get(index));
        let mut others =
            matched.endpoints.iter().filter_map(|endpoint| self.gateway.routes.get(endpoint.route));
        own.or_else(|| others.find(|route| route.cors.is_some()))
    }

    /// The metadata of the route whose path stands behind the well-known one, where it has any.
    #[inline]
    fn resource_metadata(&mut self) -> Option<Answer> {
        protected_resource::resource_path(self.head.target.path).and_then(|path| self.metadata_of(path))
    }

    #[cold]
    #[inline(never)]
    fn metadata_of(&mut self, path: &str) -> Option<Answer> {
        if !matches!(self.head.method, "GET" | "HEAD" | "OPTIONS") {
            return None;
        }
        let gateway = self.gateway;
        let matched = gateway.table.find(path)?;
        let routes = matched.endpoints.iter().filter_map(|endpoint| gateway.routes.get(endpoint.route));
        let (route, resource) = routes.filter_map(|route| Some((route, route.resource.as_ref()?))).next()?;
        self.trace.route = Some(Rc::clone(&route.name));
        let forms = possession::token_forms(route, gateway);
        Some(resource.answer(path, &forms, self.head))
    }

    #[cold]
    #[inline(never)]
    fn method_refused(&self, matched: &Matched<'_, '_>) -> Outcome {
        let route = self.readable_route(matched);
        let mut answer = self.gateway.refuse(Refusal::MethodNotOnRoute, None, route, self.head);
        answer.fields.push(("allow", matched.allow()));
        Outcome::Answer(answer)
    }

    #[cold]
    #[inline(never)]
    fn refused(&self, refusal: Refusal, route: Option<&Route>) -> Outcome {
        let mut answer = self.gateway.refuse(refusal, None, route, self.head);
        if route.is_some_and(|route| route.auth.places.dpop) {
            possession::challenge(&mut answer.fields, refusal, &self.gateway.dpop, self.now);
        }
        Outcome::Answer(answer)
    }
}
