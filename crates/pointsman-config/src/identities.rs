//! The parts of a configuration that say how API keys are sent, and how backends are told who calls.

use pointsman_core::{
    base::time::Span,
    http::fields::{NamePattern, canonical, is_token},
    identity::claims::ClaimPath,
};
use serde_json::{Value, json};

use super::{
    credential_fields,
    file::{ApiKeysFile, ForwardFile, IdentityFile},
    findings::{Findings, escape},
    identity_token, lifetimes, sources,
};

/// How long a key's record is used without asking, where nothing else is written.
pub(super) const USUAL_FRESH: Span = Span::from_secs(60);
/// The same, while the store fails.
pub(super) const USUAL_STALE: Span = Span::from_secs(3600);

/// Fields that the transport or the platform owns.
const RESERVED_FIELDS: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "origin",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-request-id",
];

/// Fields that the gateway sets on every request, and those that no request or no WebSocket can do without.
const NEEDED_FIELDS: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
];

pub(super) fn api_keys(file: &ApiKeysFile, findings: &mut Findings) -> Value {
    let (header, scheme) = credential_fields::of_keys(file, findings);
    let checksum = file.checksum.unwrap_or(true);
    if checksum && file.prefixes.is_empty() {
        findings.error(
            "/api_keys/prefixes",
            "must name at least one prefix, or set checksum = false for keys minted elsewhere",
        );
    }
    for (index, prefix) in file.prefixes.iter().enumerate() {
        let plain = prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if prefix.is_empty() || !plain || prefix.ends_with('_') {
            findings.error(
                format!("/api_keys/prefixes/{index}"),
                "must be letters, digits and inner _ (\"sk_live\")",
            );
        }
    }
    let written = (file.fresh.as_deref(), file.stale.as_deref());
    let (fresh, stale) = lifetimes(written, (USUAL_FRESH, USUAL_STALE), "/api_keys", findings);
    json!({
        "header": header,
        "scheme": scheme,
        "prefixes": file.prefixes,
        "checksum": checksum,
        "fresh": fresh,
        "stale": stale,
        "back_off": sources::back_off(file.back_off.as_deref(), "/api_keys/back_off", findings),
    })
}

/// How backends are told who calls, and the names of the fields that the gateway sets for that.
pub(super) fn identity(file: Option<&IdentityFile>, findings: &mut Findings) -> (Value, Vec<String>) {
    let mut names = Vec::new();
    let mut field = |name: Option<&String>, usual: &str, pointer: &str| -> Option<Value> {
        let name = name.map_or(usual, String::as_str).to_ascii_lowercase();
        if name.is_empty() {
            return None;
        }
        check_field_name(&name, pointer, findings);
        names.push(name.clone());
        Some(name.into())
    };
    let subject = field(file.and_then(|file| file.subject.as_ref()), "x-subject", "/identity/subject");
    let customer = field(file.and_then(|file| file.customer.as_ref()), "x-customer-id", "/identity/customer");
    let authenticated_by = field(
        file.and_then(|file| file.authenticated_by.as_ref()),
        "x-authenticated-by",
        "/identity/authenticated_by",
    );
    let token = file.and_then(|file| file.token.as_ref());
    let token = token.map(|token| identity_token::assertions(token, &mut names, findings));
    let mut claims = Vec::new();
    for (name, path) in file.iter().flat_map(|file| file.claims.iter()) {
        let pointer = format!("/identity/claims/{}", escape(name));
        check_field_name(name, &pointer, findings);
        names.push(name.to_ascii_lowercase());
        claims.push(json!({ "name": name, "from": claim_path(path, &pointer, findings) }));
    }
    check_distinct(&names, findings);
    let identity = json!({
        "subject": subject,
        "customer": customer,
        "authenticated_by": authenticated_by,
        "claims": claims,
        "token": token,
    });
    (identity, names)
}

/// The fields that are taken off beside those that never pass.
pub(super) fn removed(file: Option<&ForwardFile>, own: &[String], findings: &mut Findings) -> Vec<Value> {
    let mut patterns = Vec::new();
    for (index, text) in file.iter().flat_map(|file| &file.remove).enumerate() {
        let pointer = format!("/forward/remove/{index}");
        let Some(pattern) = NamePattern::parse(text) else {
            findings.error(
                pointer,
                "must be a field name such as \"x-acme-user\", or the beginning of one with * behind it: \"x-internal-*\"",
            );
            continue;
        };
        let mut kept = NEEDED_FIELDS.iter().copied().chain(own.iter().map(String::as_str));
        if let Some(name) = kept.find(|name| pattern.takes(name)) {
            findings.error(
                &pointer,
                format!(
                    "must not take off {name}, which the gateway sets itself or a request cannot do without"
                ),
            );
        }
        patterns.push(text.as_str().into());
    }
    patterns
}

/// Two fields that a backend could fold into one would let a claim stand in for the subject.
fn check_distinct(names: &[String], findings: &mut Findings) {
    let mut seen = Vec::new();
    for name in names {
        let canonical = canonical(name);
        if seen.contains(&canonical) {
            findings.error("/identity", format!("{name} is a duplicate, as backends read field names"));
        }
        seen.push(canonical);
    }
}

pub(super) fn check_field_name(name: &str, pointer: &str, findings: &mut Findings) {
    let name = name.to_ascii_lowercase();
    if !is_token(&name) {
        findings.error(pointer, "must be a field name: letters, digits and hyphens");
    } else if RESERVED_FIELDS.contains(&name.as_str())
        || name.starts_with("x-forwarded-")
        || name.starts_with("cf-")
    {
        findings.error(pointer, format!("must not be {name}, which has a meaning of its own"));
    }
}

pub(super) fn claim_path(text: &str, pointer: &str, findings: &mut Findings) -> Value {
    if ClaimPath::parse(text).is_none() {
        findings.error(pointer, "must be a claim's name, or a JSON Pointer that begins with /");
    }
    findings.write(pointer, text)
}
