//! The conductor: calls the stages in order and knows all of them, so that none knows another.
//!
//! [`Gateway::decide`] is synchronous. Where everything it needs is in memory it decides at once,
//! which is the usual case and the fast one; else it says what must be loaded, and is called again
//! when that is there ([`crate::journey`]).

use std::{borrow::Cow, rc::Rc};

use crate::{
    answer::{Answer, problem},
    authenticate::{api_key::ApiKeys, jwt::Issuer, resolve::Stage},
    cache::Lifetimes,
    claims::{ClaimPath, Principal},
    cors::{AnswerEdits, CorsPolicy, Preflight},
    customer::{
        backend::AllowHttp,
        resolve::{Claimed, Customer},
        template::BackendTemplate,
    },
    decision::{Decision, Found, Halt, Outcome, Refreshes},
    error::Refusal,
    forward::{self, Caller, Forward, Identity, Via, fields::FieldPolicy, path},
    journal::Trace,
    memory::Memory,
    request::{Head, Seen},
    route::{
        Matched, RouteTable,
        pattern::Rewrite,
        rule::{Action, Rule, Unlisted},
    },
    time::{Span, Timestamp},
};

/// A checked configuration. Built only by [`crate::settings`]; nothing downstream checks again.
pub struct Gateway {
    /// The routes; the table refers to them by index.
    pub routes: Vec<Route>,
    /// Finds a route by path and method.
    pub table: RouteTable,
    /// The issuers whose tokens routes may accept.
    pub issuers: Vec<Issuer>,
    /// How API keys are sent and checked, where there are any.
    pub api_keys: Option<ApiKeys>,
    /// Where customers come from, where there are any.
    pub customers: Option<Customers>,
    /// The named backends.
    pub backends: Vec<Backend>,
    /// How backends learn who is calling.
    pub identity: Identity,
    /// Which of a client's fields pass.
    pub fields: FieldPolicy,
    /// Our name in `Via`.
    pub via: Via,
    /// What the type URIs of problems begin with.
    pub problem_base: String,
    /// Where http is allowed.
    pub allow_http: AllowHttp,
}

/// A path and its methods, and what is done with requests for them.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name in the log.
    pub name: Rc<str>,
    /// Which credentials it takes.
    pub auth: RouteAuth,
    /// The challenge for callers whose credential is missing or refused.
    pub challenge: String,
    /// Its CORS policy.
    pub cors: Option<Rc<CorsPolicy>>,
    /// How the path is rewritten; `None` keeps it.
    pub rewrite: Option<Rewrite>,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
    /// How long a backend may take, where that differs from the backend's own.
    pub timeout: Option<Span>,
    /// Whether answers carry `Server-Timing`.
    pub server_timing: bool,
    /// Whether answers carry `x-request-id`.
    pub shows_request_id: bool,
}

/// Which credentials a route takes.
#[derive(Clone, Debug, Default)]
pub struct RouteAuth {
    /// API keys.
    pub api_key: bool,
    /// Tokens of these issuers.
    pub issuers: Vec<usize>,
    /// Callers without any.
    pub anonymous: bool,
}

impl RouteAuth {
    /// Whether credentials are looked at at all.
    #[must_use]
    pub const fn needs_credential(&self) -> bool {
        self.api_key || !self.issuers.is_empty()
    }
}

/// Where customers come from and how long their records are used.
#[derive(Clone, Debug)]
pub struct Customers {
    /// The claim that names the customer.
    pub claim: ClaimPath,
    /// How long a record is used.
    pub lifetimes: Lifetimes,
    /// The provider's config API, asked for what KV does not hold.
    pub source: Option<ConfigSource>,
}

/// The provider's config API.
#[derive(Clone, Debug)]
pub struct ConfigSource {
    /// Its URL, without a trailing slash.
    pub url: String,
    /// The bearer token for it.
    pub token: Option<String>,
    /// How long one load may take.
    pub timeout: Span,
    /// Whether one customer is asked for, or the whole list.
    pub by_id: bool,
}

/// A named backend.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Its name.
    pub name: Rc<str>,
    /// Where it is.
    pub url: BackendTemplate,
    /// How long it may take until it answers with a head.
    pub timeout: Span,
}

/// How long a backend may take where nothing else is configured.
pub const DEFAULT_BACKEND_TIMEOUT: Span = Span::from_secs(30);

/// A request on the way through the stages.
struct Journey<'a> {
    gateway: &'a Gateway,
    head: &'a Head<'a>,
    found: &'a Found,
    now: Timestamp,
    trace: Trace,
    refreshes: Refreshes,
}

impl Gateway {
    /// Decides what becomes of a request.
    #[must_use]
    pub fn decide(&self, head: &Head<'_>, memory: &mut Memory, found: &Found, now: Timestamp) -> Decision {
        let mut journey = Journey {
            gateway: self,
            head,
            found,
            now,
            trace: Trace::default(),
            refreshes: Refreshes::default(),
        };
        let outcome = journey.travel(memory);
        Decision { outcome, trace: journey.trace, refreshes: journey.refreshes }
    }

    /// The problem for a refusal, with the fields that the route's callers get on any answer.
    #[must_use]
    pub fn refuse(
        &self,
        refusal: Refusal,
        status: Option<u16>,
        route: Option<&Route>,
        head: &Head<'_>,
    ) -> Answer {
        let edits = route.map(|route| self.answer_edits(route, head)).unwrap_or_default();
        let challenge = route.map(|route| route.challenge.as_str());
        problem(&self.problem_base, refusal, status, challenge, head.request_id, edits)
    }

    fn answer_edits(&self, route: &Route, head: &Head<'_>) -> AnswerEdits {
        let mut edits = match &route.cors {
            Some(policy) => policy.answer(head.field(Seen::ORIGIN, "origin").as_deref()),
            None => AnswerEdits::default(),
        };
        if route.shows_request_id {
            edits.set.push(("x-request-id", head.request_id.to_owned()));
        }
        edits
    }
}

impl Journey<'_> {
    fn travel(&mut self, memory: &mut Memory) -> Outcome {
        let path = self.head.target.path;
        if let Err(refusal) = path::check(path) {
            return self.refused(refusal, None);
        }
        let gateway = self.gateway;
        let Some(matched) = gateway.table.find(path) else {
            return self.refused(Refusal::RouteUnknown, None);
        };
        if let Some(answer) = self.preflight(&matched) {
            return Outcome::Answer(answer);
        }
        let Some(route) = matched.route(self.head.method).and_then(|index| gateway.routes.get(index)) else {
            return self.method_refused(&matched);
        };
        self.trace.route = Some(Rc::clone(&route.name));
        match self.along(route, &matched.captures, memory) {
            Ok(outcome) => outcome,
            Err(Halt::Load(need)) => Outcome::Load(need),
            Err(Halt::Refuse(refusal)) => self.refused(refusal, Some(route)),
        }
    }

    fn along(&mut self, route: &Route, captures: &[&str], memory: &mut Memory) -> Result<Outcome, Halt> {
        let gateway = self.gateway;
        let via = gateway.via.pass(self.head)?;
        let stage = Stage { gateway, found: self.found, now: self.now };
        let (principal, method) = stage.authenticate(self.head, &route.auth, memory, &mut self.refreshes)?;
        self.trace.auth = Some(Cow::Owned(method.as_str().to_owned()));
        self.trace.subject = principal.subject.clone();
        let claimed = match &gateway.customers {
            Some(customers) => Claimed::read(&principal, &customers.claim),
            None => Claimed::Missing,
        };
        if let Claimed::Id(id) = &claimed {
            self.trace.customer = Some(Rc::from(id.as_str()));
        }
        let chosen = match self.choose(route, &principal, &claimed, memory)? {
            Choice::Backend(chosen) => chosen,
            Choice::Deny(status) => {
                return Ok(Outcome::Answer(gateway.refuse(
                    Refusal::DeniedByRule,
                    Some(status),
                    Some(route),
                    self.head,
                )));
            }
        };
        let customer = match &claimed {
            Claimed::Id(id) => Some(id),
            Claimed::Missing | Claimed::Malformed => None,
        };
        let caller = Caller { principal: &principal, customer };
        let url =
            forward::url(&chosen.origin, &chosen.base, route.rewrite.as_ref(), captures, self.head.target);
        self.trace.origin = Some(chosen.origin);
        Ok(Outcome::Forward(Box::new(Forward {
            url,
            timeout: route.timeout.unwrap_or(chosen.timeout),
            remove: forward::fields_to_remove(self.head),
            set: forward::set_fields(self.head, via, &gateway.identity, caller),
            edits: gateway.answer_edits(route, self.head),
            server_timing: route.server_timing,
        })))
    }

    /// The first rule that matches decides.
    fn choose(
        &mut self,
        route: &Route,
        principal: &Principal,
        claimed: &Claimed,
        memory: &Memory,
    ) -> Result<Choice, Halt> {
        for rule in route.rules.iter().filter(|rule| rule.matches(principal)) {
            self.trace.rule = Some(Rc::clone(&rule.name));
            match rule.action {
                Action::Deny(status) => return Ok(Choice::Deny(status)),
                Action::Backend(index) => return self.named_backend(index, principal).map(Choice::Backend),
                Action::Customer { unlisted } => {
                    if let Some(chosen) = self.customers_backend(unlisted, claimed, memory)? {
                        return Ok(Choice::Backend(chosen));
                    }
                }
            }
        }
        self.trace.rule = None;
        Err(Refusal::NoRuleMatched.into())
    }

    fn named_backend(&mut self, index: usize, principal: &Principal) -> Result<Chosen, Halt> {
        let backend = self.gateway.backends.get(index).ok_or(Refusal::Misconfigured)?;
        self.trace.backend = Some(Rc::clone(&backend.name));
        let (origin, base) = match &backend.url {
            BackendTemplate::Fixed(url) => (url.origin().to_owned(), url.base().to_owned()),
            BackendTemplate::Filled(host) => (host.fill(&principal.claims)?, host.base().to_owned()),
        };
        Ok(Chosen { origin, base, timeout: backend.timeout })
    }

    fn customers_backend(
        &mut self,
        unlisted: Unlisted,
        claimed: &Claimed,
        memory: &Memory,
    ) -> Result<Option<Chosen>, Halt> {
        let customer =
            crate::customer::resolve::resolve(claimed, memory, self.found, &mut self.refreshes, self.now)?;
        let config = match (customer, unlisted) {
            (Customer::Listed(config), _) => config,
            (Customer::Missing | Customer::Unlisted, Unlisted::Next) => return Ok(None),
            (Customer::Missing, Unlisted::Refuse) => return Err(Refusal::CustomerIdMissing.into()),
            (Customer::Unlisted, Unlisted::Refuse) => return Err(Refusal::CustomerUnknown.into()),
        };
        self.trace.backend = Some(Rc::from("customer"));
        self.trace.environment = config.environment().map(Rc::from);
        let url = config.backend();
        let (origin, base) = (url.origin().to_owned(), url.base().to_owned());
        Ok(Some(Chosen { origin, base, timeout: DEFAULT_BACKEND_TIMEOUT }))
    }

    /// A preflight (`OPTIONS` with `Origin` and `Access-Control-Request-Method`) is answered by the
    /// policy of the route that the request itself would take: before authentication, since browsers
    /// send no credential along, and without a backend.
    fn preflight(&mut self, matched: &Matched<'_, '_>) -> Option<Answer> {
        if self.head.method != "OPTIONS" {
            return None;
        }
        let origin = self.head.field(Seen::ORIGIN, "origin")?;
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

    fn method_refused(&self, matched: &Matched<'_, '_>) -> Outcome {
        // The policy of any route at this path, so that a browser's script can read the refusal.
        let routes = matched.endpoints.iter().filter_map(|endpoint| self.gateway.routes.get(endpoint.route));
        let route = routes.clone().find(|route| route.cors.is_some());
        let mut answer = self.gateway.refuse(Refusal::MethodNotOnRoute, None, route, self.head);
        answer.fields.push(("allow", matched.allow()));
        Outcome::Answer(answer)
    }

    fn refused(&self, refusal: Refusal, route: Option<&Route>) -> Outcome {
        Outcome::Answer(self.gateway.refuse(refusal, None, route, self.head))
    }
}

enum Choice {
    Backend(Chosen),
    Deny(u16),
}

struct Chosen {
    origin: String,
    base: String,
    timeout: Span,
}
