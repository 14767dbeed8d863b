//! The conductor: calls the stages in order and knows all of them, so that none knows another.
//!
//! [`Gateway::decide`] is synchronous. Where everything it needs is in memory it decides at once,
//! which is the usual case and the fast one; else it says what must be loaded, and is called again
//! when that is there ([`crate::journey`]).

use std::{borrow::Cow, rc::Rc};

use crate::{
    authenticate::{
        api_key::{ApiKeys, KeyConfig},
        jwks::KeySet,
        jwt::Issuer,
        resolve::{SignatureCheck, Stage},
    },
    cache::{Lifetimes, Stored},
    claims::{ClaimPath, Principal},
    cors::{AnswerEdits, CorsPolicy, Preflight},
    customer::{
        CustomerConfig, CustomerId,
        backend::AllowHttp,
        resolve::{Claimed, Customer},
        template::BackendTemplate,
    },
    digest::Digest,
    error::Refusal,
    forward::{self, Caller, Forward, Identity, Via, fields::FieldPolicy, path},
    journal::Trace,
    memory::{Memory, VerifiedToken},
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

/// What must be loaded before a request can be decided.
#[derive(Debug)]
pub enum Need {
    /// The record of the key with this digest.
    Key(Digest),
    /// The record of this customer.
    Customer(CustomerId),
    /// The key set of this issuer.
    KeySet(usize),
    /// The judgement on a signature.
    Signature(Box<SignatureCheck>),
}

/// What was loaded for one request. It counts before memory does, so that a full cache cannot make a
/// request load the same thing for ever, and a source that failed is asked once.
#[derive(Debug, Default)]
pub struct Found {
    /// The API key's record.
    pub key: Option<Stored<KeyConfig>>,
    /// The key store failed.
    pub key_failed: bool,
    /// The customer's record.
    pub customer: Option<Stored<CustomerConfig>>,
    /// The customers' sources failed.
    pub customer_failed: bool,
    /// The issuer's key set.
    pub key_set: Option<Rc<KeySet>>,
    /// The issuer's key set could not be had.
    pub key_set_failed: bool,
    /// The judgement on the token.
    pub token: Option<Result<Rc<VerifiedToken>, Refusal>>,
}

/// What is to be refreshed behind the response.
#[derive(Debug, Default)]
pub struct Refreshes(pub Vec<Need>);

impl Refreshes {
    /// Adds a need if `chosen`.
    pub fn want(&mut self, chosen: bool, need: impl FnOnce() -> Need) {
        if chosen {
            self.0.push(need());
        }
    }
}

/// Why a stage does not go on.
#[derive(Debug)]
pub enum Halt {
    /// The request is refused.
    Refuse(Refusal),
    /// Something must be loaded first.
    Load(Need),
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

impl From<Need> for Halt {
    fn from(need: Need) -> Self {
        Self::Load(need)
    }
}

/// A response that the gateway makes itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Its fields.
    pub fields: Vec<(&'static str, String)>,
    /// Its body; `None` for an answer that has none.
    pub body: Option<String>,
    /// Why, if it is a refusal.
    pub refusal: Option<Refusal>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Outcome {
    /// It goes to a backend.
    Forward(Box<Forward>),
    /// It is answered here.
    Answer(Answer),
    /// It cannot be decided before this is loaded.
    Load(Need),
}

/// A decision, with what the log says of it and what is to be refreshed.
#[derive(Debug)]
pub struct Decision {
    /// What becomes of the request.
    pub outcome: Outcome,
    /// What the log says.
    pub trace: Trace,
    /// What is refreshed behind the response.
    pub refreshes: Refreshes,
}

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

/// An RFC 9457 problem as a response.
#[must_use]
pub fn problem(
    type_base: &str,
    refusal: Refusal,
    status: Option<u16>,
    challenge: Option<&str>,
    request_id: &str,
    edits: AnswerEdits,
) -> Answer {
    let problem = refusal.problem();
    let status = status.unwrap_or(problem.status());
    let mut fields = vec![
        ("content-type", "application/problem+json".to_owned()),
        ("cache-control", "no-store".to_owned()),
        ("x-request-id", request_id.to_owned()),
    ];
    if status == 401 {
        let challenge = challenge.unwrap_or("Bearer");
        let separator = if challenge.contains(' ') { "," } else { "" };
        let error = match problem {
            crate::error::Problem::CredentialInvalid => format!("{separator} error=\"invalid_token\""),
            _ => String::new(),
        };
        fields.push(("www-authenticate", format!("{challenge}{error}")));
    }
    if let Some(seconds) = problem.retry_after() {
        fields.push(("retry-after", seconds.to_string()));
    }
    fields.extend(edits.set.into_iter().filter(|(name, _)| *name != "x-request-id"));
    if edits.vary_origin {
        fields.push(("vary", "Origin".to_owned()));
    }
    let body = problem.body(status, type_base, request_id);
    Answer { status, fields, body: Some(body), refusal: Some(refusal) }
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

#[cfg(test)]
pub(crate) mod test_support {
    use crate::request::{Fields, Seen};

    /// Fields in a list, joined as Fetch joins them.
    pub(crate) struct TestFields(Vec<(String, String)>);

    impl TestFields {
        pub(crate) fn new(fields: &[(&str, &str)]) -> Self {
            Self(
                fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned())).collect(),
            )
        }

        pub(crate) fn seen(&self, api_key_field: Option<&str>) -> Seen {
            let policy = crate::forward::fields::FieldPolicy::new(
                [],
                api_key_field.filter(|field| *field != "authorization"),
            );
            self.0.iter().fold(Seen::default(), |seen, (name, _)| seen.and(policy.judge(name).seen))
        }
    }

    impl Fields for TestFields {
        fn get(&self, name: &str) -> Option<String> {
            let values: Vec<_> =
                self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect();
            (!values.is_empty()).then(|| values.join(", "))
        }
    }
}
