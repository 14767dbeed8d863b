//! The places beside fields in which a route takes credentials.

use pointsman_core::{http::fields::is_token, identity::subprotocol::SubprotocolForm};
use serde_json::{Map, Value};

use super::{
    file::{OneOrMany, RouteFile},
    findings::Findings,
};

/// The members of a route's checked form that say where it takes credentials.
pub(super) fn of_route(file: &RouteFile, at: &str, findings: &mut Findings) -> Map<String, Value> {
    let mut form = Map::new();
    let Some(places) = &file.credential_in else { return form };
    let at = format!("{at}/credential_in");
    if file.auth.is_empty() {
        findings.error(&at, "needs a credential to look for: with auth = [] the route takes none");
    }
    if places.subprotocol.is_none() {
        findings.error(&at, "must name a place, or be left out");
    }
    if let Some(written) = &places.subprotocol {
        let pointer = format!("{at}/subprotocol");
        check_subprotocols(written, &pointer, file, findings);
        form.insert("subprotocol".to_owned(), written.write(&pointer, findings).into());
    }
    form
}

fn check_subprotocols(written: &OneOrMany, at: &str, file: &RouteFile, findings: &mut Findings) {
    check_names(written, at, "a subprotocol: a token such as bearer", is_token, findings);
    if file.methods.as_ref().is_some_and(|methods| !methods.iter().any(|method| method == "GET")) {
        findings.error(at, "never counts, since a WebSocket handshake is a GET: add it to methods");
    }
    let texts = written.list();
    for (index, text) in texts.iter().enumerate() {
        let is_prefix = |other: &str| matches!(SubprotocolForm::parse(other), SubprotocolForm::Prefix { .. });
        let mut others = texts.iter().filter(|other| *other != text && is_prefix(other));
        if let Some(other) = others.find(|other| text.starts_with(**other)) {
            let what = format!("begins with {other}, which is in the list: nobody could tell the two apart");
            findings.error(written.pointer(at, index), what);
        }
    }
}

/// Names that are there, of the right form, and not twice.
fn check_names(
    written: &OneOrMany,
    at: &str,
    what: &str,
    is_one: impl Fn(&str) -> bool,
    findings: &mut Findings,
) {
    let names = written.list();
    if names.is_empty() {
        findings.error(at, "must name at least one: an empty list is no place. Leave it out for none");
    }
    for (index, name) in names.iter().enumerate() {
        let pointer = written.pointer(at, index);
        if !is_one(name) {
            findings.error(pointer, format!("must be {what}"));
        } else if names.iter().take(index).any(|earlier| earlier == name) {
            findings.error(pointer, format!("{name} is a duplicate"));
        }
    }
}
