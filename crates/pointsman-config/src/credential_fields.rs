//! The fields that credentials come in: those of API keys, with what stands before a key there, and those of tokens.

use pointsman_core::http::fields::{canonical, is_token};
use serde_json::Value;

use super::{
    file::{ApiKeysFile, GatewayFile, IssuerFile, OneOrMany},
    findings::Findings,
    identities::check_field_name,
};

const HEADER: &str = "/api_keys/header";
const SCHEME: &str = "/api_keys/scheme";
/// Tokens that login proxies hand on.
const PROXY_TOKENS: [&str; 2] = ["x-forwarded-access-token", "x-forwarded-id-token"];
const AUTHORIZATION: &str = "authorization";

/// The fields and the schemes of API keys, as the checked form has them.
pub(super) fn of_keys(file: &ApiKeysFile, findings: &mut Findings) -> (Vec<String>, Vec<Value>) {
    let usual = OneOrMany::One(AUTHORIZATION.to_owned());
    let header = fields(file.header.as_ref().unwrap_or(&usual), HEADER, check_field_name, findings);
    let usual = if header.iter().any(|name| name == AUTHORIZATION) { "Bearer" } else { "" };
    let usual = OneOrMany::One(usual.to_owned());
    (header, schemes(file.scheme.as_ref().unwrap_or(&usual), findings))
}

/// The fields of an issuer's tokens.
pub(super) fn of_issuer(index: usize, file: &IssuerFile, findings: &mut Findings) -> Vec<String> {
    let usual = OneOrMany::One(AUTHORIZATION.to_owned());
    let header = file.header.as_ref().unwrap_or(&usual);
    fields(header, &format!("/issuers/{index}/header"), check_token_field, findings)
}

/// Cloudflare Access puts its own tokens into fields of the platform's, and login proxies put theirs beside the fields by
/// which they say where a request came from.
fn check_token_field(name: &str, pointer: &str, findings: &mut Findings) {
    let is_of_proxies = name.starts_with("cf-access-") || PROXY_TOKENS.contains(&name);
    if !is_of_proxies || !is_token(name) {
        check_field_name(name, pointer, findings);
    }
}

/// A field holds keys, or tokens, or what the gateway tells backends.
pub(super) fn check_apart(file: &GatewayFile, own: &[String], findings: &mut Findings) {
    let lower = |written: Option<&OneOrMany>| -> Vec<String> {
        written.map_or_else(Vec::new, |names| {
            names.list().iter().map(|name| name.to_ascii_lowercase()).collect()
        })
    };
    let keys = file.api_keys.as_ref().and_then(|keys| keys.header.as_ref());
    let of_keys = lower(keys);
    let is_in = |name: &str, all: &[String]| all.iter().any(|other| canonical(other) == canonical(name));
    let mut check = |written: Option<&OneOrMany>, at: &str, is_of_keys: bool| {
        for (index, name) in lower(written).iter().enumerate().filter(|(_, name)| *name != AUTHORIZATION) {
            let pointer = written.map_or_else(String::new, |written| written.pointer(at, index));
            if is_in(name, own) {
                let what = format!("must not be {name}, in which backends are told who is calling");
                findings.error(pointer, what);
            } else if !is_of_keys && is_in(name, &of_keys) {
                findings
                    .error(pointer, format!("must not be {name}, which holds API keys ([api_keys] header)"));
            }
        }
    };
    check(keys, HEADER, true);
    for (index, issuer) in file.issuers.iter().enumerate() {
        check(issuer.header.as_ref(), &format!("/issuers/{index}/header"), false);
    }
}

fn fields(
    written: &OneOrMany,
    at: &str,
    check: fn(&str, &str, &mut Findings),
    findings: &mut Findings,
) -> Vec<String> {
    let names: Vec<String> = written.list().into_iter().map(str::to_ascii_lowercase).collect();
    if names.is_empty() {
        findings.error(at, "must name at least one field: from an empty list no credential is ever read");
    }
    for (index, name) in names.iter().enumerate() {
        let pointer = written.pointer(at, index);
        check(name, &pointer, findings);
        // Backends, and so the gateway when it takes them off, read the two as one.
        if names.iter().take(index).any(|earlier| canonical(earlier) == canonical(name)) {
            findings.error(pointer, format!("{name} is a duplicate, as backends read field names"));
        }
    }
    names
}

fn schemes(written: &OneOrMany, findings: &mut Findings) -> Vec<Value> {
    let schemes = written.list();
    if schemes.is_empty() {
        findings.error(SCHEME, "must name at least one scheme, or be \"\" for keys without one");
    }
    for (index, scheme) in schemes.iter().enumerate() {
        let pointer = written.pointer(SCHEME, index);
        if !scheme.is_empty() && !is_token(scheme) {
            findings.error(&pointer, "must be a scheme such as \"Bearer\", or \"\" for none");
        }
        if schemes.iter().take(index).any(|earlier| earlier.eq_ignore_ascii_case(scheme)) {
            findings.error(pointer, "is a duplicate: schemes are compared without regard to case");
        }
    }
    written.write(SCHEME, findings)
}
