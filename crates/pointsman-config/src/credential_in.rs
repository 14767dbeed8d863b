//! The places beside fields in which a route takes credentials, and the policy that some places need.

use pointsman_core::{
    http::fields::{canonical, is_token},
    identity::{method::CLIENT_CERTIFICATE, subprotocol::SubprotocolForm},
};
use serde_json::{Map, Value};

use super::{
    file::{GatewayFile, OneOrMany, RouteFile},
    findings::Findings,
};

const ANYTHING_GOES: &str = "anything-goes";
const AUTHORIZATION: &str = "authorization";

/// Refuses a policy that lists no origin where browsers send credentials by themselves, cookies apart: every page but the
/// gateway's own would be refused, whatever such a policy seems to say.
pub(super) fn check_policy(route: &RouteFile, file: &GatewayFile, at: &str, findings: &mut Findings) {
    if route.cors.as_deref() != Some(ANYTHING_GOES) {
        return;
    }
    let issuers = file.issuers.iter().filter(|issuer| route.auth.contains(&issuer.name));
    let fields = issuers.flat_map(|issuer| {
        let own = issuer.header.iter().flat_map(OneOrMany::list);
        own.filter(|name| !name.eq_ignore_ascii_case(AUTHORIZATION))
            .map(|name| format!("the field {} of \"{}\"", name.to_ascii_lowercase(), issuer.name))
    });
    let keys = file.api_keys.as_ref().filter(|_| route.auth.iter().any(|name| name == "api_key"));
    let is_basic = keys.is_some_and(|keys| {
        let has = |written: &Option<OneOrMany>, text: &str, usual: bool| {
            written.as_ref().map_or(usual, |all| all.list().iter().any(|one| one.eq_ignore_ascii_case(text)))
        };
        has(&keys.header, AUTHORIZATION, true) && has(&keys.scheme, "basic", false)
    });
    let basic = is_basic.then(|| "API keys behind Basic".to_owned());
    let takes_certificates = route.auth.iter().any(|name| name == CLIENT_CERTIFICATE);
    let certificates = takes_certificates.then(|| "client certificates".to_owned());
    let sent: Vec<_> = fields.chain(basic).chain(certificates).collect();
    if !sent.is_empty() {
        let what = format!(
            "must not be \"{ANYTHING_GOES}\", which lists no origin whose pages may use what browsers send by themselves here \
             ({}): name a policy of [cors] that lists them",
            sent.join(", ")
        );
        findings.error(format!("{at}/cors"), what);
    }
}

/// The members of a route's checked form that say where it takes credentials.
pub(super) fn of_route(file: &RouteFile, at: &str, findings: &mut Findings) -> Map<String, Value> {
    let mut form = Map::new();
    let Some(places) = &file.credential_in else { return form };
    let at = format!("{at}/credential_in");
    if file.auth.is_empty() {
        findings.error(&at, "needs a credential to look for: with auth = [] the route takes none");
    }
    if [&places.subprotocol, &places.query, &places.cookie].into_iter().all(Option::is_none) {
        findings.error(&at, "must name a place, or be left out");
    }
    if let Some(written) = &places.subprotocol {
        let pointer = format!("{at}/subprotocol");
        check_subprotocols(written, &pointer, file, findings);
        form.insert("subprotocol".to_owned(), written.write(&pointer, findings).into());
    }
    if let Some(written) = &places.query {
        let pointer = format!("{at}/query");
        check_names(written, &pointer, "a parameter's name: letters, digits, -, _ and .", is_plain, findings);
        form.insert("query_credential".to_owned(), written.write(&pointer, findings).into());
    }
    if let Some(written) = &places.cookie {
        let pointer = format!("{at}/cookie");
        check_names(written, &pointer, "a cookie's name: letters, digits, -, _ and .", is_plain, findings);
        if file.cors.as_deref() == Some(ANYTHING_GOES) {
            let what = "must not be there with cors = \"anything-goes\", which lists no origin whose pages may use the \
                        cookie: name a policy of [cors] that lists them";
            findings.error(&pointer, what);
        }
        form.insert("cookie_credential".to_owned(), written.write(&pointer, findings).into());
    }
    form
}

/// A name that is the same in every encoding.
fn is_plain(name: &str) -> bool {
    let is_one = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && name.bytes().all(is_one)
}

fn check_subprotocols(written: &OneOrMany, at: &str, file: &RouteFile, findings: &mut Findings) {
    check_names(written, at, "a subprotocol: a token such as bearer", is_token, findings);
    if file.methods.as_ref().is_some_and(|methods| !methods.iter().any(|method| method == "GET")) {
        findings.error(at, "never counts, since handshakes are GETs: add it to methods");
    }
    let texts = written.list();
    for (index, _) in
        texts.iter().enumerate().filter(|(_, text)| text.starts_with("base64url.") && !text.ends_with('.'))
    {
        let what = "must end in a dot: the credential stands behind it in the same subprotocol";
        findings.error(written.pointer(at, index), what);
    }
    for (index, text) in texts.iter().enumerate() {
        let is_prefix = |other: &str| matches!(SubprotocolForm::parse(other), SubprotocolForm::Prefix { .. });
        let mut others = texts.iter().filter(|other| *other != text && is_prefix(other));
        if let Some(other) = others.find(|other| text.starts_with(**other)) {
            let what = format!("begins with {other}, which is in the list: nobody could tell the two apart");
            findings.error(written.pointer(at, index), what);
        }
    }
}

/// Names of query parameters and cookies that backends may take for one are one, and so no two places.
fn is_same(one: &str, other: &str) -> bool {
    canonical(one) == canonical(other)
}

/// Names that are there, of the right form, and not twice.
fn check_names(written: &OneOrMany, at: &str, what: &str, is_one: fn(&str) -> bool, findings: &mut Findings) {
    let names = written.list();
    if names.is_empty() {
        findings.error(at, "must name at least one: an empty list is no place. Leave it out for none");
    }
    for (index, name) in names.iter().enumerate() {
        let pointer = written.pointer(at, index);
        if !is_one(name) {
            findings.error(pointer, format!("must be {what}"));
        } else if names.iter().take(index).any(|earlier| is_same(earlier, name)) {
            findings.error(pointer, format!("{name} is a duplicate"));
        }
    }
}
