//! From the written configuration to the checked form that the Worker reads, with all that is wrong and odd about it.

use std::collections::BTreeMap;

use pointsman_checked::{Fault, Started, has_variables, read_document, substitute};
use pointsman_core::{
    base::{
        digest::Digest,
        object::{ObjectError, parse_object},
        shape::At,
        time::Span,
    },
    state::config::Gateway,
};
use serde_json::Value;

pub use pointsman_checked::{Variable, Variables, unset_variable};

mod authorize;
mod backend_fields;
mod backends;
mod conditions;
mod credential_fields;
mod credential_in;
mod customer_secrets;
mod errors;
pub mod file;
pub mod findings;
mod form;
mod handing_on;
mod identities;
mod identity_token;
mod introspection;
mod issuers;
mod limits;
mod methods;
pub mod operands;
pub mod places;
mod possession;
pub mod presets;
mod renamed;
mod resource;
mod routes;
mod shape;
mod sources;
pub mod spelling;
mod telemetry;
mod values;

pub use self::backend_fields::can_be_field_of_backend;
use self::{
    file::GatewayFile,
    findings::{Finding, Findings, Kind, Severity, escape},
};

/// A configuration that can be used, and what is odd about it.
pub struct Checked {
    /// The configuration.
    pub gateway: Gateway,
    /// The configuration in checked form, which the Worker reads. It holds the names of variables, and no value of any.
    pub form: Value,
    /// Warnings.
    pub warnings: Vec<Finding>,
}

/// Reads a configuration from JSON.
///
/// # Errors
/// Everything that is wrong with it, warnings included.
pub fn parse(json: &str, variables: &dyn Variables) -> Result<Checked, Vec<Finding>> {
    let mut document = match parse_object(json.as_bytes()) {
        Ok(members) => Value::Object(members),
        Err(error) => {
            let what = match error {
                ObjectError::NotAnObject(what) => format!("is not a JSON object: {what}"),
                ObjectError::DuplicateMember => "has a duplicate member".to_owned(),
            };
            return Err(vec![Finding {
                severity: Severity::Error,
                pointer: String::new(),
                what: what.into(),
            }]);
        }
    };
    let preset_faults = presets::expand(&mut document);
    let mut texts = BTreeMap::new();
    texts_with_variables(&document, &At::Root, &mut texts);
    let mut faults = Vec::new();
    substitute(&mut document, variables, &mut faults);
    let mut findings = Findings::default();
    // What stands in the place of a variable that is missing is of no type: that it does not fit is no fault of its own.
    let missing: Vec<String> = faults.iter().map(|fault| fault.pointer.clone()).collect();
    for Fault { pointer, what } in faults {
        findings.error(pointer, what);
    }
    let (file, differences) = shape::read(&document, &mut findings);
    let shape_is_good = !findings.has_errors();
    for Finding { pointer, what, .. } in preset_faults {
        findings.error(pointer, what);
    }
    let mut meaning = Findings::of_texts(texts);
    let version = format!("{:016x}", Digest::of(json.as_bytes()).prefix());
    let form = file.map(|file| form::write(&file, &version, &mut meaning));
    if shape_is_good && !meaning.has_errors() {
        meaning.refuse_other_variables();
    }
    // What follows from what could not be read is left out: a removed backend is not also an unknown one.
    let meaning = if shape_is_good { meaning.into_vec() } else { meaning.into_causes() };
    let mut all = findings.into_vec();
    let meaning = meaning.into_iter().filter_map(|finding| differences.as_written(finding));
    all.extend(meaning.filter(|finding| !missing.contains(&finding.pointer)));
    match form {
        Some(form) if all.iter().all(|finding| finding.severity == Severity::Warning) => {
            start(form, variables, all)
        }
        _ => Err(all),
    }
}

/// Reads the checked form back, as the Worker does: what it could not use is never written.
fn start(
    form: Value,
    variables: &dyn Variables,
    mut warnings: Vec<Finding>,
) -> Result<Checked, Vec<Finding>> {
    match read_document(&mut form.clone(), variables) {
        Ok(Started { gateway, shut }) => {
            warnings.extend(shut.into_iter().map(|fault| Finding::of(Severity::Warning, fault)));
            Ok(Checked { gateway, form, warnings })
        }
        Err(faults) => {
            warnings.extend(faults.into_iter().map(|fault| Finding::of(Severity::Error, fault)));
            Err(warnings)
        }
    }
}

/// Notes the texts that have places for variables, by their pointers.
fn texts_with_variables(value: &Value, at: &At<'_>, texts: &mut BTreeMap<String, String>) {
    match value {
        Value::String(text) if has_variables(text) => {
            texts.insert(at.to_string(), text.clone());
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                texts_with_variables(item, &At::Item(at, index), texts);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                texts_with_variables(member, &At::Member(at, name), texts);
            }
        }
        _ => {}
    }
}

/// The items of a list as the checked form has them.
fn write_all<'a>(at: &str, texts: impl Iterator<Item = &'a str>, findings: &mut Findings) -> Vec<Value> {
    texts.enumerate().map(|(index, text)| findings.write(&format!("{at}/{index}"), text)).collect()
}

/// Reads a timeout: a span that is not nothing, since nothing ends in no time at all.
fn read_timeout(text: Option<&str>, default: Span, pointer: &str, findings: &mut Findings) -> Span {
    let timeout = read_span(text, default, pointer, findings);
    if timeout == Span::default() {
        findings.error(pointer, "must be greater than 0");
    }
    timeout
}

/// How long something is fresh and stale, in checked form; `usual` where the file does not say.
fn lifetimes(
    (fresh, stale): (Option<&str>, Option<&str>),
    usual: (Span, Span),
    at: &str,
    findings: &mut Findings,
) -> (Value, Value) {
    let (fresh_at, stale_at) = (format!("{at}/fresh"), format!("{at}/stale"));
    let errors = findings.errors();
    let fresh_for = read_span(fresh, usual.0, &fresh_at, findings);
    let stale_for = read_span(stale, usual.1, &stale_at, findings);
    if fresh_for > stale_for && findings.errors() == errors {
        let usual = if stale.is_some() { "" } else { ", where nothing else is written" };
        // What the file does not say is what must be added.
        let (pointer, write) = match fresh {
            Some(_) => (&fresh_at, format!("write stale = \"{fresh_for}\" or longer, or a shorter fresh")),
            None => (&stale_at, format!("write fresh = \"{stale_for}\" or shorter, or a longer stale")),
        };
        findings.error(
            pointer,
            format!("lets fresh ({fresh_for}) be longer than stale ({stale_for}{usual}): {write}"),
        );
    }
    (findings.write(&fresh_at, fresh_for.millis()), findings.write(&stale_at, stale_for.millis()))
}

/// As [`read_timeout`], for the checked form.
fn timeout(text: Option<&str>, default: Span, pointer: &str, findings: &mut Findings) -> Value {
    let timeout = read_timeout(text, default, pointer, findings);
    findings.write(pointer, timeout.millis())
}

/// As [`read_span`], for the checked form.
fn span(text: Option<&str>, default: Span, pointer: &str, findings: &mut Findings) -> Value {
    let span = read_span(text, default, pointer, findings);
    findings.write(pointer, span.millis())
}

/// Reads a span of time, or takes the default.
fn read_span(text: Option<&str>, default: Span, pointer: &str, findings: &mut Findings) -> Span {
    let Some(text) = text else { return default };
    Span::parse(text).unwrap_or_else(|| {
        findings.error(pointer, "must be a whole number and a unit: 250ms, 30s, 5m, 24h or 7d");
        default
    })
}

fn warn_of_unused(file: &GatewayFile, findings: &mut Findings) {
    let unknown = |kind| findings.has_unknown(kind);
    // What is misspelt somewhere is not also unused.
    let [backends, issuers, policies, limits, shapes] =
        [Kind::Backend, Kind::Issuer, Kind::Policy, Kind::Limit, Kind::Shape].map(|kind| !unknown(kind));
    let rules = || file.routes.iter().flat_map(|route| route.rules.iter().chain(&route.shadow_rules));
    let used: Vec<&str> = rules()
        .flat_map(|rule| {
            let variants = rule.split.iter().flatten().map(|variant| variant.to.as_str());
            variants.chain(rule.to.as_deref())
        })
        .collect();
    for name in file.backends.names().filter(|name| backends && !used.contains(name)) {
        findings.warn(format!("/backends/{}", escape(name)), "no rule leads to this backend");
    }
    let accepted: Vec<&str> = file.routes.iter().flat_map(|route| &route.auth).map(String::as_str).collect();
    for (index, issuer) in file.issuers.iter().enumerate() {
        if issuers && !accepted.contains(&issuer.name.as_str()) {
            findings.warn(format!("/issuers/{index}"), "no route accepts this issuer's tokens");
        }
    }
    if issuers && file.api_keys.is_some() && !accepted.contains(&"api_key") {
        findings.warn("/api_keys", "no route accepts API keys");
    }
    let named: Vec<&str> = file.routes.iter().filter_map(|route| route.cors.as_deref()).collect();
    for name in file.cors.names().filter(|name| policies && !named.contains(name)) {
        findings.warn(format!("/cors/{}", escape(name)), "no route has this policy");
    }
    if let Some(errors) = file.errors.as_ref().filter(|_| shapes) {
        let named =
            || file.routes.iter().filter_map(|route| route.errors.as_deref()).chain(errors.shape.as_deref());
        for name in errors.shapes.names().filter(|name| !named().any(|used| used == *name)) {
            findings.warn(format!("/errors/shapes/{}", escape(name)), "no route has this shape");
        }
    }
    let used: Vec<&str> = file.routes.iter().flat_map(limits::used).collect();
    for name in file.limits.names().filter(|name| limits && !used.contains(name)) {
        findings.warn(format!("/limits/{}", escape(name)), "no route has this limit");
    }
}

#[cfg(test)]
mod tests;
