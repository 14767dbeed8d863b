//! The parts of a configuration that say who may call and how backends are told: API keys, issuers,
//! customers, identity fields.

use pointsman_checked::MAX_LEEWAY;
use pointsman_core::{
    base::time::Span,
    customer::backend_url::{AllowHttp, document_url},
    http::fields::{NamePattern, canonical, field_value, is_token},
    identity::{
        algorithm::{Algorithm, KeyKind},
        claims::ClaimPath,
        customer_id::CustomerId,
        jwk_set::PublicKey,
        method::RESERVED_NAMES,
    },
};
use serde_json::{Value, json};

use super::{
    file::{ApiKeysFile, CustomersOfIssuerFile, ForwardFile, IdentityFile, IssuerFile},
    findings::{Findings, escape},
    identity_token, lifetimes, read_span, sources, span, write_all,
};

const MINUTE: Span = Span::from_secs(60);
const HOUR: Span = Span::from_secs(3600);
const DAY: Span = Span::from_secs(86_400);

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
    let header = file.header.as_deref().unwrap_or("authorization").to_ascii_lowercase();
    check_field_name(&header, "/api_keys/header", findings);
    let default_scheme = if header == "authorization" { "Bearer" } else { "" };
    let scheme = file.scheme.as_deref().unwrap_or(default_scheme).to_owned();
    if !scheme.is_empty() && !is_token(&scheme) {
        findings.error("/api_keys/scheme", "must be a scheme such as \"Bearer\", or \"\" for none");
    }
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
    let (fresh, stale) = lifetimes(written, (MINUTE, HOUR), "/api_keys", findings);
    json!({
        "header": header,
        "scheme": findings.write("/api_keys/scheme", scheme),
        "prefixes": file.prefixes,
        "checksum": checksum,
        "fresh": fresh,
        "stale": stale,
        "back_off": sources::back_off(file.back_off.as_deref(), "/api_keys/back_off", findings),
    })
}

pub(super) fn issuers(
    files: &[IssuerFile],
    has_customers: bool,
    allow_http: AllowHttp,
    findings: &mut Findings,
) -> Vec<Value> {
    for (index, file) in files.iter().enumerate() {
        let earlier = files.get(..index).unwrap_or_default();
        if earlier.iter().any(|other| other.name == file.name) {
            findings.error(
                format!("/issuers/{index}/name"),
                format!("\"{}\" is already the name of another issuer", file.name),
            );
        }
        // Two entries for one `iss` would let a token choose the weaker of them.
        if earlier.iter().any(|other| other.issuer == file.issuer) {
            findings.error(format!("/issuers/{index}/issuer"), "another entry is already for this issuer");
        }
    }
    files
        .iter()
        .enumerate()
        .map(|(index, file)| issuer(index, file, has_customers, allow_http, findings))
        .collect()
}

/// The customers that an issuer is limited to.
fn customers_of(
    index: usize,
    file: &IssuerFile,
    has_customers: bool,
    findings: &mut Findings,
) -> Option<Value> {
    let pointer = format!("/issuers/{index}/customers");
    let only = match file.customers.as_ref()? {
        CustomersOfIssuerFile::Claim(only) => {
            json!({ "claim": claim_path(&only.claim, &format!("{pointer}/claim"), findings) })
        }
        CustomersOfIssuerFile::Ids(texts) => {
            if texts.is_empty() {
                findings.error(
                    &pointer,
                    "must name at least one customer: an empty list never matches. Leave customers out for all",
                );
            }
            for (position, _) in
                texts.iter().enumerate().filter(|(_, text)| CustomerId::parse(text).is_none())
            {
                findings.error(
                    format!("{pointer}/{position}"),
                    "must be a customer's id: 1 to 256 bytes without control characters",
                );
            }
            json!({ "ids": write_all(&pointer, texts.iter().map(String::as_str), findings) })
        }
    };
    if !has_customers {
        findings.error(pointer, "needs a [customers] section, which says which claim names the customer");
    }
    Some(only)
}

fn issuer(
    index: usize,
    file: &IssuerFile,
    has_customers: bool,
    allow_http: AllowHttp,
    findings: &mut Findings,
) -> Value {
    let at = |field: &str| format!("/issuers/{index}/{field}");
    if RESERVED_NAMES.contains(&file.name.as_str()) {
        findings.error(
            at("name"),
            format!("must not be \"{}\", which names callers whom no issuer vouched for", file.name),
        );
    } else if file.name.is_empty() || field_value(&file.name) != file.name {
        findings.error(
            at("name"),
            "must be visible ASCII without % (inner spaces may be there): backends get it as a field's value",
        );
    }
    if file.issuer.is_empty() {
        findings.error(at("issuer"), "must be what the tokens' iss is");
    }
    if let Some(placeholder) = placeholder(&file.issuer) {
        findings.error(
            at("issuer"),
            format!(
                "holds {placeholder}, which stands in the provider's metadata for each tenant's own part, and in no token's iss: \
                 write an [[issuers]] entry for each tenant, with the iss of its tokens"
            ),
        );
    }
    if file.audience.list().is_empty() {
        findings.error(
            at("audience"),
            "must name at least one audience: a token for anybody is a token for nobody",
        );
    }
    let algorithms = algorithms(file, index, findings);
    check_key_source(file, index, &algorithms, allow_http, findings);
    let usual_types = ["jwt".to_owned(), "at+jwt".to_owned()];
    let types = file.types.as_deref().unwrap_or(&usual_types);
    let written = (file.fresh.as_deref(), file.stale.as_deref());
    let (fresh, stale) =
        lifetimes(written, (Span::from_secs(600), DAY), &format!("/issuers/{index}"), findings);
    let cooldown = span(file.cooldown.as_deref(), Span::from_secs(30), &at("cooldown"), findings);
    let mut text =
        |text: &Option<String>, field| text.as_deref().map(|text| findings.write(&at(field), text));
    let (jwks_url, secret) = (text(&file.jwks_url, "jwks_url"), text(&file.secret, "secret"));
    json!({
        "name": file.name,
        "issuer": findings.write(&at("issuer"), file.issuer.as_str()),
        "audience": file.audience.write(&at("audience"), findings),
        "algorithms": algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>(),
        "types": write_all(&at("types"), types.iter().map(String::as_str), findings),
        "subject": claim_path(file.subject.as_deref().unwrap_or("sub"), &at("subject"), findings),
        "leeway": file.leeway.as_deref().map(|text| leeway(text, &at("leeway"), findings)),
        "fresh": fresh,
        "stale": stale,
        "back_off": sources::back_off(file.back_off.as_deref(), &at("back_off"), findings),
        "cooldown": cooldown,
        "timeout": sources::timeout(file.timeout.as_deref(), Span::from_secs(5), &at("timeout"), findings),
        "jwks_url": jwks_url,
        "secret": secret,
        "keys": file.keys,
        "customers": customers_of(index, file, has_customers, findings),
    })
}

/// A part in braces, such as `{tenantid}`: no `iss` has one, and no URL may.
fn placeholder(issuer: &str) -> Option<&str> {
    let begin = issuer.find('{')?;
    let end = issuer.get(begin..)?.find('}')?;
    issuer.get(begin..=begin + end)
}

fn leeway(text: &str, pointer: &str, findings: &mut Findings) -> Value {
    let leeway = read_span(Some(text), Span::default(), pointer, findings);
    if leeway > MAX_LEEWAY {
        findings.error(pointer, format!("must be at most {MAX_LEEWAY}"));
    }
    findings.write(pointer, leeway.millis())
}

fn algorithms(file: &IssuerFile, index: usize, findings: &mut Findings) -> Vec<Algorithm> {
    if file.algorithms.is_empty() {
        findings.error(
            format!("/issuers/{index}/algorithms"),
            "must name at least one algorithm: an empty list lets nobody in",
        );
    }
    let mut known = Vec::new();
    for (position, name) in file.algorithms.iter().enumerate() {
        let pointer = format!("/issuers/{index}/algorithms/{position}");
        let Some(algorithm) = Algorithm::from_name(name) else {
            let names: Vec<_> = Algorithm::names().collect();
            findings.error(
                pointer,
                format!("\"{name}\" is no algorithm here: write one of {}", names.join(", ")),
            );
            continue;
        };
        let symmetric = algorithm.key_kind() == KeyKind::Secret;
        if symmetric && file.secret.is_none() {
            findings.error(pointer, format!("{name} needs a secret; a public key must never verify it"));
        } else if !symmetric && file.secret.is_some() {
            findings.error(pointer, format!("{name} needs public keys, not a secret"));
        }
        known.push(algorithm);
    }
    known
}

fn check_key_source(
    file: &IssuerFile,
    index: usize,
    algorithms: &[Algorithm],
    allow_http: AllowHttp,
    findings: &mut Findings,
) {
    let at = |field: &str| format!("/issuers/{index}/{field}");
    let discovery = file.discovery.unwrap_or(false);
    let sources = [file.jwks_url.is_some(), discovery, file.keys.is_some(), file.secret.is_some()];
    if sources.iter().filter(|there| **there).count() != 1 {
        findings.error(
            format!("/issuers/{index}"),
            "must have exactly one of jwks_url, discovery = true, keys and secret",
        );
    }
    if let Some(secret) = &file.secret {
        let bits = secret.len().saturating_mul(8);
        for algorithm in algorithms.iter().filter(|algorithm| usize::from(algorithm.hash_bits()) > bits) {
            let bytes = algorithm.hash_bits() / 8;
            findings.error(
                at("secret"),
                format!("must be at least {bytes} bytes for {} (RFC 7518, section 3.2)", algorithm.name()),
            );
        }
        return;
    }
    if let Some(jwks) = &file.keys {
        for (position, jwk) in jwks.iter().enumerate() {
            if let Err(why) = PublicKey::parse(jwk) {
                findings.error(
                    format!("/issuers/{index}/keys/{position}"),
                    format!("is no public key that can be used: {why}"),
                );
            }
        }
        return;
    }
    if discovery {
        let base = file.issuer.trim_end_matches('/');
        let url = format!("{base}/.well-known/openid-configuration");
        findings.take(&at("issuer"), document_url(&url, allow_http));
        return;
    }
    if let Some(url) = &file.jwks_url {
        findings.take(&at("jwks_url"), document_url(url, allow_http));
    }
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
