//! The parts of a configuration that say where requests go: CORS policies, routes and rules.

use pointsman_checked::MAX_BODY;
use pointsman_core::{
    base::{shape::Table, time::Span},
    customer::backend_url::AllowHttp,
    http::{cors::OriginPattern, fields::is_token},
    identity::method::{API_KEY, CLIENT_CERTIFICATE},
    routing::{
        condition::Condition,
        pattern::{Pattern, Rewrite},
        readings::Readings,
        split::runs,
        table::RouteTable,
    },
};
use serde_json::{Value, json};

use super::{
    authorize,
    conditions::{self, NamedCondition, Scope, conditions_of},
    credential_in,
    errors::Shapes,
    file::{BackendFile, CorsFile, GatewayFile, IssuerFile, OneOrMany, RouteFile, RuleFile, VariantFile},
    findings::{Findings, Kind, escape},
    handing_on, introspection, limits, methods, operands, read_timeout, resource, span, write_all,
};

/// The operand that says on a route whose a request is.
const BY_HOST: &str = "$host";

/// What routes refer to by name.
pub(super) struct Names<'a> {
    named: &'a [NamedCondition],
    has_api_keys: bool,
    has_customers: bool,
    issuers: Vec<&'a str>,
    issuer_files: Vec<&'a IssuerFile>,
    backends: Vec<(&'a str, &'a BackendFile)>,
    limits: Vec<&'a str>,
    policies: Vec<&'a str>,
    /// The fields in which backends are told who is calling.
    own_fields: &'a [String],
}

impl<'a> Names<'a> {
    pub(super) fn of(file: &'a GatewayFile, named: &'a [NamedCondition], own_fields: &'a [String]) -> Self {
        Self {
            named,
            own_fields,
            has_api_keys: file.api_keys.is_some(),
            has_customers: file.customers.is_some(),
            issuer_files: file.issuers.iter().collect(),
            issuers: file.issuers.iter().map(|issuer| issuer.name.as_str()).collect(),
            backends: file.backends.iter().map(|(name, backend)| (name.as_str(), backend)).collect(),
            limits: file.limits.names().collect(),
            policies: file.cors.names().collect(),
        }
    }
}

pub(super) fn all(
    file: &GatewayFile,
    names: &Names<'_>,
    shapes: &mut Shapes<'_>,
    allow_http: AllowHttp,
    findings: &mut Findings,
) -> Vec<Value> {
    let fold_case = file.forward.as_ref().and_then(|own| own.case_insensitive).unwrap_or(false);
    let mut paths = Paths { table: RouteTable::default(), readings: Readings::new(fold_case), count: 0 };
    let mut routes = Vec::new();
    for (index, written) in file.routes.iter().enumerate() {
        let at = format!("/routes/{index}");
        let pattern = findings.take(&format!("{at}/path"), Pattern::parse(&written.path));
        let scope = Scope { named: names.named, pattern: pattern.as_ref() };
        // Without a path the rest is looked at all the same, so that all that is wrong is said at once.
        let mut form = route(written, &at, names, scope, findings);
        if let Some(members) = form.as_object_mut() {
            let errors = shapes.of_route(written.errors.as_deref(), &at, findings);
            members.insert("errors".to_owned(), errors.into());
            handing_on::add(written, file, &at, members, findings);
            credential_in::check_policy(written, file, &at, findings);
            let resource = written.resource.as_ref();
            let resource =
                resource.map(|own| resource::resource(own, written, file, allow_http, &at, findings));
            members.insert("resource".to_owned(), resource.into());
            let authorize = authorize::of_route(written, file, names.own_fields, &at, scope, findings);
            members.extend(authorize.map(|authorize| ("authorize".to_owned(), authorize)));
        }
        routes.push(form);
        if let Some(pattern) = &pattern {
            paths.insert(written, pattern, &at, findings);
        }
    }
    if file.routes.is_empty() {
        findings.follow_up("/routes", "must have at least one route");
    }
    routes
}

/// The paths of the routes, to find those that two routes have.
struct Paths {
    table: RouteTable,
    readings: Readings,
    count: usize,
}

impl Paths {
    fn insert(&mut self, route: &RouteFile, pattern: &Pattern, at: &str, findings: &mut Findings) {
        let methods = methods::of_route(route);
        let at = format!("{at}/path");
        let mut is_new = true;
        for method in &methods {
            if !self.table.insert(pattern, method, self.count) {
                is_new = false;
                findings.error(&at, format!("{method} {} is already the path of another route", route.path));
            }
        }
        self.count += 1;
        if self.readings.insert(pattern, &methods, Vec::new()).is_err() && is_new {
            let what = "is the path of another route in another spelling, and backends take the two for one";
            findings.error(at, what);
        }
    }
}

pub(super) fn regions(file: &GatewayFile, names: &Names<'_>, findings: &mut Findings) -> Vec<Value> {
    let scope = Scope { named: names.named, pattern: None };
    let regions = file.regions.iter().map(|(name, when)| {
        let when = conditions::conditions(when, &format!("/regions/{}", escape(name)), scope, findings);
        json!({ "name": name, "when": when })
    });
    regions.collect()
}

/// `[cors]`, and behind it the policy that needs no section.
pub(super) fn policies(files: &Table<CorsFile>, findings: &mut Findings) -> Vec<Value> {
    let written = files.iter().map(|(name, file)| policy(name, file, findings));
    written.chain([json!({ "anything_goes": true })]).collect()
}

fn policy(name: &str, file: &CorsFile, findings: &mut Findings) -> Value {
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
    let mut list = |names: &[String], field| {
        write_all(&format!("{at}/{field}"), names.iter().map(String::as_str), findings)
    };
    let (headers, expose) = (list(&file.headers, "headers"), list(&file.expose, "expose"));
    json!({
        "origins": origins,
        "headers": headers,
        "expose": expose,
        "max_age": span(file.max_age.as_deref(), Span::from_secs(600), &format!("{at}/max_age"), findings),
        "credentials": file.credentials.unwrap_or(false),
    })
}

/// `*` stands for any origin, where credentials stay at home; whoever is to send them is named.
fn origins(file: &CorsFile, at: &str, findings: &mut Findings) -> Option<Vec<Value>> {
    let at = format!("{at}/origins");
    let written = file.origins.list();
    if written == ["*"] {
        if file.credentials == Some(true) {
            findings.error(at, "must name the origins where credentials = true: with *, any page could use a visitor's cookies");
        }
        return None;
    }
    let single = matches!(file.origins, OneOrMany::One(_));
    for (index, origin) in written.into_iter().enumerate() {
        let pointer = if single { at.clone() } else { format!("{at}/{index}") };
        findings.take(&pointer, OriginPattern::parse(origin));
    }
    Some(file.origins.write(&at, findings))
}

/// The place of a route's policy; `None` where it has none.
fn policy_of(file: &RouteFile, at: &str, names: &Names<'_>, findings: &mut Findings) -> Option<usize> {
    match file.cors.as_deref()? {
        "none" => None,
        "anything-goes" => Some(names.policies.len()),
        name => {
            let place = names.policies.iter().position(|own| *own == name);
            if place.is_none() {
                let hint = "write \"none\", \"anything-goes\" or a name of [cors]";
                let all = names.policies.iter().copied().chain(["none", "anything-goes"]);
                findings.unknown(Kind::Policy, format!("{at}/cors"), name, all, hint);
            }
            place
        }
    }
}

fn route(file: &RouteFile, at: &str, names: &Names<'_>, scope: Scope<'_>, findings: &mut Findings) -> Value {
    let cors = policy_of(file, at, names, findings);
    let rewrite = file.rewrite.as_deref().map(|text| {
        let pointer = format!("{at}/rewrite");
        if let Some(pattern) = scope.pattern {
            findings.take(&pointer, Rewrite::parse(text, pattern));
        }
        findings.write(&pointer, text)
    });
    let auth = auth(file, at, names, findings);
    let timeout = file.timeout.as_deref().map(|text| {
        let pointer = format!("{at}/timeout");
        let timeout = read_timeout(Some(text), Span::default(), &pointer, findings);
        findings.write(&pointer, timeout.millis())
    });
    if file.rules.is_empty() {
        findings.error(
            format!("{at}/rules"),
            "must have at least one rule: without one, no request could go anywhere",
        );
    }
    let require = file.require.as_ref();
    let require = require.map(|all| conditions::conditions(all, &format!("{at}/require"), scope, findings));
    let body = |text| super::sources::size(Some(text), 0, 1..=MAX_BODY, &format!("{at}/max_body"), findings);
    let max_body = file.max_body.as_deref().map(body);
    methods::check(file, at, findings);
    let rules_of = |written: &[RuleFile], field: &str, findings: &mut Findings| {
        rules(written, &format!("{at}/{field}"), names, scope, findings)
    };
    let name = match &file.name {
        Some(name) => findings.write(&format!("{at}/name"), name.as_str()),
        None => findings.write(&format!("{at}/path"), file.path.as_str()),
    };
    let mut form = json!({
        "name": name,
        "path": findings.write(&format!("{at}/path"), file.path.as_str()),
        "methods": methods::of_route(file),
        "api_key": auth.api_key,
        "client_certificate": auth.client_certificate,
        "issuers": auth.issuers,
        "anonymous": file.anonymous.unwrap_or(false),
        "cors": cors,
        "customer_by_host": customer_by_host(file, at, names, findings),
        "rewrite": rewrite,
        "require": require,
        "max_body": max_body,
        "rules": rules_of(&file.rules, "rules", findings),
        "shadow_rules": rules_of(&file.shadow_rules, "shadow_rules", findings),
        "timeout": timeout,
        "server_timing": file.server_timing.unwrap_or(false),
        "request_id": file.request_id.unwrap_or(false),
        "limits": limits::of_route(file, at, &names.limits, scope, findings),
    });
    if let Value::Object(members) = &mut form {
        members.extend(credential_in::of_route(file, at, findings));
    }
    form
}

/// Whether the host says whose a request is.
fn customer_by_host(file: &RouteFile, at: &str, names: &Names<'_>, findings: &mut Findings) -> bool {
    let Some(customer) = &file.customer else { return false };
    let at = format!("{at}/customer");
    if customer != BY_HOST {
        findings.error(at, "must be \"$host\"; by the claim of [customers] a customer is known without it");
    } else if !names.has_customers {
        findings.error(at, "\"$host\" needs a [customers] section");
    }
    true
}

/// Which credentials a route takes.
#[derive(Default)]
struct Auth {
    api_key: bool,
    client_certificate: bool,
    /// Places of issuers.
    issuers: Vec<usize>,
}

fn auth(file: &RouteFile, at: &str, names: &Names<'_>, findings: &mut Findings) -> Auth {
    let mut auth = Auth::default();
    for (index, name) in file.auth.iter().enumerate() {
        let pointer = format!("{at}/auth/{index}");
        if name == API_KEY {
            auth.api_key = true;
            if !names.has_api_keys {
                findings.error(pointer, "\"api_key\" needs an [api_keys] section");
            }
            continue;
        }
        if name == CLIENT_CERTIFICATE {
            auth.client_certificate = true;
            continue;
        }
        match names.issuers.iter().position(|issuer| **issuer == **name) {
            Some(issuer) => auth.issuers.push(issuer),
            None => {
                let all = names.issuers.iter().copied().chain([API_KEY, CLIENT_CERTIFICATE]);
                findings.unknown(
                    Kind::Issuer,
                    pointer,
                    name,
                    all,
                    "write \"api_key\", \"client_certificate\" or the name of an issuer",
                );
            }
        }
    }
    introspection::refuse_two(file, &names.issuer_files, at, findings);
    if file.auth.is_empty() && file.anonymous == Some(true) {
        findings.warn(format!("{at}/anonymous"), "auth = [] needs no credential already");
    }
    auth
}

/// Reads a list of rules.
fn rules(
    written: &[RuleFile],
    at: &str,
    names: &Names<'_>,
    scope: Scope<'_>,
    findings: &mut Findings,
) -> Vec<Value> {
    let mut rules: Vec<Value> = Vec::with_capacity(written.len());
    // Those before that match for good, and what they match.
    let mut before: Vec<(&str, Vec<Condition>)> = Vec::new();
    for (index, rule) in written.iter().enumerate() {
        let at = format!("{at}/{index}");
        if written.iter().take(index).any(|other| other.name == rule.name) {
            findings.error(
                format!("{at}/name"),
                format!("\"{}\" is already the name of another rule of this route", rule.name),
            );
        }
        let mut form = action(rule, &at, names, scope, findings);
        let (when, errors) = (rule.when.as_ref(), findings.errors());
        let when = when.map(|when| conditions::conditions(when, &format!("{at}/when"), scope, findings));
        let is_read = findings.errors() == errors;
        let within = rule.within.as_ref().map(|within| within.write(&format!("{at}/within"), findings));
        if within.as_ref().is_some_and(Vec::is_empty) {
            findings.error(format!("{at}/within"), "must name at least one region");
        }
        check_within(rule, &at, names, findings);
        if let Value::Object(members) = &mut form {
            members.insert("name".to_owned(), findings.write(&format!("{at}/name"), rule.name.as_str()));
            members.insert("when".to_owned(), when.into());
            members.insert("within".to_owned(), within.into());
        }
        // Nobody knows what a rule matches whose conditions cannot be read.
        if !is_read {
            rules.push(form);
            continue;
        }
        let when = conditions_of(&form, scope);
        let all = Condition::All(when.clone());
        let covers = |earlier: &[Condition]| earlier.iter().all(|condition| condition.is_implied_by(&all));
        if let Some((name, _)) = before.iter().find(|(_, earlier)| covers(earlier)) {
            findings.error(&at, format!("is never reached: rule \"{name}\" matches whatever it matches"));
        }
        if rule.unlisted.as_deref() != Some("next") {
            before.push((rule.name.as_str(), when));
        }
        rules.push(form);
    }
    rules
}

/// Whether the backends that a rule leads to have an origin where the rule keeps its requests: else it refuses them all.
fn check_within(rule: &RuleFile, at: &str, names: &Names<'_>, findings: &mut Findings) {
    let Some(within) = rule.within.as_ref().map(OneOrMany::list).filter(|within| !within.is_empty()) else {
        return;
    };
    let targets = rule.split.iter().flatten().map(|variant| variant.to.as_str()).chain(rule.to.as_deref());
    for target in targets {
        // Of a customer's own backend the record says where it stands.
        let Some((name, backend)) = names.backends.iter().find(|(name, _)| *name == target) else { continue };
        let origins = backend.origins.iter().flatten().map(|origin| origin.region.as_deref());
        let regions: Vec<&str> = origins.chain([backend.region.as_deref()]).flatten().collect();
        if regions.iter().any(|region| within.contains(region)) {
            continue;
        }
        let there = match regions.as_slice() {
            [] => "has no region".to_owned(),
            regions => format!("stands in {} alone", regions.join(", ")),
        };
        let region = within.first().copied().unwrap_or_default();
        let place =
            if backend.origins.is_some() { "at its origins that are there" } else { "beside its url" };
        findings.error(
            format!("{at}/within"),
            format!(
                "keeps the requests where the backend \"{name}\", which {there}, never is, so that all are refused: write region = \
                 \"{region}\" in [backends.{name}], {place}, or leave within out"
            ),
        );
    }
}

fn action(file: &RuleFile, at: &str, names: &Names<'_>, scope: Scope<'_>, findings: &mut Findings) -> Value {
    let next = match file.unlisted.as_deref() {
        None | Some("refuse") => false,
        Some("next") => true,
        Some(_) => {
            findings.error(format!("{at}/unlisted"), "must be \"refuse\" or \"next\"");
            false
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
        (Some(name), None, None) => json!({ "to": target(name, next, &format!("{at}/to"), names, findings) }),
        (None, Some(variants), None) => split(file, variants, next, at, names, scope, findings),
        (None, None, Some(status)) => {
            if !(400..=599).contains(&status) {
                findings.error(format!("{at}/deny"), "must be a status from 400 to 599");
            }
            json!({ "deny": status })
        }
        _ => {
            findings.error(at, "must have exactly one of to, split and deny");
            json!({})
        }
    }
}

/// A backend's place, or the customer's own backend: with `next`, callers whom it is not for go on to the next rule.
fn target(name: &str, next: bool, at: &str, names: &Names<'_>, findings: &mut Findings) -> Value {
    if name == "customer" {
        if !names.has_customers {
            findings.error(at, "\"customer\" needs a [customers] section");
        }
        return if next { "customer-or-next" } else { "customer" }.into();
    }
    let place = names.backends.iter().position(|(backend, _)| *backend == name);
    if place.is_none() {
        let all = names.backends.iter().map(|(backend, _)| *backend).chain(["customer"]);
        findings.unknown(Kind::Backend, at, name, all, "write \"customer\" or the name of a backend");
    }
    place.into()
}

fn split(
    file: &RuleFile,
    variants: &[VariantFile],
    next: bool,
    at: &str,
    names: &Names<'_>,
    scope: Scope<'_>,
    findings: &mut Findings,
) -> Value {
    let mut operands = |written: Option<&OneOrMany>, field: &str| -> Vec<String> {
        let names = written.map(OneOrMany::list).unwrap_or_default();
        let at = format!("{at}/{field}");
        let known = names.into_iter().filter(|name| operands::operand(name, &at, scope, findings).is_some());
        known.map(str::to_owned).collect()
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
        return json!({});
    };
    let mut read = Vec::new();
    for ((index, variant), end) in variants.iter().enumerate().zip(ends) {
        let pointer = format!("{at}/split/{index}/to");
        if variants.iter().take(index).any(|other| other.to == variant.to) {
            findings.error(&pointer, format!("\"{}\" is a duplicate", variant.to));
        }
        let to = target(&variant.to, next, &pointer, names, findings);
        read.push(json!({ "name": variant.to, "to": to, "end": end }));
    }
    let salt = match &file.salt {
        Some(salt) => findings.write(&format!("{at}/salt"), salt.as_str()),
        None => findings.write(&format!("{at}/name"), file.name.as_str()),
    };
    json!({ "split": read, "by": by, "chosen_by": chosen_by, "salt": salt })
}
