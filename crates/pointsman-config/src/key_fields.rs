//! The fields that API keys come in, and what stands before a key there.

use pointsman_core::http::fields::{canonical, is_token};
use serde_json::Value;

use super::{
    file::{ApiKeysFile, OneOrMany},
    findings::Findings,
    identities::check_field_name,
};

const HEADER: &str = "/api_keys/header";
const SCHEME: &str = "/api_keys/scheme";
const AUTHORIZATION: &str = "authorization";

/// The fields and the schemes, as the checked form has them.
pub(super) fn write(file: &ApiKeysFile, findings: &mut Findings) -> (Vec<String>, Vec<Value>) {
    let usual = OneOrMany::One(AUTHORIZATION.to_owned());
    let header = fields(file.header.as_ref().unwrap_or(&usual), findings);
    let usual = if header.iter().any(|name| name == AUTHORIZATION) { "Bearer" } else { "" };
    let usual = OneOrMany::One(usual.to_owned());
    (header, schemes(file.scheme.as_ref().unwrap_or(&usual), findings))
}

fn fields(written: &OneOrMany, findings: &mut Findings) -> Vec<String> {
    let names: Vec<String> = written.list().into_iter().map(str::to_ascii_lowercase).collect();
    if names.is_empty() {
        findings.error(HEADER, "must name at least one field: from an empty list no key is ever read");
    }
    for (index, name) in names.iter().enumerate() {
        let pointer = written.pointer(HEADER, index);
        check_field_name(name, &pointer, findings);
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
