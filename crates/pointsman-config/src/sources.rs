//! The parts of a configuration that say where records come from, how long they are used, and what the
//! gateway tells of it: the store, customers and their config API, memory, operators.

use pointsman_checked::{MAX_SOURCE_TIMEOUT, MAX_STORE_TIMEOUT};
use pointsman_core::{
    base::{
        time::Span,
        units::{parse_share, parse_size},
    },
    customer::backend_url::{AllowHttp, document_url, is_binding},
    state::config::{Budgets, DirectorySettings},
};
use serde_json::{Value, json};

use super::{
    file::{CustomersFile, DirectoryFile, LeakedKeysFile, MemoryFile, OperatorFile, SourceFile, StoreFile},
    findings::Findings,
    identities::claim_path,
    lifetimes, read_span, read_timeout, timeout as any_timeout,
};

const FIVE_MINUTES: Span = Span::from_secs(300);
const DAY: Span = Span::from_secs(86_400);
const DEFAULT_STORE_TIMEOUT: Span = Span::from_secs(3);

const DEFAULT_MAX_SIZE: u64 = 8 << 20;
/// Twice this fits an isolate: while a list is refreshed, the old one is still held.
const LARGEST_MAX_SIZE: u64 = 32 << 20;

pub(super) fn back_off(text: Option<&str>, pointer: &str, findings: &mut Findings) -> Value {
    any_timeout(text, Span::from_secs(1), pointer, findings)
}

/// The timeout of a source.
pub(super) fn timeout(text: Option<&str>, default: Span, pointer: &str, findings: &mut Findings) -> Value {
    at_most(text, default, MAX_SOURCE_TIMEOUT, pointer, findings)
}

pub(super) fn store_timeout(file: Option<&StoreFile>, findings: &mut Findings) -> Value {
    let text = file.and_then(|file| file.timeout.as_deref());
    at_most(text, DEFAULT_STORE_TIMEOUT, MAX_STORE_TIMEOUT, "/store/timeout", findings)
}

fn at_most(text: Option<&str>, default: Span, most: Span, pointer: &str, findings: &mut Findings) -> Value {
    let timeout = read_timeout(text, default, pointer, findings);
    if timeout > most {
        findings
            .error(pointer, format!("must be at most {most}: work behind a response ends after 30 seconds"));
    }
    findings.write(pointer, timeout.millis())
}

pub(super) fn customers(file: &CustomersFile, allow_http: AllowHttp, findings: &mut Findings) -> Value {
    let claim = file.claim.as_deref().unwrap_or("customerId");
    let written = (file.fresh.as_deref(), file.stale.as_deref());
    let (fresh, stale) = lifetimes(written, (FIVE_MINUTES, DAY), "/customers", findings);
    json!({
        "claim": claim_path(claim, "/customers/claim", findings),
        "fresh": fresh,
        "stale": stale,
        "back_off": back_off(file.back_off.as_deref(), "/customers/back_off", findings),
        "source": file.source.as_ref().map(|source| config_source(source, allow_http, findings)),
        "isolate_answers": file.isolate_answers.unwrap_or(true),
        "networks": networks(file.networks.as_deref().unwrap_or_default(), findings),
    })
}

/// The private networks that records may name.
fn networks<'a>(names: &'a [String], findings: &mut Findings) -> &'a [String] {
    for (index, name) in names.iter().enumerate() {
        if !is_binding(name) {
            let what = "must be the name of a binding in wrangler.toml, without \"vpc:\"";
            findings.error(format!("/customers/networks/{index}"), what);
        }
    }
    names
}

fn config_source(file: &SourceFile, allow_http: AllowHttp, findings: &mut Findings) -> Value {
    let by_id = file.by_id.unwrap_or(false);
    let url = findings.take("/customers/source/url", document_url(&file.url, allow_http)).unwrap_or_default();
    if by_id && url.contains('?') {
        findings.error(
            "/customers/source/url",
            "must have no query with by_id = true: the id is appended to the path",
        );
    }
    let token_is_plain = file
        .token
        .as_ref()
        .is_none_or(|token| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
    if !token_is_plain {
        findings.error(
            "/customers/source/token",
            "must be visible ASCII without spaces: it is sent as a bearer token",
        );
    }
    let max_size = size(
        file.max_size.as_deref(),
        DEFAULT_MAX_SIZE,
        1..=LARGEST_MAX_SIZE,
        "/customers/source/max_size",
        findings,
    );
    json!({
        "url": findings.write("/customers/source/url", file.url.as_str()),
        "token": file.token.as_deref().map(|token| findings.write("/customers/source/token", token)),
        "timeout": timeout(file.timeout.as_deref(), Span::from_secs(10), "/customers/source/timeout", findings),
        "by_id": by_id,
        "announced": announced(file, findings),
        "max_size": max_size,
        "max_removed": percent(file.max_removed.as_deref(), 20, "/customers/source/max_removed", findings),
    })
}

/// Whether the provider says which customers changed.
fn announced(file: &SourceFile, findings: &mut Findings) -> bool {
    let at = "/customers/source/changes";
    match file.changes.as_deref() {
        None | Some("unannounced") => false,
        Some("announced") if file.by_id != Some(true) => {
            findings.error(at, "is only for by_id = true: a list says itself what changed");
            false
        }
        Some("announced") => true,
        Some(_) => {
            findings.error(at, "must be \"announced\" or \"unannounced\"");
            false
        }
    }
}

pub(super) fn directory(file: Option<&DirectoryFile>, findings: &mut Findings) -> Value {
    let usual = DirectoryFile::default();
    let file = file.unwrap_or(&usual);
    let at = "/directory/max_staleness";
    let max_staleness = read_span(file.max_staleness.as_deref(), Span::from_secs(10), at, findings);
    let (shortest, longest) = (DirectorySettings::SHORTEST, DirectorySettings::LONGEST);
    if !(shortest..=longest).contains(&max_staleness) {
        findings.error(at, format!("must be from {shortest} to {longest}"));
    }
    let on_failure = file.on_failure.as_deref().unwrap_or("open");
    if !["open", "closed"].contains(&on_failure) {
        findings.error("/directory/on_failure", "must be \"open\" or \"closed\"");
    }
    if let Some(region) = file.region.as_deref().filter(|region| !DirectorySettings::REGIONS.contains(region))
    {
        let known = DirectorySettings::REGIONS.join(", ");
        findings
            .error("/directory/region", format!("{region:?} is no location hint; expected one of {known}"));
    }
    let sizes = Budgets::SMALLEST..=DirectorySettings::LARGEST;
    json!({
        "max_staleness": findings.write(at, max_staleness.millis()),
        "on_failure": findings.write("/directory/on_failure", on_failure),
        "memory": size(file.memory.as_deref(), 32 << 20, sizes, "/directory/memory", findings),
        "region": file.region.as_deref().map(|region| findings.write("/directory/region", region)),
    })
}

pub(super) fn budgets(file: Option<&MemoryFile>, findings: &mut Findings) -> Value {
    let usual = Budgets::default();
    let mut budget = |text: Option<&String>, default, pointer| {
        size(text.map(String::as_str), default, Budgets::SMALLEST..=Budgets::LARGEST, pointer, findings)
    };
    json!({
        "keys": budget(file.and_then(|file| file.keys.as_ref()), usual.keys, "/memory/keys"),
        "customers": budget(file.and_then(|file| file.customers.as_ref()), usual.customers, "/memory/customers"),
        "tokens": budget(file.and_then(|file| file.tokens.as_ref()), usual.tokens, "/memory/tokens"),
    })
}

/// Whether the gateway can answer at this path itself: it is compared with what was sent, byte for byte.
pub(super) fn is_own_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    path.starts_with('/') && path.len() > 1 && path.bytes().all(plain)
}

/// Whether the secret is one that was minted, the Worker's own reading says: a warning, since a secret that is set wrongly
/// shuts what operators ask, and costs no caller an answer.
pub(super) fn operator(file: Option<&OperatorFile>, allow_http: AllowHttp, findings: &mut Findings) -> Value {
    let Some(file) = file else { return json!({}) };
    let paths = [
        (&file.health, "/operator/health"),
        (&file.status, "/operator/status"),
        (&file.ledger, "/operator/ledger"),
        (&file.api, "/operator/api"),
    ];
    for (path, pointer) in paths {
        if path.as_ref().is_some_and(|path| !is_own_path(path)) {
            findings.error(
                pointer,
                "must be a path such as \"/healthz\": letters, digits and -_.~ between slashes",
            );
        }
    }
    if file.health.is_some() && file.health == file.status {
        findings.error("/operator/status", "must be another path than that of health");
    }
    if file.ledger.is_some() && [&file.health, &file.status].contains(&&file.ledger) {
        findings.error("/operator/ledger", "must be another path than those of health and status");
    }
    if let Some(api) = &file.api {
        let is_within = |path: &&String| **path == *api || path.starts_with(&format!("{api}/"));
        if [&file.health, &file.status, &file.ledger].into_iter().flatten().any(|path| is_within(&path)) {
            findings.error("/operator/api", "must be a path that no other of [operator] is at or below");
        }
        if api.ends_with('/') {
            findings.error(
                "/operator/api",
                "must not end in a slash: everything below it is the management API's",
            );
        }
    }
    if (file.status.is_some() || file.ledger.is_some()) && file.secret.is_none() {
        let what = "must be set where there is a status or a ledger: they are for operators alone";
        findings.error("/operator/secret", what);
    }
    json!({
        "health": file.health,
        "status": file.status,
        "ledger": file.ledger,
        "api": file.api,
        "secret": file.secret.as_deref().map(|secret| findings.write("/operator/secret", secret)),
        "leaked_keys": file.leaked_keys.as_ref().map(|own| leaked_keys(own, file.api.is_some(), allow_http, findings)),
    })
}

/// Where GitHub has the public keys of its secret scanning.
const GITHUB_KEYS: &str = "https://api.github.com/meta/public_keys/secret_scanning";

fn leaked_keys(
    file: &LeakedKeysFile,
    has_api: bool,
    allow_http: AllowHttp,
    findings: &mut Findings,
) -> Value {
    if !has_api {
        findings.error("/operator/leaked_keys", "needs the management API, where keys are reported: set api");
    }
    let action = file.action.as_deref().unwrap_or("revoke");
    if !["revoke", "mark"].contains(&action) {
        findings.error("/operator/leaked_keys/action", "must be \"revoke\" or \"mark\"");
    }
    let github = file.github.unwrap_or_default();
    let at = "/operator/leaked_keys/github_keys_url";
    if file.github_keys_url.is_some() && !github {
        findings.error(at, "is read only with github = true");
    }
    let url = file.github_keys_url.as_deref().unwrap_or(GITHUB_KEYS);
    findings.take(at, document_url(url, allow_http));
    json!({
        "action": action,
        "github": github,
        "github_keys_url": findings.write(at, url),
    })
}

/// Reads a size in bytes: a whole number and `KB` or `MB` (powers of 1024), or takes the default.
pub(super) fn size(
    text: Option<&str>,
    default: u64,
    allowed: std::ops::RangeInclusive<u64>,
    pointer: &str,
    findings: &mut Findings,
) -> Value {
    let Some(text) = text else { return default.into() };
    let bytes = parse_size(text).filter(|bytes| allowed.contains(bytes)).unwrap_or_else(|| {
        let (least, most) = (allowed.start().div_ceil(1 << 10), allowed.end() >> 20);
        findings.error(pointer, format!("must be a size from {least}KB to {most}MB, such as 512KB or 16MB"));
        default
    });
    findings.write(pointer, bytes)
}

/// Reads a share of a hundred, `0%` to `100%`, or takes the default.
pub(super) fn percent(text: Option<&str>, default: u8, pointer: &str, findings: &mut Findings) -> Value {
    let Some(text) = text else { return default.into() };
    let share = parse_share(text).unwrap_or_else(|| {
        findings.error(pointer, "must be a share such as 20%");
        default
    });
    findings.write(pointer, share)
}
