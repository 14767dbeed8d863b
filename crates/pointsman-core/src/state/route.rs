//! A route of the configuration, and when two of them guard alike.

use std::rc::Rc;

use crate::{
    base::time::Span,
    forward::limit::LimitTiers,
    http::{cors::CorsPolicy, protected_resource::ProtectedResource},
    identity::places::RouteAuth,
    routing::{
        authorize::Authorize, condition::Condition, index::RuleIndex, operand::Operand, pattern::Rewrite,
        rule::Rule,
    },
};

/// A path and its methods, and what is done with requests for them.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name in the log.
    pub name: Rc<str>,
    /// Its path, as it was written.
    pub path: Rc<str>,
    /// Which credentials it takes.
    pub auth: RouteAuth,
    /// The challenge for callers whose credential is missing or refused.
    pub challenge: String,
    /// Its CORS policy.
    pub cors: Option<Rc<CorsPolicy>>,
    /// The place of the shape that its errors are written in; `None` as problems.
    pub errors: Option<usize>,
    /// What clients without a token are told of it.
    pub resource: Option<Rc<ProtectedResource>>,
    /// Whether the host that is asked for says whose a request is.
    pub customer_by_host: bool,
    /// How the path is rewritten; `None` keeps it.
    pub rewrite: Option<Rewrite>,
    /// What must hold of its callers beside being known.
    pub require: Vec<Condition>,
    /// Which service is asked of its callers, beside what it requires.
    pub authorize: Option<Rc<Authorize>>,
    /// The largest body that it takes, in bytes.
    pub max_body: Option<u64>,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
    /// Which of them are worth a look.
    pub index: RuleIndex,
    /// Rules that are tried beside these and change nothing: the log says where they would decide
    /// otherwise.
    pub shadow: Vec<Rule>,
    /// How long a backend may take, where that differs from the backend's own.
    pub timeout: Option<Span>,
    /// Whether answers carry `Server-Timing`.
    pub server_timing: bool,
    /// Whether answers carry `x-request-id`.
    pub shows_request_id: bool,
    /// Its limits: each must let a request pass.
    pub limits: Vec<LimitTiers>,
    /// What its backends get of the client's credentials.
    pub hands_on: HandsOn,
}

/// What backends get of a client's credentials.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HandsOn {
    /// Whether the token that was verified.
    pub token: bool,
    /// Fields of credentials that are for the backend, and that the gateway does not look at.
    pub fields: Vec<String>,
}

impl HandsOn {
    /// Whether it is nothing, as on nearly all routes.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        !self.token && self.fields.is_empty()
    }
}

/// Whether two routes guard alike: see [`Route::guards_like`].
#[must_use]
pub fn guard_alike(routes: &[Route], one: usize, other: usize) -> bool {
    matches!((routes.get(one), routes.get(other)), (Some(one), Some(other)) if one.guards_like(other))
}

impl Route {
    /// Whether it asks the same of callers as `other`, and decides alike on them: then it gains nobody anything to take
    /// the one for the other. The names of rules do not matter.
    #[must_use]
    pub fn guards_like(&self, other: &Self) -> bool {
        let same_rules = self.rules.len() == other.rules.len()
            && self.rules.iter().zip(&other.rules).all(|(own, other)| own.decides_like(other));
        same_rules
            && self.auth == other.auth
            && self.customer_by_host == other.customer_by_host
            && self.require == other.require
            // A service that is shown route and path may say something else of the other.
            && match (&self.authorize, &other.authorize) {
                (None, None) => true,
                (Some(own), Some(other)) => Rc::ptr_eq(own, other),
                _ => false,
            }
            && self.max_body == other.max_body
            && self.limits == other.limits
            // A field that comes by one of them alone may be believed behind the other.
            && self.hands_on == other.hands_on
            // Who may have a browser send its cookies, Basic credentials or certificate stands in the CORS policy.
            && ((self.auth.places.are_usual() && !self.auth.client_certificate) || self.cors == other.cors)
    }

    /// Which placeholders of its path its conditions look at, or its service is shown, by position.
    #[must_use]
    pub fn params(&self) -> Vec<usize> {
        let mut params = Vec::new();
        self.each_operand(&mut |of| match of {
            Operand::Param(position, _) if !params.contains(position) => params.push(*position),
            _ => {}
        });
        params
    }

    /// Calls `see` with all that it asks of a request: what its conditions look at, and what its service is shown.
    pub fn each_operand(&self, see: &mut dyn FnMut(&Operand)) {
        let of_rules = self.rules.iter().flat_map(|rule| &rule.when);
        let of_limits = self.limits.iter().flat_map(|choice| &choice.0).flat_map(|tier| &tier.when);
        self.require.iter().chain(of_rules).chain(of_limits).for_each(|own| own.each_operand(see));
        for of in self.authorize.iter().flat_map(|own| &own.show) {
            see(of);
        }
    }
}
