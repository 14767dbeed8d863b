//! The whole in checked form.

use pointsman_checked::{DEFAULT_PROBLEM_BASE, FORMAT, MAX_USER_AGENT, is_user_agent};
use pointsman_core::{customer::backend_url::AllowHttp, http::fields::is_token};
use serde_json::{Value, json};

use super::{
    backends, conditions, credential_fields, customer_secrets,
    errors::Shapes,
    file::GatewayFile,
    findings::Findings,
    identities, identity_token, issuers, limits, possession,
    routes::{self, Names},
    sources, telemetry, warn_of_unused,
};

/// What the gateway's own requests say in `User-Agent` where nothing else is configured.
const DEFAULT_USER_AGENT: &str = concat!("pointsman/", env!("CARGO_PKG_VERSION"));

/// Checks the file and writes the form. Where there are errors, it is of no use.
pub(super) fn write(file: &GatewayFile, version: &str, findings: &mut Findings) -> Value {
    let allow_http = match file.allow_http.as_deref().map(AllowHttp::parse) {
        None => AllowHttp::Never,
        Some(Some(allow_http)) => allow_http,
        Some(None) => {
            findings.error("/allow_http", "must be \"never\", \"loopback\" or \"always\"");
            AllowHttp::Never
        }
    };
    let store_timeout = sources::store_timeout(file.store.as_ref(), findings);
    let api_keys = file.api_keys.as_ref().map(|keys| identities::api_keys(keys, findings));
    let client_certificates = possession::client_certificates(file, api_keys.as_ref(), findings);
    let dpop = possession::dpop(file, findings);
    let issuers = issuers::all(&file.issuers, file.customers.is_some(), allow_http, findings);
    let (identity, own_fields) = identities::identity(file.identity.as_ref(), findings);
    let customers = file.customers.as_ref().map(|customers| {
        let mut form = sources::customers(customers, allow_http, findings);
        if let (Some(secrets), Value::Object(members)) = (&customers.secrets, &mut form) {
            customer_secrets::add(secrets, &own_fields, members, findings);
        }
        form
    });
    credential_fields::check_apart(file, &own_fields, findings);
    let removed = identities::removed(file.forward.as_ref(), &own_fields, findings);
    let backends = backends::all(file, &own_fields, allow_http, findings);
    let limits = limits::all(file, findings);
    let named = conditions::named(&file.conditions, findings);
    identity_token::check_path(file, findings);
    let names = Names::of(file, &named, &own_fields);
    let regions = routes::regions(file, &names, findings);
    let cors = routes::policies(&file.cors, findings);
    let mut shapes = Shapes::of(file, findings);
    let routes = routes::all(file, &names, &mut shapes, allow_http, findings);
    check_announced(file, findings);
    warn_of_unused(file, findings);
    let mut form = json!({
        "format": FORMAT,
        "version": version,
        "name": name(file, findings),
        "user_agent": user_agent(file, findings),
        "problem_base": findings.write("/problem_base", file.problem_base.as_deref().unwrap_or(DEFAULT_PROBLEM_BASE)),
        "allow_http": findings.write("/allow_http", file.allow_http.as_deref().unwrap_or("never")),
        "store_timeout": store_timeout,
        "memory": sources::budgets(file.memory.as_ref(), findings),
        "directory": sources::directory(file.directory.as_ref(), findings),
        "operator": sources::operator(file.operator.as_ref(), allow_http, findings),
        "api_keys": api_keys,
        "client_certificates": client_certificates,
        "dpop": dpop,
        "customers": customers,
        "issuers": issuers,
        "identity": identity,
        "remove": removed,
        "case_insensitive": file.forward.as_ref().and_then(|own| own.case_insensitive).unwrap_or(false),
        "backends": backends,
        "regions": regions,
        "limits": limits,
        "conditions": named.iter().map(|one| one.form.clone()).collect::<Vec<_>>(),
        "cors": cors,
        "errors": shapes.form(),
        "routes": routes,
    });
    // What most configurations say nothing of is not in the form.
    let keep = keeps_request_id(file, findings).then(|| true.into());
    let log = telemetry::log(file.log.as_ref(), findings);
    let tracing = telemetry::tracing(file.tracing.as_ref(), findings);
    if let Value::Object(members) = &mut form {
        let rare = [("keep_request_id", keep), ("log", log), ("tracing", tracing)];
        members.extend(rare.into_iter().filter_map(|(name, form)| Some((name.to_owned(), form?))));
    }
    form
}

fn keeps_request_id(file: &GatewayFile, findings: &mut Findings) -> bool {
    match file.forward.as_ref().and_then(|own| own.request_id.as_deref()) {
        None | Some("replace") => false,
        Some("keep") => true,
        Some(_) => {
            findings.error("/forward/request_id", "must be \"keep\" or \"replace\"");
            false
        }
    }
}

fn user_agent(file: &GatewayFile, findings: &mut Findings) -> Value {
    let text = file.user_agent.as_deref().unwrap_or(DEFAULT_USER_AGENT);
    if !is_user_agent(text) {
        let what = format!(
            "must be 1 to {MAX_USER_AGENT} characters of printable ASCII without a space at either end: it stands in \
             the User-Agent field"
        );
        findings.error("/user_agent", what);
    }
    findings.write("/user_agent", text)
}

fn name(file: &GatewayFile, findings: &mut Findings) -> Value {
    let name = file.name.as_deref().unwrap_or("pointsman");
    if !is_token(name) {
        findings.error("/name", "must be letters, digits, - or _: it stands in the Via field");
    }
    findings.write("/name", name)
}

/// Whoever announces changes needs somewhere to do so.
fn check_announced(file: &GatewayFile, findings: &mut Findings) {
    let source = file.customers.as_ref().and_then(|customers| customers.source.as_ref());
    let is_announced = source.is_some_and(|source| source.changes.as_deref() == Some("announced"));
    let has_place = file.operator.as_ref().is_some_and(|operator| operator.ledger.is_some());
    if is_announced && !has_place {
        let what = "needs a path where changes can be announced: set [operator] ledger";
        findings.error("/customers/source/changes", what);
    }
}
