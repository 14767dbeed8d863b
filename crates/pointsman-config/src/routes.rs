//! The parts of a configuration that say where requests go: CORS policies, routes and rules.

use std::rc::Rc;

use pointsman_core::{
    base::{shape::Table, time::Span},
    http::{
        cors::{CorsPolicy, OriginPattern, Origins, RequestHeaders},
        fields::is_token,
    },
    routing::{
        condition::Operand,
        index::RuleIndex,
        pattern::{Pattern, Rewrite},
        rule::{Action, Rule},
        split::{Split, Variant, runs},
        target::{Target, Unlisted},
    },
    state::config::{Gateway, Region, Route, RouteAuth, guard_alike},
};

use super::{
    UNKNOWN,
    conditions::{self, Scope},
    file::{CorsFile, GatewayFile, OneOrMany, RouteFile, RuleFile, VariantFile},
    findings::{Findings, escape},
    limits, span,
};

const DEFAULT_METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// More than any plan of the platform takes.
const MAX_BODY: u64 = 512 << 20;
/// Methods that Fetch does not send.
const FORBIDDEN_METHODS: [&str; 3] = ["CONNECT", "TRACE", "TRACK"];

pub(super) fn build(file: &GatewayFile, gateway: &mut Gateway, findings: &mut Findings) {
    let policies = policies(&file.cors, findings);
    let named = conditions::named(&file.conditions, findings);
    gateway.regions = regions(file, Scope { named: &named, pattern: None }, findings);
    for (index, route) in file.routes.iter().enumerate() {
        let at = format!("/routes/{index}");
        let Some(pattern) = findings.take(&format!("{at}/path"), Pattern::parse(&route.path)) else {
            // The rest is looked at all the same, so that all that is wrong is said at once.
            let scope = Scope { named: &named, pattern: None };
            rules(&route.rules, &format!("{at}/rules"), gateway, scope, findings);
            limits::of_route(route, &at, gateway, scope, findings);
            auth(route, &at, gateway, findings);
            continue;
        };
        let scope = Scope { named: &named, pattern: Some(&pattern) };
        let built = self::route(route, &at, &pattern, &policies, gateway, scope, findings);
        insert(built, &pattern, &methods(route, &at, findings), &format!("{at}/path"), gateway, findings);
    }
    let routes = &gateway.routes;
    gateway.readings.complete(|one, other| guard_alike(routes, one, other));
    if file.routes.is_empty() {
        findings.error("/routes", "must have at least one route");
    }
    ask_for_fields(gateway);
}

/// Tells the field policy what conditions ask for.
fn ask_for_fields(gateway: &mut Gateway) {
    let mut asked = Vec::new();
    for route in &gateway.routes {
        let rules = route.rules.iter().flat_map(|rule| &rule.when);
        let limits = route.limits.iter().flat_map(|choice| &choice.0).flat_map(|tier| &tier.when);
        for condition in rules.chain(limits).chain(&route.require) {
            condition.each_operand(&mut |of| {
                if let Operand::Header(name) = of {
                    asked.push(Rc::clone(name));
                }
            });
        }
    }
    for name in asked {
        gateway.fields.ask_for(&name);
    }
}

fn insert(
    route: Route,
    pattern: &Pattern,
    methods: &[String],
    at: &str,
    gateway: &mut Gateway,
    findings: &mut Findings,
) {
    let position = gateway.routes.len();
    let mut is_new = true;
    for method in methods {
        if !gateway.table.insert(pattern, method, position) {
            is_new = false;
            findings.error(at, format!("{method} {} is already the path of another route", route.path));
        }
    }
    if gateway.readings.insert(pattern, methods, route.params()).is_err() && is_new {
        let what = "is the path of another route in another spelling, and backends take the two for one";
        findings.error(at, what);
    }
    gateway.routes.push(route);
}

fn regions(file: &GatewayFile, scope: Scope<'_>, findings: &mut Findings) -> Vec<Region> {
    let regions = file.regions.iter().map(|(name, when)| Region {
        name: Rc::from(name.as_str()),
        when: conditions::conditions(when, &format!("/regions/{}", escape(name)), scope, findings),
    });
    regions.collect()
}

fn policies(files: &Table<CorsFile>, findings: &mut Findings) -> Vec<(String, Rc<CorsPolicy>)> {
    files.iter().map(|(name, file)| (name.clone(), Rc::new(policy(name, file, findings)))).collect()
}

#[inline(never)]
fn policy(name: &str, file: &CorsFile, findings: &mut Findings) -> CorsPolicy {
    let at = format!("/cors/{}", escape(name));
    if matches!(name, "none" | "anything-goes") {
        findings.error(&at, "this name is built in; call the policy something else");
    }
    let origins = origins(file, &at, findings);
    for (list, names) in [("headers", &file.headers), ("expose", &file.expose)] {
        for (index, name) in names.iter().enumerate().filter(|(_, name)| !is_token(name) || *name == "*") {
            findings.error(format!("{at}/{list}/{index}"), format!("\"{name}\" is no field name"));
        }
    }
    CorsPolicy {
        origins,
        headers: RequestHeaders::Listed(file.headers.clone()),
        expose: file.expose.clone(),
        max_age: span(file.max_age.as_deref(), Span::from_secs(600), &format!("{at}/max_age"), findings),
        credentials: file.credentials.unwrap_or(false),
    }
}

/// `*` stands for any origin, where credentials stay at home; whoever is to send them is named.
fn origins(file: &CorsFile, at: &str, findings: &mut Findings) -> Origins {
    let at = format!("{at}/origins");
    let written = file.origins.list();
    if written == ["*"] {
        if file.credentials == Some(true) {
            findings.error(at, "must name the origins where credentials = true: with *, any page could use a visitor's cookies");
        }
        return Origins::Any;
    }
    let single = matches!(file.origins, OneOrMany::One(_));
    let read = written.into_iter().enumerate().filter_map(|(index, origin)| {
        let pointer = if single { at.clone() } else { format!("{at}/{index}") };
        findings.take(&pointer, OriginPattern::parse(origin))
    });
    Origins::Listed(read.collect())
}

fn route(
    file: &RouteFile,
    at: &str,
    pattern: &Pattern,
    policies: &[(String, Rc<CorsPolicy>)],
    gateway: &Gateway,
    scope: Scope<'_>,
    findings: &mut Findings,
) -> Route {
    let cors = match file.cors.as_deref() {
        None | Some("none") => None,
        Some("anything-goes") => Some(Rc::new(CorsPolicy::anything_goes())),
        Some(name) => {
            let policy = policies.iter().find(|(own, _)| own == name);
            if policy.is_none() {
                let hint = "write \"none\", \"anything-goes\" or a name of [cors]";
                findings.error(format!("{at}/cors"), format!("\"{name}\" {UNKNOWN}: {hint}"));
            }
            policy.map(|(_, policy)| Rc::clone(policy))
        }
    };
    let rewrite = file
        .rewrite
        .as_ref()
        .and_then(|text| findings.take(&format!("{at}/rewrite"), Rewrite::parse(text, pattern)));
    let auth = auth(file, at, gateway, findings);
    let timeout = file
        .timeout
        .as_deref()
        .map(|text| super::timeout(Some(text), Span::default(), &format!("{at}/timeout"), findings));
    if file.rules.is_empty() {
        findings.error(
            format!("{at}/rules"),
            "must have at least one rule: without one, no request could go anywhere",
        );
    }
    let require = file.require.as_ref();
    let require = require
        .map_or_else(Vec::new, |all| conditions::conditions(all, &format!("{at}/require"), scope, findings));
    let body = |text| super::sources::size(Some(text), 0, 1..=MAX_BODY, &format!("{at}/max_body"), findings);
    let max_body = file.max_body.as_deref().map(body);
    let list = rules(&file.rules, &format!("{at}/rules"), gateway, scope, findings);
    Route {
        name: Rc::from(file.name.as_deref().unwrap_or(&file.path)),
        path: Rc::from(file.path.as_str()),
        challenge: challenge(&auth, gateway),
        auth,
        cors,
        rewrite,
        require,
        max_body,
        index: RuleIndex::of(&list),
        rules: list,
        shadow: rules(&file.shadow_rules, &format!("{at}/shadow_rules"), gateway, scope, findings),
        timeout,
        server_timing: file.server_timing.unwrap_or(false),
        shows_request_id: file.request_id.unwrap_or(false),
        limits: limits::of_route(file, at, gateway, scope, findings),
    }
}

fn methods(file: &RouteFile, at: &str, findings: &mut Findings) -> Vec<String> {
    let Some(methods) = &file.methods else {
        return DEFAULT_METHODS.map(str::to_owned).to_vec();
    };
    if methods.is_empty() {
        findings.error(format!("{at}/methods"), "must name at least one method");
    }
    for (index, method) in methods.iter().enumerate() {
        let pointer = format!("{at}/methods/{index}");
        if FORBIDDEN_METHODS.contains(&method.to_ascii_uppercase().as_str()) {
            findings.error(pointer, format!("{method} cannot be forwarded"));
        } else if !is_token(method) || method.chars().any(|c| c.is_ascii_lowercase()) {
            findings.error(pointer, "must be a method in upper case");
        }
    }
    methods.clone()
}

fn auth(file: &RouteFile, at: &str, gateway: &Gateway, findings: &mut Findings) -> RouteAuth {
    let mut auth = RouteAuth { anonymous: file.anonymous.unwrap_or(false), ..RouteAuth::default() };
    for (index, name) in file.auth.iter().enumerate() {
        let pointer = format!("{at}/auth/{index}");
        if name == "api_key" {
            auth.api_key = true;
            if gateway.api_keys.is_none() {
                findings.error(pointer, "\"api_key\" needs an [api_keys] section");
            }
            continue;
        }
        match gateway.issuers.iter().position(|issuer| *issuer.name == **name) {
            Some(issuer) => auth.issuers.push(issuer),
            None => findings
                .error(pointer, format!("\"{name}\" {UNKNOWN}: write \"api_key\" or the name of an issuer")),
        }
    }
    if file.auth.is_empty() && auth.anonymous {
        findings.warn(format!("{at}/anonymous"), "auth = [] needs no credential already");
    }
    auth
}

/// What `WWW-Authenticate` says on this route (RFC 9110, section 11.6.1).
fn challenge(auth: &RouteAuth, gateway: &Gateway) -> String {
    match gateway.api_keys.as_ref().filter(|_| auth.api_key && auth.issuers.is_empty()) {
        Some(keys) if !keys.in_authorization() => format!("ApiKey header=\"{}\"", keys.field()),
        Some(keys) if !keys.scheme().is_empty() => keys.scheme().to_owned(),
        _ => "Bearer".to_owned(),
    }
}

/// Reads a list of rules; `list` is its name in the file.
fn rules(
    written: &[RuleFile],
    at: &str,
    gateway: &Gateway,
    scope: Scope<'_>,
    findings: &mut Findings,
) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::with_capacity(written.len());
    for (index, written) in written.iter().enumerate() {
        let at = format!("{at}/{index}");
        if rules.iter().any(|other| *other.name == *written.name) {
            findings.error(
                format!("{at}/name"),
                format!("\"{}\" is already the name of another rule of this route", written.name),
            );
        }
        let when = written.when.as_ref();
        let when = when.map_or_else(Vec::new, |when| {
            conditions::conditions(when, &format!("{at}/when"), scope, findings)
        });
        let action = action(written, &at, gateway, scope, findings);
        let within = written.within.as_ref().map(OneOrMany::list).unwrap_or_default();
        if written.within.is_some() && within.is_empty() {
            findings.error(format!("{at}/within"), "must name at least one region");
        }
        let within = within.into_iter().map(Rc::from).collect();
        let rule = Rule { name: Rc::from(written.name.as_str()), when, action, within };
        if let Some(earlier) = rules.iter().find(|earlier| earlier.is_final() && earlier.covers(&rule)) {
            findings.error(
                &at,
                format!("is never reached: rule \"{}\" matches whatever it matches", earlier.name),
            );
        }
        rules.push(rule);
    }
    rules
}

fn action(file: &RuleFile, at: &str, gateway: &Gateway, scope: Scope<'_>, findings: &mut Findings) -> Action {
    let unlisted = match file.unlisted.as_deref() {
        None | Some("refuse") => Unlisted::Refuse,
        Some("next") => Unlisted::Next,
        Some(_) => {
            findings.error(format!("{at}/unlisted"), "must be \"refuse\" or \"next\"");
            Unlisted::Refuse
        }
    };
    let to_customer = file.to.as_deref() == Some("customer")
        || file.split.iter().flatten().any(|variant| variant.to == "customer");
    if file.unlisted.is_some() && !to_customer {
        findings.error(format!("{at}/unlisted"), "is only for to = \"customer\"");
    }
    if file.split.is_none() && (file.by.is_some() || file.salt.is_some() || file.chosen_by.is_some()) {
        findings.error(at, "has by, salt or chosen_by, which are only for a split");
    }
    match (file.to.as_deref(), &file.split, file.deny) {
        (Some(name), None, None) => {
            let target = target(name, unlisted, &format!("{at}/to"), gateway, findings);
            target.map_or(Action::Deny(403), Action::To)
        }
        (None, Some(variants), None) => split(file, variants, unlisted, at, gateway, scope, findings)
            .map_or(Action::Deny(403), |split| Action::Split(Rc::new(split))),
        (None, None, Some(status)) => {
            if !(400..=599).contains(&status) {
                findings.error(format!("{at}/deny"), "must be a status from 400 to 599");
            }
            Action::Deny(status)
        }
        _ => {
            findings.error(at, "must have exactly one of to, split and deny");
            Action::Deny(403)
        }
    }
}

fn target(
    name: &str,
    unlisted: Unlisted,
    at: &str,
    gateway: &Gateway,
    findings: &mut Findings,
) -> Option<Target> {
    if name == "customer" {
        if gateway.customers.is_none() {
            findings.error(at, "\"customer\" needs a [customers] section");
        }
        return Some(Target::Customer { unlisted });
    }
    let index = gateway.backends.iter().position(|backend| *backend.name == *name);
    if index.is_none() {
        let hint = "write \"customer\" or the name of a backend";
        findings.error(at, format!("\"{name}\" {UNKNOWN}: {hint}"));
    }
    index.map(Target::Backend)
}

#[inline(never)]
fn split(
    file: &RuleFile,
    variants: &[VariantFile],
    unlisted: Unlisted,
    at: &str,
    gateway: &Gateway,
    scope: Scope<'_>,
    findings: &mut Findings,
) -> Option<Split> {
    let mut operands = |written: Option<&OneOrMany>, field: &str| -> Vec<_> {
        let names = written.map(OneOrMany::list).unwrap_or_default();
        let at = format!("{at}/{field}");
        names.into_iter().filter_map(|name| conditions::operand(name, &at, scope, findings)).collect()
    };
    let subject = OneOrMany::One("$subject".to_owned());
    let by = operands(Some(file.by.as_ref().unwrap_or(&subject)), "by");
    let chosen_by = operands(file.chosen_by.as_ref(), "chosen_by");
    if file.by.as_ref().is_some_and(|by| by.list().is_empty()) {
        findings.error(format!("{at}/by"), "must name what tells callers apart");
    }
    let weights: Vec<_> = variants.iter().map(|variant| variant.weight).collect();
    let Some(ends) = runs(&weights) else {
        findings.error(format!("{at}/split"), "must have a variant with a weight above 0");
        return None;
    };
    let mut read: Vec<Variant> = Vec::new();
    for ((index, variant), end) in variants.iter().enumerate().zip(ends) {
        let pointer = format!("{at}/split/{index}/to");
        if read.iter().any(|other| *other.name == *variant.to) {
            findings.error(&pointer, format!("\"{}\" stands twice", variant.to));
        }
        let to = target(&variant.to, unlisted, &pointer, gateway, findings)?;
        read.push(Variant { name: Rc::from(variant.to.as_str()), to, end });
    }
    Some(Split { variants: read, by, salt: Rc::from(file.salt.as_deref().unwrap_or(&file.name)), chosen_by })
}
