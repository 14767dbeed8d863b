//! From the written configuration to a checked [`Gateway`]: the same code at build time, in the
//! command line and at the edge.

use pointsman_core::{
    base::{
        digest::Digest,
        object::{ObjectError, parse_object},
        time::Span,
    },
    customer::backend_url::AllowHttp,
    forward::plan::Via,
    http::fields::{FieldPolicy, is_token},
    routing::readings::Readings,
    state::config::Gateway,
};
use serde_json::Value;

mod backends;
mod conditions;
pub mod file;
pub mod findings;
mod identities;
mod identity_token;
mod limits;
mod routes;
mod shape;
mod sources;
mod variables;

pub use self::variables::{Variable, Variables};
use self::{
    file::GatewayFile,
    findings::{Finding, Findings, escape},
};

/// A configuration that can be used, and what is odd about it.
pub struct Checked {
    /// The configuration.
    pub gateway: Gateway,
    /// Warnings.
    pub warnings: Vec<Finding>,
}

/// Reads a configuration from JSON.
///
/// # Errors
/// Everything that is wrong with it, warnings included.
pub fn parse(json: &str, variables: &dyn Variables) -> Result<Checked, Vec<Finding>> {
    let mut findings = Findings::default();
    let document = match parse_object(json.as_bytes()) {
        Ok(members) => Value::Object(members),
        Err(error) => {
            findings.error(
                "",
                match error {
                    ObjectError::NotAnObject(what) => format!("is not a JSON object: {what}"),
                    ObjectError::DuplicateMember => "has a member that stands twice".to_owned(),
                },
            );
            return Err(findings.into_vec());
        }
    };
    let document = variables::substitute(document, variables, &mut findings);
    let (file, removed) = shape::read(&document, &mut findings);
    let shape_is_good = !findings.has_errors();
    let mut meaning = Findings::default();
    let version = format!("{:016x}", Digest::of(json.as_bytes()).prefix());
    let gateway = file.map(|file| Gateway { version, ..build(&file, &mut meaning) });
    // Follow-ups of what could not be read are left out: a removed backend is not also an unknown one.
    let meaning = meaning.into_vec().into_iter().filter(|finding| shape_is_good || !is_follow_up(finding));
    let mut all = findings.into_vec();
    all.extend(meaning.map(|finding| removed.with_original_pointer(finding)));
    match gateway {
        Some(gateway) if all.iter().all(|finding| finding.severity == findings::Severity::Warning) => {
            Ok(Checked { gateway, warnings: all })
        }
        _ => Err(all),
    }
}

/// What the type URIs of problems begin with where nothing else is configured.
pub const DEFAULT_PROBLEM_BASE: &str = "urn:pointsman:problem:";

/// What the gateway's own requests say in `User-Agent` where nothing else is configured.
const DEFAULT_USER_AGENT: &str = concat!("pointsman/", env!("CARGO_PKG_VERSION"));
const MAX_USER_AGENT: usize = 256;

const UNKNOWN: &str = "is unknown";

fn is_follow_up(finding: &Finding) -> bool {
    let is_warning = finding.severity == findings::Severity::Warning;
    is_warning || finding.what.contains(UNKNOWN) || finding.pointer == "/routes"
}

fn build(file: &GatewayFile, findings: &mut Findings) -> Gateway {
    let allow_http = match file.allow_http.as_deref().map(AllowHttp::parse) {
        None => AllowHttp::Never,
        Some(Some(allow_http)) => allow_http,
        Some(None) => {
            findings.error("/allow_http", "must be \"never\", \"loopback\" or \"always\"");
            AllowHttp::Never
        }
    };
    let store_timeout = sources::store_timeout(file.store.as_ref(), findings);
    let keys = file.api_keys.as_ref();
    let api_keys = keys.map(|keys| identities::api_keys(keys, store_timeout, findings));
    let customers = file.customers.as_ref();
    let customers =
        customers.map(|customers| sources::customers(customers, allow_http, store_timeout, findings));
    let customer = customers.as_ref().map(|customers| &customers.claim);
    let issuers = identities::issuers(&file.issuers, customer, allow_http, store_timeout, findings);
    let identity = identities::identity(file.identity.as_ref(), findings);
    let backends = backends::all(file, allow_http, findings);
    let mut gateway = Gateway {
        version: String::new(),
        routes: Vec::new(),
        table: pointsman_core::routing::table::RouteTable::default(),
        readings: Readings::new(file.forward.as_ref().and_then(|own| own.case_insensitive).unwrap_or(false)),
        fields: FieldPolicy::new(
            identity.names(),
            api_keys.as_ref().filter(|keys| !keys.in_authorization()).map(|keys| keys.field()),
            identities::removed(file.forward.as_ref(), &identity, findings),
        ),
        issuers,
        api_keys,
        customers,
        backends,
        regions: Vec::new(),
        limits: limits::all(file, findings),
        identity,
        via: via(file, findings),
        user_agent: user_agent(file, findings),
        problem_base: file.problem_base.clone().unwrap_or_else(|| DEFAULT_PROBLEM_BASE.to_owned()),
        allow_http,
        store_timeout,
        budgets: sources::budgets(file.memory.as_ref(), findings),
        operator: sources::operator(file.operator.as_ref(), findings),
    };
    identity_token::check_path(&gateway, findings);
    routes::build(file, &mut gateway, findings);
    warn_of_unused(file, findings);
    gateway
}

/// Some firewalls answer 403 to whoever says nothing, so it cannot be empty.
fn user_agent(file: &GatewayFile, findings: &mut Findings) -> String {
    let text = file.user_agent.as_deref().unwrap_or(DEFAULT_USER_AGENT);
    let is_value = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if !is_value || text.is_empty() || text.len() > MAX_USER_AGENT || text.trim() != text {
        let what = format!(
            "must be 1 to {MAX_USER_AGENT} characters of printable ASCII without a space at either end: it stands in \
             the User-Agent field"
        );
        findings.error("/user_agent", what);
    }
    text.to_owned()
}

fn via(file: &GatewayFile, findings: &mut Findings) -> Via {
    let name = file.name.as_deref().unwrap_or("pointsman");
    if !is_token(name) {
        findings.error("/name", "must be letters, digits, - or _: it stands in the Via field");
    }
    Via::new(name)
}

/// Reads a timeout: a span that is not nothing, since nothing ends in no time at all.
fn timeout(text: Option<&str>, default: Span, pointer: &str, findings: &mut Findings) -> Span {
    let timeout = span(text, default, pointer, findings);
    if timeout == Span::default() {
        findings.error(pointer, "must be longer than nothing");
    }
    timeout
}

/// Reads a span of time, or takes the default.
fn span(text: Option<&str>, default: Span, pointer: &str, findings: &mut Findings) -> Span {
    let Some(text) = text else { return default };
    Span::parse(text).unwrap_or_else(|| {
        findings.error(pointer, "must be a whole number and a unit: 250ms, 30s, 5m, 24h or 7d");
        default
    })
}

#[inline(never)]
fn warn_of_unused(file: &GatewayFile, findings: &mut Findings) {
    let rules = || file.routes.iter().flat_map(|route| route.rules.iter().chain(&route.shadow_rules));
    let used: Vec<&str> = rules()
        .flat_map(|rule| {
            let variants = rule.split.iter().flatten().map(|variant| variant.to.as_str());
            variants.chain(rule.to.as_deref())
        })
        .collect();
    for name in file.backends.names().filter(|name| !used.contains(name)) {
        findings.warn(format!("/backends/{}", escape(name)), "no rule leads to this backend");
    }
    let accepted: Vec<&str> = file.routes.iter().flat_map(|route| &route.auth).map(String::as_str).collect();
    for (index, issuer) in file.issuers.iter().enumerate() {
        if !accepted.contains(&issuer.name.as_str()) {
            findings.warn(format!("/issuers/{index}"), "no route accepts this issuer's tokens");
        }
    }
    if file.api_keys.is_some() && !accepted.contains(&"api_key") {
        findings.warn("/api_keys", "no route accepts API keys");
    }
    let policies: Vec<&str> = file.routes.iter().filter_map(|route| route.cors.as_deref()).collect();
    for name in file.cors.names().filter(|name| !policies.contains(name)) {
        findings.warn(format!("/cors/{}", escape(name)), "no route has this policy");
    }
    let limits: Vec<&str> = file.routes.iter().flat_map(limits::used).collect();
    for name in file.limits.names().filter(|name| !limits.contains(name)) {
        findings.warn(format!("/limits/{}", escape(name)), "no route has this limit");
    }
}

#[cfg(test)]
mod tests;
