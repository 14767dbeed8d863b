//! Where records come from, how long they are used, and what operators ask.

use pointsman_core::{
    base::{
        digest::Digest,
        freshness::{BackOff, Lifetimes, Policy},
        json::text,
        time::Span,
    },
    customer::backend_url::{AllowHttp, document_url},
    directory::{follower::Follow, pace::Pace},
    identity::{claims::ClaimPath, operator_secret::is_minted},
    state::config::{Budgets, ConfigSource, Customers, DirectorySettings, KeyRing, Operator},
};

use super::{
    node::{Fault, Node, Read, fault},
    variables::SECRET_PLACEHOLDER,
};

/// What runs behind a response ends 30 seconds after it (Workers, `waitUntil`): two calls of the store
/// and one of a source must fit, or a slow source would never be refreshed at all.
pub const MAX_SOURCE_TIMEOUT: Span = Span::from_secs(20);
/// As [`MAX_SOURCE_TIMEOUT`], for one call of the store.
pub const MAX_STORE_TIMEOUT: Span = Span::from_secs(5);
/// Beyond the timeouts of what a load asks: for reading what was answered.
const LEASE_MARGIN: Span = Span::from_secs(1);

/// How long a load that makes these calls one after the other can take.
fn lease(timeouts: &[Span]) -> Span {
    timeouts.iter().fold(LEASE_MARGIN, |sum, timeout| sum.plus(*timeout))
}

/// How records are kept and loaded: `lifetimes` of `fresh` and `stale`, and calls with these timeouts.
#[inline(never)]
pub(super) fn policy(
    node: Node<'_>,
    lifetimes: fn(Span, Span) -> Lifetimes,
    timeouts: &[Span],
) -> Read<Policy> {
    let (fresh, stale) = (node.read("fresh", Node::span)?, node.read("stale", Node::span)?);
    let first = node.read("back_off", |node| node.timeout(Span::from_millis(u64::MAX)))?;
    Ok(Policy { lifetimes: lifetimes(fresh, stale), lease: lease(timeouts), back_off: BackOff { first } })
}

pub(super) fn claim_path(node: Node<'_>) -> Read<ClaimPath> {
    node.known("must be a claim's name, or a JSON Pointer that begins with /", ClaimPath::parse)
}

#[inline(never)]
pub(super) fn customers(node: Node<'_>, allow_http: AllowHttp, store_timeout: Span) -> Read<Customers> {
    let source = node.option("source", |node| config_source(node, allow_http))?;
    let source_timeout = source.as_ref().map_or(Span::default(), |source| source.timeout);
    Ok(Customers {
        claim: node.read("claim", claim_path)?,
        policy: policy(node, Lifetimes::swift, &[store_timeout, store_timeout, source_timeout])?,
        source,
        isolate_answers: node.read("isolate_answers", Node::flag)?,
        networks: node.strings("networks")?,
        secret_fields: node.strings("secret_fields")?,
        // Each is looked at when it is first used: a wrong one must not shut out callers who need none.
        key_ring: node.option("key_ring", |node| Ok(KeyRing(text(node.0))))?,
    })
}

#[inline(never)]
fn config_source(node: Node<'_>, allow_http: AllowHttp) -> Read<ConfigSource> {
    let by_id = node.read("by_id", Node::flag)?;
    let url = node.read("url", |node| {
        let url = node.parsed(|text| document_url(text, allow_http))?;
        if by_id && url.contains('?') {
            return fault("must have no query with by_id = true: the id is appended to the path");
        }
        Ok(url)
    })?;
    let is_token = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let wanted = "must be visible ASCII without spaces: it is sent as a bearer token";
    let token = |node: Node<'_>| node.known(wanted, |token| is_token(token).then(|| token.to_owned()));
    Ok(ConfigSource {
        url: url.trim_end_matches('/').to_owned(),
        token: node.option("token", token)?,
        timeout: node.read("timeout", |node| node.timeout(MAX_SOURCE_TIMEOUT))?,
        by_id,
        announced: node.option("announced", Node::flag)?.unwrap_or_default(),
        max_size: node.read("max_size", |node| node.size(1, 32 << 20))?.try_into().unwrap_or(usize::MAX),
        max_removed: node.read("max_removed", Node::share)?,
    })
}

#[inline(never)]
pub(super) fn budgets(node: Node<'_>) -> Read<Budgets> {
    let budget = |name| node.read(name, |node| node.size(Budgets::SMALLEST, Budgets::LARGEST));
    Ok(Budgets { keys: budget("keys")?, customers: budget("customers")?, tokens: budget("tokens")? })
}

#[inline(never)]
pub(super) fn directory(node: Node<'_>) -> Read<DirectorySettings> {
    let max_staleness = node.read("max_staleness", |node| node.timeout(DirectorySettings::LONGEST))?;
    if max_staleness < DirectorySettings::SHORTEST {
        return fault("max_staleness must be 5s at least");
    }
    let open = |text: &str| match text {
        "open" => Some(true),
        "closed" => Some(false),
        _ => None,
    };
    let budget = node.read("memory", |node| node.size(Budgets::SMALLEST, DirectorySettings::LARGEST))?;
    let region = |text: &str| DirectorySettings::REGIONS.contains(&text).then(|| text.to_owned());
    Ok(DirectorySettings {
        follow: Follow {
            pace: Pace::new(max_staleness),
            budget: budget.try_into().unwrap_or(usize::MAX),
            open: node.read("on_failure", |node| node.known("must be \"open\" or \"closed\"", open))?,
        },
        region: node
            .option("region", |node| node.known("must be a location hint of Durable Objects", region))?,
    })
}

/// A secret that is set wrongly shuts what operators ask, and costs no caller an answer. Only a check meets the placeholder,
/// of a secret that the deployed Worker alone knows.
#[inline(never)]
pub(super) fn operator(node: Node<'_>, shut: &mut Vec<Fault>) -> Read<Operator> {
    let secret = node.option("secret", Node::text)?;
    let usable = secret.filter(|secret| *secret == SECRET_PLACEHOLDER || is_minted(secret));
    if secret.is_some() && usable.is_none() {
        let what = "is none that `pointsman secret create` made: the gateway shows no status and explains nothing until it is";
        shut.push(Fault { pointer: "/operator/secret".to_owned(), what: what.into() });
    }
    Ok(Operator {
        health: node.option("health", Node::string)?,
        status: node.option("status", Node::string)?,
        ledger: node.option("ledger", Node::string)?,
        api: node.option("api", Node::string)?,
        secret: usable.map(|secret| Digest::of(secret.as_bytes())),
    })
}
