//! Where requests go: CORS policies, regions, routes and rules.

use std::rc::Rc;

use pointsman_core::{
    base::time::Span,
    http::{
        cors::{AllowedOrigins, CorsPolicy, OriginPattern, RequestHeaders},
        credential_copies::SUBPROTOCOLS,
        fields::{FieldPolicy, is_token},
        protected_resource::ProtectedResource,
    },
    identity::{
        api_key::ApiKeys,
        confirmation::Binding,
        jwt::{Issuer, KeySource},
        places::{Places, RouteAuth},
        subprotocol::SubprotocolForm,
    },
    routing::{
        authorize::Authorize,
        condition::Named,
        index::RuleIndex,
        operand::Operand,
        pattern::{Pattern, Rewrite},
        readings::Readings,
        rule::{Action, Rule},
        split::{Split, Variant},
        table::RouteTable,
        target::{Target, Unlisted},
    },
    state::{
        config::Region,
        route::{HandsOn, Route, guard_alike},
    },
};

use super::{
    conditions::{Scope, conditions, operand},
    limits::{binding, choice, timeout},
    node::{Node, Read, fault},
};

/// More than any plan of the platform takes.
pub const MAX_BODY: u64 = 512 << 20;

/// What routes refer to.
pub(super) struct Known<'a> {
    pub(super) named: &'a [Rc<Named>],
    pub(super) policies: &'a [Rc<CorsPolicy>],
    /// How many shapes of errors there are.
    pub(super) shapes: usize,
    pub(super) api_keys: Option<&'a ApiKeys>,
    pub(super) issuers: &'a [Issuer],
    /// How many there are, as of limits.
    pub(super) backends: usize,
    pub(super) limits: usize,
}

/// The routes, as far as they are read.
pub(super) struct Routes {
    pub(super) routes: Vec<Route>,
    pub(super) table: RouteTable,
    pub(super) readings: Readings,
}

impl Routes {
    pub(super) fn new(fold_case: bool) -> Self {
        Self { routes: Vec::new(), table: RouteTable::default(), readings: Readings::new(fold_case) }
    }

    /// Reads a route and adds it.
    pub(super) fn add(&mut self, node: Node<'_>, known: &Known<'_>) -> Read<()> {
        let pattern = node.read("path", |node| node.parsed(Pattern::parse))?;
        let methods = node.strings("methods")?;
        let route = route(node, &pattern, known)?;
        let position = self.routes.len();
        let is_new = methods.iter().all(|method| self.table.insert(&pattern, method, position));
        // Variables can bring together what was apart when the file was checked.
        if !is_new || self.readings.insert(&pattern, &methods, route.params()).is_err() {
            return node.read("path", |_| fault("is already the path of another route"));
        }
        self.routes.push(route);
        Ok(())
    }

    /// Ends the reading, and tells the field policy what conditions ask for.
    pub(super) fn complete(mut self, fields: &mut FieldPolicy) -> Self {
        let routes = &self.routes;
        self.readings.complete(|one, other| guard_alike(routes, one, other));
        for route in &self.routes {
            if !route.auth.places.subprotocols.is_empty() {
                fields.look_into(SUBPROTOCOLS);
            }
            if !route.auth.places.cookies.is_empty() {
                fields.look_into("cookie");
            }
            route.each_operand(&mut |of| {
                if let Operand::Header(name) = of {
                    fields.ask_for(name);
                }
            });
        }
        self
    }
}

#[inline(never)]
pub(super) fn region(node: Node<'_>, named: &[Rc<Named>]) -> Read<Region> {
    let when = node.read("when", |node| conditions(node, Scope { named, params: &[] }))?;
    Ok(Region { name: Rc::from(node.read("name", Node::text)?), when })
}

#[inline(never)]
pub(super) fn policy(node: Node<'_>) -> Read<Rc<CorsPolicy>> {
    if node.read("anything_goes", Node::flag)? {
        return Ok(Rc::new(CorsPolicy::anything_goes()));
    }
    let name =
        |node: Node<'_>| node.known("must be a field name", |name| is_token(name).then(|| name.to_owned()));
    let origins = node.option("origins", |node| node.items(|node| node.parsed(OriginPattern::parse)))?;
    Ok(Rc::new(CorsPolicy {
        origins: origins.map_or(AllowedOrigins::Any, AllowedOrigins::Listed),
        headers: RequestHeaders::Listed(node.list("headers", name)?),
        expose: node.list("expose", name)?,
        max_age: node.read("max_age", Node::span)?,
        credentials: node.read("credentials", Node::flag)?,
    }))
}

/// A place in a list of so many.
pub(super) fn place(count: usize) -> impl Fn(Node<'_>) -> Read<usize> {
    move |node| match node.small()? {
        place if place < count => Ok(place),
        _ => fault("is no place in the list that it refers to"),
    }
}

#[inline(never)]
fn route(node: Node<'_>, pattern: &Pattern, known: &Known<'_>) -> Read<Route> {
    let params: Vec<&str> = pattern.names().collect();
    let scope = Scope { named: known.named, params: &params };
    let mut auth = auth(node, known)?;
    let hands_on =
        HandsOn { token: node.read("forward_credential", Node::flag)?, fields: node.strings("pass")? };
    auth.places.passes_authorization = hands_on.fields.iter().any(|name| name == "authorization");
    let rules = node.list("rules", |node| rule(node, known, scope))?;
    let policy = node.option("cors", place(known.policies.len()))?;
    Ok(Route {
        name: Rc::from(node.read("name", Node::text)?),
        path: Rc::from(node.read("path", Node::text)?),
        challenge: challenge(&auth, known),
        auth,
        errors: node.option("errors", place(known.shapes))?,
        cors: policy.and_then(|policy| known.policies.get(policy)).map(Rc::clone),
        resource: node.option("resource", resource)?,
        customer_by_host: node.read("customer_by_host", Node::flag)?,
        rewrite: node.option("rewrite", |node| node.parsed(|text| Rewrite::parse(text, pattern)))?,
        require: node.read("require", |node| conditions(node, scope))?,
        authorize: node.option("authorize", |node| authorize(node, scope))?,
        max_body: node.option("max_body", |node| node.size(1, MAX_BODY))?,
        index: RuleIndex::of(&rules),
        rules,
        shadow: node.list("shadow_rules", |node| rule(node, known, scope))?,
        timeout: node.option("timeout", |node| node.timeout(Span::from_millis(u64::MAX)))?,
        server_timing: node.read("server_timing", Node::flag)?,
        shows_request_id: node.read("request_id", Node::flag)?,
        limits: node.list("limits", |node| choice(node, scope, known.limits))?,
        hands_on,
    })
}

#[inline(never)]
fn authorize(node: Node<'_>, scope: Scope<'_>) -> Read<Rc<Authorize>> {
    Ok(Rc::new(Authorize {
        binding: node.read("binding", binding)?,
        timeout: node.read("timeout", timeout)?,
        // What is remembered counts no longer than a verified token, whatever a variable says.
        keep: node.read("cache", Node::span)?,
        closed: node.read("closed", Node::flag)?,
        show: operands(node, "show", scope)?,
    }))
}

#[inline(never)]
fn resource(node: Node<'_>) -> Read<Rc<ProtectedResource>> {
    let quotable = |node: Node<'_>| {
        node.known("must be printable ASCII without \" and \\", |text| {
            is_quotable(text).then(|| text.to_owned())
        })
    };
    let scope =
        |node: Node<'_>| node.known("must be a scope", |text| is_scope(text).then(|| text.to_owned()));
    Ok(Rc::new(ProtectedResource {
        authorization_servers: node.strings("authorization_servers")?,
        scopes: node.list("scopes", scope)?,
        name: node.option("name", Node::string)?,
        documentation: node.option("documentation", Node::string)?,
        realm: node.option("realm", quotable)?,
    }))
}

/// Whether a text can stand between the quotes of a parameter as it is (RFC 9110, section 5.6.4).
#[must_use]
pub fn is_quotable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

/// Whether a text is one scope (RFC 6749, section 3.3).
#[must_use]
pub fn is_scope(text: &str) -> bool {
    !text.is_empty() && is_quotable(text) && !text.contains(' ')
}

#[inline(never)]
fn auth(node: Node<'_>, known: &Known<'_>) -> Read<RouteAuth> {
    let mut issuers = node.list("issuers", place(known.issuers.len()))?;
    let is_asked = |index: &usize| {
        matches!(known.issuers.get(*index).map(|own| &own.keys), Some(KeySource::Introspection(_)))
    };
    let asked = issuers.iter().copied().find(is_asked);
    issuers.retain(|index| !is_asked(index));
    let mut places = Places { introspection: asked, ..Places::default() };
    for index in &issuers {
        let fields = known.issuers.get(*index).map_or(&[][..], |issuer| &issuer.fields);
        places.add_issuer(*index, fields);
    }
    let binding = |index: &usize| known.issuers.get(*index).map(|issuer| issuer.bindings.dpop);
    places.dpop = places.bearer.iter().chain(&asked).filter_map(binding).any(|dpop| dpop != Binding::Refused);
    places.subprotocols = node.list("subprotocol", |node| node.text().map(SubprotocolForm::parse))?;
    places.query = node.strings("query_credential")?;
    places.cookies = node.strings("cookie_credential")?;
    let api_key = node.read("api_key", Node::flag)?;
    places.basic = api_key && known.api_keys.is_some_and(|keys| keys.sent().are_basic());
    Ok(RouteAuth {
        api_key,
        client_certificate: node.option("client_certificate", Node::flag)?.unwrap_or_default(),
        issuers,
        anonymous: node.read("anonymous", Node::flag)?,
        places,
    })
}

/// What `WWW-Authenticate` says on this route (RFC 9110, section 11.6.1).
#[inline(never)]
fn challenge(auth: &RouteAuth, known: &Known<'_>) -> String {
    if let Some(keys) = known.api_keys.filter(|_| auth.api_key && auth.all_issuers().next().is_none()) {
        return keys.sent().challenge().into_owned();
    }
    if auth.client_certificate && auth.all_issuers().next().is_none() && !auth.api_key {
        return "Certificate".to_owned();
    }
    let must_prove = |index: &usize| {
        known.issuers.get(*index).is_some_and(|issuer| issuer.bindings.dpop == Binding::Required)
    };
    if auth.places.dpop
        && !auth.api_key
        && auth.places.bearer.iter().chain(&auth.places.introspection).all(must_prove)
    {
        return "DPoP".to_owned();
    }
    let takes_bearer = !auth.places.bearer.is_empty() || auth.places.introspection.is_some();
    match auth.places.fields.first().filter(|_| !takes_bearer && !auth.api_key) {
        Some(field) => format!("Token header=\"{}\"", field.name),
        None => "Bearer".to_owned(),
    }
}

#[inline(never)]
fn rule(node: Node<'_>, known: &Known<'_>, scope: Scope<'_>) -> Read<Rule> {
    Ok(Rule {
        name: Rc::from(node.read("name", Node::text)?),
        when: node.read("when", |node| conditions(node, scope))?,
        action: action(node, known, scope)?,
        within: node.list("within", |node| node.text().map(Rc::from))?,
    })
}

#[inline(never)]
fn action(node: Node<'_>, known: &Known<'_>, scope: Scope<'_>) -> Read<Action> {
    if let Some(status) = node.option("deny", Node::small)? {
        return Ok(Action::Deny(status));
    }
    let target = |node: Node<'_>| target(node, known.backends);
    if let Some(target) = node.option("to", target)? {
        return Ok(Action::To(target));
    }
    let variants = node.list("split", |node| {
        let name = Rc::from(node.read("name", Node::text)?);
        Ok(Variant { name, to: node.read("to", target)?, end: node.read("end", Node::small)? })
    })?;
    Ok(Action::Split(Rc::new(Split {
        variants,
        by: operands(node, "by", scope)?,
        salt: Rc::from(node.read("salt", Node::text)?),
        chosen_by: operands(node, "chosen_by", scope)?,
    })))
}

/// What is looked at, by the names that conditions have.
#[inline(never)]
fn operands(node: Node<'_>, list: &str, scope: Scope<'_>) -> Read<Vec<Operand>> {
    node.list(list, |node| operand(node, scope))
}

/// A backend's place, or what becomes of callers whom the customer's own backend is not for.
#[inline(never)]
fn target(node: Node<'_>, backends: usize) -> Read<Target> {
    match node.0.as_str() {
        None => place(backends)(node).map(Target::Backend),
        Some("customer") => Ok(Target::Customer { unlisted: Unlisted::Refuse }),
        Some("customer-or-next") => Ok(Target::Customer { unlisted: Unlisted::Next }),
        Some(_) => fault("is no target"),
    }
}
