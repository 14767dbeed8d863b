//! The parts of a configuration that say where requests go: CORS policies, routes and rules.

use std::{collections::BTreeMap, rc::Rc};

use serde_json::Value;

use super::{
    UNKNOWN,
    file::{CorsFile, GatewayFile, RouteFile, RuleFile},
    findings::{Findings, escape},
    span,
};
use crate::{
    claims::ClaimPath,
    config::{Gateway, Route, RouteAuth},
    cors::{CorsPolicy, OriginPattern, Origins, RequestHeaders},
    forward::fields::is_token,
    route::{
        pattern::{Pattern, Rewrite},
        rule::{Action, Condition, Operand, Rule, Test, Unlisted},
    },
    time::Span,
};

const DEFAULT_METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// Methods that Fetch does not send.
const FORBIDDEN_METHODS: [&str; 3] = ["CONNECT", "TRACE", "TRACK"];

pub(super) fn build(file: &GatewayFile, gateway: &mut Gateway, findings: &mut Findings) {
    let policies = policies(&file.cors, findings);
    for (index, route) in file.routes.iter().enumerate() {
        let at = format!("/routes/{index}");
        let Some(pattern) = findings.take(&format!("{at}/path"), Pattern::parse(&route.path)) else {
            // The rest is looked at all the same, so that all that is wrong is said at once.
            rules(route, &at, gateway, findings);
            auth(route, &at, gateway, findings);
            continue;
        };
        let built = self::route(route, &at, &pattern, &policies, gateway, findings);
        let position = gateway.routes.len();
        gateway.routes.push(built);
        for method in methods(route, &at, findings) {
            if !gateway.table.insert(&pattern, &method, position) {
                let taken = format!("{method} {} is already the path of another route", route.path);
                findings.error(format!("{at}/path"), taken);
            }
        }
    }
    if file.routes.is_empty() {
        findings.error("/routes", "must have at least one route");
    }
}

fn policies(files: &BTreeMap<String, CorsFile>, findings: &mut Findings) -> BTreeMap<String, Rc<CorsPolicy>> {
    files.iter().map(|(name, file)| (name.clone(), Rc::new(policy(name, file, findings)))).collect()
}

fn policy(name: &str, file: &CorsFile, findings: &mut Findings) -> CorsPolicy {
    let at = format!("/cors/{}", escape(name));
    if matches!(name, "none" | "anything-goes") {
        findings.error(&at, "this name is built in; call the policy something else");
    }
    let mut origins = Vec::new();
    for (index, origin) in file.origins.iter().enumerate() {
        match OriginPattern::parse(origin) {
            Some(pattern) => origins.push(pattern),
            None => findings.error(
                format!("{at}/origins/{index}"),
                "must be an origin in lower case without a path (https://app.example.com), or one with a free first label (https://*.example.com)",
            ),
        }
    }
    for (list, names) in [("headers", &file.headers), ("expose", &file.expose)] {
        for (index, name) in names.iter().enumerate().filter(|(_, name)| !is_token(name) || *name == "*") {
            findings.error(format!("{at}/{list}/{index}"), format!("\"{name}\" is no field name"));
        }
    }
    CorsPolicy {
        origins: Origins::Listed(origins),
        headers: RequestHeaders::Listed(file.headers.clone()),
        expose: file.expose.clone(),
        max_age: span(file.max_age.as_deref(), Span::from_secs(600), &format!("{at}/max_age"), findings),
        credentials: file.credentials.unwrap_or(false),
    }
}

fn route(
    file: &RouteFile,
    at: &str,
    pattern: &Pattern,
    policies: &BTreeMap<String, Rc<CorsPolicy>>,
    gateway: &Gateway,
    findings: &mut Findings,
) -> Route {
    let cors = match file.cors.as_deref() {
        None | Some("none") => None,
        Some("anything-goes") => Some(Rc::new(CorsPolicy::anything_goes())),
        Some(name) => policies.get(name).cloned().or_else(|| {
            let hint = "write \"none\", \"anything-goes\" or a name of [cors]";
            findings.error(format!("{at}/cors"), format!("\"{name}\" {UNKNOWN}: {hint}"));
            None
        }),
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
    Route {
        name: Rc::from(file.name.as_deref().unwrap_or(&file.path)),
        challenge: challenge(&auth, gateway),
        auth,
        cors,
        rewrite,
        rules: rules(file, at, gateway, findings),
        timeout,
        server_timing: file.server_timing.unwrap_or(false),
        shows_request_id: file.request_id.unwrap_or(false),
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

fn rules(file: &RouteFile, at: &str, gateway: &Gateway, findings: &mut Findings) -> Vec<Rule> {
    if file.rules.is_empty() {
        findings.error(
            format!("{at}/rules"),
            "must have at least one rule: without one, no request could go anywhere",
        );
    }
    let mut rules: Vec<Rule> = Vec::with_capacity(file.rules.len());
    for (index, written) in file.rules.iter().enumerate() {
        let at = format!("{at}/rules/{index}");
        if rules.iter().any(|other| *other.name == *written.name) {
            findings.error(
                format!("{at}/name"),
                format!("\"{}\" is already the name of another rule of this route", written.name),
            );
        }
        let when = written.when.iter().filter_map(|(of, test)| condition(of, test, &at, findings)).collect();
        let action = action(written, &at, gateway, findings);
        let rule = Rule { name: Rc::from(written.name.as_str()), when, action };
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

fn action(file: &RuleFile, at: &str, gateway: &Gateway, findings: &mut Findings) -> Action {
    let unlisted = match file.unlisted.as_deref() {
        None | Some("refuse") => Unlisted::Refuse,
        Some("next") => Unlisted::Next,
        Some(_) => {
            findings.error(format!("{at}/unlisted"), "must be \"refuse\" or \"next\"");
            Unlisted::Refuse
        }
    };
    if file.unlisted.is_some() && file.to.as_deref() != Some("customer") {
        findings.error(format!("{at}/unlisted"), "is only for to = \"customer\"");
    }
    let refuse = Action::Deny(403);
    match (file.to.as_deref(), file.deny) {
        (Some("customer"), None) => {
            if gateway.customers.is_none() {
                findings.error(format!("{at}/to"), "\"customer\" needs a [customers] section");
            }
            Action::Customer { unlisted }
        }
        (Some(name), None) => match gateway.backends.iter().position(|backend| *backend.name == *name) {
            Some(index) => Action::Backend(index),
            None => {
                let hint = "write \"customer\" or the name of a backend";
                findings.error(format!("{at}/to"), format!("\"{name}\" {UNKNOWN}: {hint}"));
                refuse
            }
        },
        (None, Some(status)) => {
            if !(400..=599).contains(&status) {
                findings.error(format!("{at}/deny"), "must be a status from 400 to 599");
            }
            Action::Deny(status)
        }
        (Some(_), Some(_)) | (None, None) => {
            findings.error(at, "must have exactly one of to and deny");
            refuse
        }
    }
}

fn condition(of: &str, test: &Value, at: &str, findings: &mut Findings) -> Option<Condition> {
    let pointer = format!("{at}/when/{}", escape(of));
    let operand = match of.strip_prefix('$') {
        Some("subject") => Operand::Subject,
        Some(_) => {
            findings.error(&pointer, "is nothing that can be asked for: write a claim's name, a JSON Pointer into the claims (\"/org/plan\") or \"$subject\"");
            return None;
        }
        None => match ClaimPath::parse(of) {
            Some(path) => Operand::Claim(path),
            None => {
                findings.error(&pointer, "is neither a claim's name nor a JSON Pointer");
                return None;
            }
        },
    };
    self::test(test, &pointer, findings).map(|test| Condition { of: operand, test })
}

fn test(value: &Value, at: &str, findings: &mut Findings) -> Option<Test> {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Some(Test::Equals(value.clone())),
        Value::Array(items) => one_of(items, at, findings),
        Value::Object(members) => {
            let tests: Vec<_> =
                members.iter().map(|(name, operand)| operator(name, operand, at, findings)).collect();
            let mut tests = tests.into_iter().collect::<Option<Vec<_>>>()?;
            match tests.len() {
                0 => {
                    findings.error(at, "must say what the value must be");
                    None
                }
                1 => tests.pop(),
                _ => Some(Test::All(tests)),
            }
        }
        Value::Null => {
            findings.error(at, "must not be null: { exists = false } asks that a claim is not there");
            None
        }
    }
}

fn operator(name: &str, operand: &Value, at: &str, findings: &mut Findings) -> Option<Test> {
    let pointer = format!("{at}/{}", escape(name));
    match (name, operand) {
        ("exists", Value::Bool(wanted)) => Some(Test::Exists(*wanted)),
        ("exists", _) => {
            findings.error(pointer, "must be true or false");
            None
        }
        ("equals", _) => scalar(operand, &pointer, findings).map(Test::Equals),
        ("contains", _) => scalar(operand, &pointer, findings).map(Test::Contains),
        ("in", Value::Array(items)) => one_of(items, &pointer, findings),
        ("in", _) => {
            findings.error(pointer, "must be a list");
            None
        }
        ("not", _) => test(operand, &pointer, findings).map(|test| Test::Not(Box::new(test))),
        _ => {
            findings.error(pointer, "is no test: write exists, equals, in, contains or not. A claim inside a claim is named by a JSON Pointer: \"/org/plan\"");
            None
        }
    }
}

fn one_of(items: &[Value], at: &str, findings: &mut Findings) -> Option<Test> {
    if items.is_empty() {
        findings.error(at, "must hold at least one value: nothing is one of none");
        return None;
    }
    let values =
        items.iter().enumerate().map(|(index, item)| scalar(item, &format!("{at}/{index}"), findings));
    values.collect::<Option<Vec<_>>>().map(Test::OneOf)
}

fn scalar(value: &Value, at: &str, findings: &mut Findings) -> Option<Value> {
    if matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)) {
        return Some(value.clone());
    }
    findings.error(at, "must be a string, a number, true or false");
    None
}
