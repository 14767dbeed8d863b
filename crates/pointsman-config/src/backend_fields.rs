//! The fields that requests to one backend get: its secrets.

use pointsman_checked::{FIXED_VALUE, SECRET_PLACEHOLDER};
use pointsman_core::http::fields::{HOP_BY_HOP, MAX_FIXED, canonical, is_field_value, is_token};
use serde_json::{Map, Value, json};

use super::{
    file::{BackendFile, BasicFile},
    findings::{Findings, escape},
    identities::{check_field_name, identity},
};

const AUTHORIZATION: &str = "authorization";
/// How Cloudflare Access knows a service.
const ACCESS_SERVICE: &str = "cf-access-client-";
/// What a handshake of WebSocket is made of.
const HANDSHAKE: &str = "sec-websocket-";

/// Adds the fields of a backend to its checked form. `own` are those in which backends are told who is calling.
pub(super) fn add(
    file: &BackendFile,
    at: &str,
    own: &[String],
    form: &mut Map<String, Value>,
    findings: &mut Findings,
) {
    let mut headers = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for (name, value) in file.headers.iter() {
        let pointer = format!("{at}/headers/{}", escape(name));
        check_name(name, own, &pointer, findings);
        let folded = canonical(name);
        if seen.contains(&folded) {
            findings.error(&pointer, format!("{name} is a duplicate, as backends read field names"));
        }
        seen.push(folded);
        if !is_field_value(value, MAX_FIXED) {
            findings.error(&pointer, FIXED_VALUE);
        }
        if name.eq_ignore_ascii_case(AUTHORIZATION) {
            warn_of_plain_text(&pointer, findings);
        }
        headers.push(json!({
            "name": name.to_ascii_lowercase(),
            "value": findings.write(&pointer, value.as_str()),
        }));
    }
    if let Some(basic) = &file.basic {
        let at = format!("{at}/basic");
        if seen.iter().any(|name| name == AUTHORIZATION) {
            findings.error(&at, "says Authorization, and so does headers: leave one of the two out");
        } else if own.iter().any(|name| name == AUTHORIZATION) {
            findings.error(&at, "must not be there: in Authorization backends are told who is calling");
        }
        headers.push(self::basic(basic, &at, findings));
    }
    if !headers.is_empty() {
        form.insert("headers".to_owned(), headers.into());
    }
}

/// Whether a backend may have a field of this name, where backends are told who is calling by the usual fields.
#[must_use]
pub fn can_be_field_of_backend(name: &str) -> bool {
    let mut findings = Findings::default();
    let (_, own) = identity(None, &mut findings);
    check_name(name, &own, "", &mut findings);
    !findings.has_errors()
}

/// A field that no other part of the gateway sets, and that no hop on the way takes for its own.
pub(super) fn check_name(name: &str, own: &[String], pointer: &str, findings: &mut Findings) {
    let lower = name.to_ascii_lowercase();
    if lower.starts_with(ACCESS_SERVICE) && is_token(&lower) {
        return;
    }
    check_field_name(name, pointer, findings);
    if HOP_BY_HOP.contains(&lower.as_str()) || lower.starts_with(HANDSHAKE) {
        findings.error(pointer, format!("must not be {lower}, which is about the connection alone"));
    } else if own.iter().any(|other| canonical(other) == canonical(&lower)) {
        findings.error(pointer, format!("must not be {lower}, in which backends are told who is calling"));
    }
}

fn basic(file: &BasicFile, at: &str, findings: &mut Findings) -> Value {
    // What stands for a secret in a check is a URL.
    if file.user != SECRET_PLACEHOLDER && file.user.contains(':') {
        findings.error(format!("{at}/user"), "must have no colon, which parts the user from the password");
    }
    let mut write = |field: &str, text: &str| {
        let pointer = format!("{at}/{field}");
        if text.chars().any(char::is_control) {
            findings.error(&pointer, "must have no control characters");
        }
        findings.write(&pointer, text)
    };
    let form = json!({
        "name": AUTHORIZATION,
        "user": write("user", &file.user),
        "password": write("password", &file.password),
    });
    warn_of_plain_text(&format!("{at}/password"), findings);
    form
}

/// Whoever reads the file reads a secret that is written out in it.
pub(super) fn warn_of_plain_text(pointer: &str, findings: &mut Findings) {
    if !findings.has_variable(pointer) {
        let what = "stands in the file for everybody to read: write \"${NAME}\", and set the secret NAME";
        findings.warn(pointer, what);
    }
}
