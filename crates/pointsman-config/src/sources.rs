//! The parts of a configuration that say where records come from, how long they are used, and what the
//! gateway tells of it: the store, customers and their config API, memory, operators.

use pointsman_core::{
    base::{
        digest::Digest,
        freshness::{BackOff, Lifetimes, Policy},
        time::Span,
    },
    customer::backend_url::{AllowHttp, document_url},
    identity::operator_secret::is_minted,
    state::config::{Budgets, ConfigSource, Customers, Operator},
};

use super::{
    file::{CustomersFile, MemoryFile, OperatorFile, SourceFile, StoreFile},
    findings::Findings,
    identities::claim_path,
    span, timeout as any_timeout,
    variables::SECRET_PLACEHOLDER,
};

const FIVE_MINUTES: Span = Span::from_secs(300);
const DAY: Span = Span::from_secs(86_400);

/// What runs behind a response ends 30 seconds after it (Workers, `waitUntil`): two calls of the store
/// and one of a source must fit, or a slow source would never be refreshed at all.
const MAX_SOURCE_TIMEOUT: Span = Span::from_secs(20);
const MAX_STORE_TIMEOUT: Span = Span::from_secs(5);
const DEFAULT_STORE_TIMEOUT: Span = Span::from_secs(3);
/// Beyond the timeouts of what a load asks: for reading what was answered.
const LEASE_MARGIN: Span = Span::from_secs(1);

const DEFAULT_MAX_SIZE: u64 = 8 << 20;
/// Twice this fits an isolate: while a list is refreshed, the old one is still held.
const LARGEST_MAX_SIZE: u64 = 32 << 20;
/// A cache smaller than this could not hold what one request needs.
const SMALLEST_BUDGET: u64 = 64 << 10;
const LARGEST_BUDGET: u64 = 64 << 20;

/// How long a load that makes these calls one after the other can take.
pub(super) fn lease(timeouts: &[Span]) -> Span {
    timeouts.iter().fold(LEASE_MARGIN, |sum, timeout| sum.plus(*timeout))
}

pub(super) fn back_off(text: Option<&str>, pointer: &str, findings: &mut Findings) -> BackOff {
    BackOff { first: any_timeout(text, Span::from_secs(1), pointer, findings) }
}

/// The timeout of a source.
pub(super) fn timeout(text: Option<&str>, default: Span, pointer: &str, findings: &mut Findings) -> Span {
    at_most(any_timeout(text, default, pointer, findings), MAX_SOURCE_TIMEOUT, pointer, findings)
}

pub(super) fn store_timeout(file: Option<&StoreFile>, findings: &mut Findings) -> Span {
    let text = file.and_then(|file| file.timeout.as_deref());
    let timeout = any_timeout(text, DEFAULT_STORE_TIMEOUT, "/store/timeout", findings);
    at_most(timeout, MAX_STORE_TIMEOUT, "/store/timeout", findings)
}

fn at_most(timeout: Span, most: Span, pointer: &str, findings: &mut Findings) -> Span {
    if timeout > most {
        findings
            .error(pointer, format!("must be at most {most}: work behind a response ends after 30 seconds"));
    }
    timeout.min(most)
}

#[inline(never)]
pub(super) fn customers(
    file: &CustomersFile,
    allow_http: AllowHttp,
    store_timeout: Span,
    findings: &mut Findings,
) -> Customers {
    let claim = file.claim.as_deref().unwrap_or("customerId");
    let fresh = span(file.fresh.as_deref(), FIVE_MINUTES, "/customers/fresh", findings);
    let stale = span(file.stale.as_deref(), DAY, "/customers/stale", findings);
    let source = file.source.as_ref().map(|source| config_source(source, allow_http, findings));
    let source_timeout = source.as_ref().map_or(Span::default(), |source| source.timeout);
    let policy = Policy {
        lifetimes: Lifetimes::swift(fresh, stale),
        lease: lease(&[store_timeout, store_timeout, source_timeout]),
        back_off: back_off(file.back_off.as_deref(), "/customers/back_off", findings),
    };
    let isolate_answers = file.isolate_answers.unwrap_or(true);
    Customers { claim: claim_path(claim, "/customers/claim", findings), policy, source, isolate_answers }
}

#[inline(never)]
fn config_source(file: &SourceFile, allow_http: AllowHttp, findings: &mut Findings) -> ConfigSource {
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
    ConfigSource {
        url: url.trim_end_matches('/').to_owned(),
        token: file.token.clone(),
        timeout: timeout(file.timeout.as_deref(), Span::from_secs(10), "/customers/source/timeout", findings),
        by_id,
        max_size: usize::try_from(max_size).unwrap_or(usize::MAX),
        max_removed: percent(file.max_removed.as_deref(), 20, "/customers/source/max_removed", findings),
    }
}

#[inline(never)]
pub(super) fn budgets(file: Option<&MemoryFile>, findings: &mut Findings) -> Budgets {
    let Some(file) = file else { return Budgets::default() };
    let Budgets { keys, customers, tokens } = Budgets::default();
    let mut budget = |text: &Option<String>, default, pointer| {
        size(text.as_deref(), default, SMALLEST_BUDGET..=LARGEST_BUDGET, pointer, findings)
    };
    Budgets {
        keys: budget(&file.keys, keys, "/memory/keys"),
        customers: budget(&file.customers, customers, "/memory/customers"),
        tokens: budget(&file.tokens, tokens, "/memory/tokens"),
    }
}

/// Whether the gateway can answer at this path itself: it is compared with what was sent, byte for byte.
pub(super) fn is_own_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    path.starts_with('/') && path.len() > 1 && path.bytes().all(plain)
}

#[inline(never)]
pub(super) fn operator(file: Option<&OperatorFile>, findings: &mut Findings) -> Operator {
    let Some(file) = file else { return Operator::default() };
    for (path, pointer) in [(&file.health, "/operator/health"), (&file.status, "/operator/status")] {
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
    if file.status.is_some() && file.secret.is_none() {
        findings.error("/operator/secret", "must be set where there is a status: it is for operators alone");
    }
    // Only a check meets the placeholder, of a secret that the deployed Worker alone knows.
    let usable = |secret: &&String| *secret == SECRET_PLACEHOLDER || is_minted(secret);
    let secret = file.secret.as_ref().filter(usable);
    if file.secret.is_some() && secret.is_none() {
        // A warning: a secret that is set wrongly shuts what operators ask, and costs no caller an answer.
        findings.warn(
            "/operator/secret",
            "is none that `pointsman secret create` made: the gateway shows no status and explains nothing until it is",
        );
    }
    Operator {
        health: file.health.clone(),
        status: file.status.clone(),
        secret: secret.map(|secret| Digest::of(secret.as_bytes())),
    }
}

/// Reads a size in bytes: a whole number and `KB` or `MB` (powers of 1024), or takes the default.
pub(super) fn size(
    text: Option<&str>,
    default: u64,
    allowed: std::ops::RangeInclusive<u64>,
    pointer: &str,
    findings: &mut Findings,
) -> u64 {
    let Some(text) = text else { return default };
    let (digits, unit) = match (text.strip_suffix("KB"), text.strip_suffix("MB")) {
        (Some(digits), _) => (digits, 1 << 10),
        (_, Some(digits)) => (digits, 1 << 20),
        (None, None) => ("", 0),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let bytes = digits.parse::<u64>().ok().filter(|_| plain).and_then(|number| number.checked_mul(unit));
    match bytes.filter(|bytes| allowed.contains(bytes)) {
        Some(bytes) => bytes,
        None => {
            let (least, most) = (allowed.start().div_ceil(1 << 10), allowed.end() >> 20);
            findings
                .error(pointer, format!("must be a size from {least}KB to {most}MB, such as 512KB or 16MB"));
            default
        }
    }
}

/// Reads a share of a hundred, `0%` to `100%`, or takes the default.
pub(super) fn percent(text: Option<&str>, default: u8, pointer: &str, findings: &mut Findings) -> u8 {
    let Some(text) = text else { return default };
    let digits = text.strip_suffix('%').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).filter(|share| *share <= 100).unwrap_or_else(|| {
        findings.error(pointer, "must be a share such as 20%");
        default
    })
}
