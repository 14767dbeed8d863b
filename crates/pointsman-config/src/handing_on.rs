//! What a route's backends get of the client's credentials.

use pointsman_core::{http::fields::canonical, identity::method::API_KEY};
use serde_json::{Map, Value};

use super::{
    file::{GatewayFile, IssuerFile, OneOrMany, RouteFile},
    findings::Findings,
};

const AUTHORIZATION: &str = "authorization";

/// Adds to a route's checked form what it hands on.
pub(super) fn add(
    route: &RouteFile,
    file: &GatewayFile,
    at: &str,
    form: &mut Map<String, Value>,
    findings: &mut Findings,
) {
    if route.forward_credential == Some(true) {
        if !route.auth.iter().any(|name| file.issuers.iter().any(|issuer| issuer.name == *name)) {
            let what =
                "hands on tokens, and this route takes none: API keys and certificates are never handed on";
            findings.error(format!("{at}/forward_credential"), what);
        }
        if tells_in_authorization(file) {
            findings.error(format!("{at}/forward_credential"), TAKEN);
        }
        form.insert("forward_credential".to_owned(), true.into());
    }
    let names: Vec<String> = route.pass.iter().map(|name| name.to_ascii_lowercase()).collect();
    for (index, name) in names.iter().enumerate() {
        let pointer = format!("{at}/pass/{index}");
        if names.iter().take(index).any(|earlier| canonical(earlier) == canonical(name)) {
            findings.error(pointer, format!("{name} is a duplicate, as backends read field names"));
        } else if let Some(what) = fault(name, route, file) {
            findings.error(pointer, what);
        }
    }
    if !names.is_empty() {
        form.insert("pass".to_owned(), names.into());
    }
}

/// Why a field cannot pass.
fn fault(name: &str, route: &RouteFile, file: &GatewayFile) -> Option<String> {
    if file.api_keys.as_ref().is_some_and(|keys| is_in(name, keys.header.as_ref())) {
        let mut what = format!("must not be {name}, which holds API keys: a key never reaches a backend");
        if name == AUTHORIZATION {
            what.push_str(". Let keys come in another field, such as [api_keys] header = \"x-api-key\"");
        }
        return Some(what);
    }
    if name == AUTHORIZATION && tells_in_authorization(file) {
        return Some(TAKEN.to_owned());
    }
    let reads = |issuer: &&IssuerFile| is_in(name, issuer.header.as_ref());
    if let Some(issuer) = file.issuers.iter().filter(reads).find(|issuer| route.auth.contains(&issuer.name)) {
        return Some(format!(
            "must not be {name}, in which this route takes tokens of \"{}\": write forward_credential = true, which hands on \
             what was verified",
            issuer.name
        ));
    }
    if name != AUTHORIZATION && !file.issuers.iter().any(|issuer| reads(&issuer)) {
        let what =
            format!("must not be {name}, which holds no credential of [api_keys] or [[issuers]]: {OTHERS}");
        return Some(what);
    }
    (route.auth.iter().any(|name| name == API_KEY) && file.api_keys.is_none())
        .then(|| "needs an [api_keys] section, which says where keys come".to_owned())
}

const TAKEN: &str = "cannot be: in Authorization backends are told who is calling ([identity.token] field)";
const OTHERS: &str = "all other fields pass anyway, or never";

/// Whether the gateway itself says something in `Authorization`.
fn tells_in_authorization(file: &GatewayFile) -> bool {
    let token = file.identity.as_ref().and_then(|identity| identity.token.as_ref());
    token
        .and_then(|token| token.field.as_deref())
        .is_some_and(|name| name.eq_ignore_ascii_case(AUTHORIZATION))
}

/// Whether a credential may come in this field; in `Authorization`, where none is named.
fn is_in(name: &str, written: Option<&OneOrMany>) -> bool {
    written.map_or(name == AUTHORIZATION, |names| {
        names.list().iter().any(|own| canonical(own) == canonical(name))
    })
}
