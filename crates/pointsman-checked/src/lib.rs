//! The checked form: a configuration as it is shipped beside the Worker's wasm.
//!
//! `pointsman-config` reads `gateway.toml`, says what is wrong with it, and writes this form: JSON with the names of
//! `gateway.toml`, in which all defaults are written out, names of backends, issuers and limits are places in lists, and spans
//! are milliseconds. What is left open are variables: a text may hold `${NAME}`, and wherever it stands it must be of that
//! place's type once it is filled in. So the Worker carries no grammar, and an environment's variables are all that it can find
//! wrong.

use pointsman_core::{
    base::object::parse_object,
    customer::backend_url::AllowHttp,
    forward::plan::Via,
    http::fields::{FieldPolicy, NamePattern, is_field_value, is_token},
    identity::jwt::Issuer,
};
use serde_json::Value;

use self::{
    identities::{api_keys, client_certificates, dpop, identity, issuers},
    node::{Node, Read, fault},
    routes::Routes,
    sources::{budgets, customers, directory, operator},
    telemetry::telemetry,
};
use pointsman_core::state::config::{Gateway, GatewayParts};

mod backends;
mod conditions;
pub mod errors;
mod identities;
mod limits;
mod node;
pub mod routes;
mod sources;
mod telemetry;
mod variables;

pub use self::{
    backends::{FIXED_VALUE, origin_place},
    conditions::read_conditions,
    identities::MAX_LEEWAY,
    limits::LONGEST_TIMEOUT,
    node::Fault,
    routes::MAX_BODY,
    sources::{MAX_SOURCE_TIMEOUT, MAX_STORE_TIMEOUT},
    variables::{SECRET_PLACEHOLDER, Variable, Variables, has_variables, substitute, unset_variable},
};

/// The form that this version reads and writes. Another one is refused: its members could mean something else.
pub const FORMAT: u64 = 1;

/// A configuration that can be used.
pub struct Started {
    /// The configuration.
    pub gateway: Gateway,
    /// What keeps operators out, and callers not.
    pub shut: Vec<Fault>,
}

/// What the type URIs of problems begin with where nothing else is configured.
pub const DEFAULT_PROBLEM_BASE: &str = "urn:pointsman:problem:";
/// The longest text for `User-Agent`.
pub const MAX_USER_AGENT: usize = 256;

/// Whether a text can stand in `User-Agent`. Some firewalls answer 403 to whoever says nothing, so it cannot be empty.
#[must_use]
pub fn is_user_agent(text: &str) -> bool {
    is_field_value(text, MAX_USER_AGENT)
}

/// Reads a configuration in checked form.
///
/// # Errors
/// All variables that are missing, else the first thing that cannot be used.
pub fn read(json: &str, variables: &dyn Variables) -> Result<Started, Vec<Fault>> {
    let wrong = |what: &'static str| vec![Fault { pointer: String::new(), what: what.into() }];
    let Ok(members) = parse_object(json.as_bytes()) else {
        return Err(wrong("is no configuration in checked form: write it with `pointsman compile`"));
    };
    let mut document = Value::Object(members);
    read_document(&mut document, variables)
}

/// As [`read`], of what was read as JSON.
///
/// # Errors
/// As [`read`].
pub fn read_document(document: &mut Value, variables: &dyn Variables) -> Result<Started, Vec<Fault>> {
    if document.get("format").and_then(Value::as_u64) != Some(FORMAT) {
        let what =
            "is no configuration in the checked form of this version: write it with `pointsman compile`";
        return Err(vec![Fault { pointer: "/format".to_owned(), what: what.into() }]);
    }
    let mut faults = Vec::new();
    substitute(document, variables, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    read_parts(Node(document)).map_err(|fault| vec![*fault])
}

/// Reads the parts in the order in which they need each other.
fn read_parts(document: Node<'_>) -> Read<Started> {
    let mut shut = Vec::new();
    let allow_http = document.read("allow_http", |node| {
        node.known("must be \"never\", \"loopback\" or \"always\"", AllowHttp::parse)
    })?;
    let store_timeout = document.read("store_timeout", |node| node.timeout(MAX_STORE_TIMEOUT))?;
    let api_keys = document.option("api_keys", |node| api_keys(node, store_timeout))?;
    let client_certificates =
        document.option("client_certificates", |node| client_certificates(node, store_timeout))?;
    let dpop = document.option("dpop", dpop)?.unwrap_or_default();
    let customers = document.option("customers", |node| customers(node, allow_http, store_timeout))?;
    let claim = customers.as_ref().map(|customers| &customers.claim);
    let issuers = document.list("issuers", issuers(claim, allow_http, store_timeout))?;
    // Two entries for one `iss` would let a token choose the weaker of them; variables can bring that about.
    let is_double = |(place, own): (usize, &Issuer)| {
        issuers.iter().take(place).any(|other| other.issuer.overlaps(&own.issuer))
    };
    if issuers.iter().enumerate().any(is_double) {
        return document.read("issuers", |_| fault("two entries are for one issuer"));
    }
    let identity = document.read("identity", identity)?;
    let removed = document.list("remove", |node| node.known("must be a field name", NamePattern::parse))?;
    let key_fields = api_keys.iter().flat_map(|keys| keys.sent().own());
    let mut fields = FieldPolicy::new(identity.names(), key_fields, removed);
    for name in issuers.iter().flat_map(|issuer| &issuer.fields).filter(|name| *name != "authorization") {
        fields.take_credential(name);
    }
    if document.read("keep_request_id", Node::flag)? {
        fields.keep_request_id();
    }
    let telemetry = telemetry(document)?;
    if let Some(tracing) = &telemetry.tracing {
        fields.join_traces(tracing);
    }
    for name in customers.iter().flat_map(|customers| &customers.secret_fields) {
        fields.ask_for(name);
    }
    let mut named = Vec::new();
    document.list("conditions", |node| {
        // Each may use those before it.
        let one = conditions::named(node, &named)?;
        named.push(one);
        Ok(())
    })?;
    let limits = document.list("limits", limits::limit)?;
    let backends = document.list("backends", |node| backends::backend(node, allow_http, &mut fields))?;
    let mut routes = Routes::new(document.read("case_insensitive", Node::flag)?);
    let regions = document.list("regions", |node| routes::region(node, &named))?;
    let policies = document.list("cors", routes::policy)?;
    let errors = document.read("errors", errors::errors)?;
    document.list("routes", |node| {
        let known = routes::Known {
            named: &named,
            policies: &policies,
            shapes: errors.shapes.len(),
            api_keys: api_keys.as_ref(),
            issuers: &issuers,
            backends: backends.len(),
            limits: limits.len(),
        };
        routes.add(node, &known)
    })?;
    let routes = routes.complete(&mut fields);
    let gateway = Gateway::new(GatewayParts {
        version: document.read("version", Node::string)?,
        routes: routes.routes,
        table: routes.table,
        readings: routes.readings,
        issuers,
        api_keys,
        client_certificates,
        dpop,
        customers,
        backends,
        regions,
        limits,
        identity,
        fields,
        via: document.read("name", |node| match node.text()? {
            name if is_token(name) => Ok(Via::new(name)),
            _ => fault("must be letters, digits, - or _: it stands in the Via field"),
        })?,
        user_agent: document.read("user_agent", |node| match node.text()? {
            text if is_user_agent(text) => Ok(text.to_owned()),
            _ => fault("must be printable ASCII: it stands in the User-Agent field"),
        })?,
        problem_base: document.read("problem_base", Node::string)?,
        errors,
        allow_http,
        store_timeout,
        budgets: document.read("memory", budgets)?,
        directory: document.read("directory", directory)?,
        operator: document.read("operator", |node| operator(node, &mut shut))?,
        telemetry,
    });
    Ok(Started { gateway, shut })
}
