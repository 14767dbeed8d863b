//! The gateway's own answers: whether it can work at all, for probes; the state of caches and sources,
//! for operators who show the secret; the public keys of identity tokens, for backends. None asks
//! anything of the outside.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    base::{
        digest::Digest,
        json::{json, text},
        record::entry_of,
        refusal::Refusal,
        time::Timestamp,
    },
    decide::request_log::Trace,
    directory::{follower::Follower, log::Complete},
    forward::assertion::Assertions,
    http::{
        answer::Answer,
        head::{Head, PresentFields},
    },
    identity::{
        credential::{field_content, scheme_and_text},
        customer_id::CustomerId,
        jwt::Issuer,
    },
    state::{
        bounds::{Bound, bounds},
        cache::Cache,
        config::Gateway,
        memory::{KeySetMemory, Memory, RefreshCounts, SourceHealth},
    },
};

/// Answers a request for one of the gateway's own paths; `None` for every other.
pub fn answer(
    gateway: &Gateway,
    head: &Head<'_>,
    memory: &Memory,
    now: Timestamp,
    trace: &mut Trace,
) -> Option<Answer> {
    let operator = &gateway.operator;
    let is = |path: &Option<String>| path.as_deref() == Some(head.target.path);
    let key_set = gateway.identity.token.as_ref().filter(|token| is(&token.key_set_path));
    let asked = match (is(&operator.health), is(&operator.status), key_set) {
        (true, ..) => Asked::Health,
        (_, true, _) => Asked::Status,
        (.., Some(token)) => Asked::KeySet(token),
        // Whoever carries requests out asks the ledger before anything is decided; no route ever gets this path.
        _ if is(&operator.ledger) || operator.is_of_api(head.target.path) => {
            return Some(gateway.refuse(Refusal::RouteUnknown, None, None, head));
        }
        _ => return None,
    };
    Some(answer_to(&asked, gateway, head, memory, now, trace))
}

/// Which of the ledger's ends a request is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LedgerCall {
    /// What operators do with the ledger itself. They have shown their secret.
    Operate,
    /// The management API, which asks for a root key.
    Manage,
}

/// Customers that are said to have changed in one call, at most.
pub const MOST_CHANGED: usize = 500;

/// The customers that an operator says have changed: `{"customers":["…"]}`.
///
/// # Errors
/// What is wrong with the text, for the operator.
pub fn changed_customers(json: &str) -> Result<Vec<CustomerId>, String> {
    let form = || "must be an object with the ids of customers: {\"customers\":[\"…\"]}".to_owned();
    let mut members = entry_of(json.as_bytes()).map_err(|_| form())?;
    let Some(Value::Array(ids)) = members.remove("customers").filter(|_| members.is_empty()) else {
        return Err(form());
    };
    if ids.is_empty() || ids.len() > MOST_CHANGED {
        return Err(format!("must name 1 to {MOST_CHANGED} customers"));
    }
    let read = |(at, id): (usize, &Value)| {
        let id = id.as_str().and_then(CustomerId::parse);
        id.ok_or_else(|| format!("/customers/{at} must be 1 to 256 bytes without control characters"))
    };
    let mut ids = ids.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    let mut seen = BTreeSet::new();
    ids.retain(|id| seen.insert(id.as_str().to_owned()));
    Ok(ids)
}

/// Whether a request is for the ledger; `None` where it is for another path. What it asks for, the ledger's end reads.
///
/// # Errors
/// What is answered to whoever has to show the operator's secret and does not.
#[must_use]
pub fn ledger_call(gateway: &Gateway, head: &Head<'_>) -> Option<Result<LedgerCall, Answer>> {
    let operator = &gateway.operator;
    if operator.is_of_api(head.target.path) {
        return Some(Ok(LedgerCall::Manage));
    }
    let is_asked = operator.ledger.as_deref() == Some(head.target.path);
    is_asked.then(|| {
        authorized(operator.secret.as_ref(), head)
            .map(|()| LedgerCall::Operate)
            .map_err(|refusal| gateway.refuse(refusal, None, None, head))
    })
}

/// What the ledger said: JSON.
#[must_use]
pub fn ledger_answer(status: u16, head: &Head<'_>, json: String) -> Answer {
    Answer { body: Some(json + "\n"), ..json_answer(status, head, &Value::Null) }
}

/// What one of the gateway's own paths is for.
enum Asked<'a> {
    Health,
    Status,
    KeySet(&'a Assertions),
}

#[cold]
#[inline(never)]
fn answer_to(
    asked: &Asked<'_>,
    gateway: &Gateway,
    head: &Head<'_>,
    memory: &Memory,
    now: Timestamp,
    trace: &mut Trace,
) -> Answer {
    let name = match asked {
        Asked::Health => "health",
        Asked::Status => "status",
        Asked::KeySet(_) => "jwks",
    };
    trace.route = Some(name.into());
    if !matches!(head.method, "GET" | "HEAD") {
        let mut answer = gateway.refuse(Refusal::MethodNotOnRoute, None, None, head);
        answer.fields.push(("allow", "GET, HEAD".to_owned()));
        return answer;
    }
    match asked {
        Asked::Health => json_answer(200, head, &json!({ "status": "ok" })),
        Asked::KeySet(token) => key_set_answer(head, token),
        Asked::Status => match authorized(gateway.operator.secret.as_ref(), head) {
            Ok(()) => json_answer(200, head, &state(gateway, memory, now)),
            Err(refusal) => gateway.refuse(refusal, None, None, head),
        },
    }
}

/// Whether the request shows the operator's secret. Digests are compared, so that the time this takes
/// says nothing of the secret.
fn authorized(secret: Option<&Digest>, head: &Head<'_>) -> Result<(), Refusal> {
    let shown =
        head.field(PresentFields::AUTHORIZATION, "authorization").ok_or(Refusal::CredentialMissing)?;
    let (scheme, token) = scheme_and_text(field_content(&shown)).ok_or(Refusal::OperatorSecret)?;
    let right = secret.is_some_and(|secret| Digest::of(token.as_bytes()) == *secret);
    if right && scheme.eq_ignore_ascii_case("bearer") { Ok(()) } else { Err(Refusal::OperatorSecret) }
}

/// A document for an operator.
#[must_use]
pub fn json_answer(status: u16, head: &Head<'_>, body: &Value) -> Answer {
    Answer {
        status,
        fields: vec![
            ("content-type", "application/json".to_owned()),
            ("cache-control", "no-store".to_owned()),
            ("x-request-id", head.request_id.to_owned()),
        ],
        body: Some(text(body) + "\n"),
        refusal: None,
    }
}

/// Public, and the same for everybody: backends and whatever stands before them may keep it. A key is
/// published for longer than this before it signs.
fn key_set_answer(head: &Head<'_>, token: &Assertions) -> Answer {
    Answer {
        status: 200,
        fields: vec![
            ("content-type", "application/jwk-set+json".to_owned()),
            ("cache-control", "public, max-age=300".to_owned()),
            ("x-request-id", head.request_id.to_owned()),
        ],
        body: Some(format!("{}\n", token.key_set())),
        refusal: None,
    }
}

fn state(gateway: &Gateway, memory: &Memory, now: Timestamp) -> Value {
    let issuers = gateway.issuers.iter().zip(&memory.key_sets).filter(|(issuer, _)| issuer.keys.is_remote());
    let issuers: Vec<_> = issuers.map(|(issuer, known)| issuer_state(issuer, known, now)).collect();
    let circuits: Vec<_> = memory
        .origins
        .open(now)
        .into_iter()
        .map(|(name, until)| {
            let (backend, origin) = name.split_once('\n').unwrap_or(("", &name));
            json!({ "backend": backend, "origin": origin, "until": until.to_string() })
        })
        .collect();
    let source = gateway.customers.as_ref().and_then(|customers| customers.source.as_ref());
    let config_api = source.map(|source| {
        json!({
            "form": if source.by_id { "by_id" } else { "list" },
            "asked": asked(&memory.config_api_health),
            "scheduled_refresh": memory.roster_state.as_ref().map(|(_, state)| state),
        })
    });
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "configuration": gateway.version,
        "time": now.to_string(),
        "isolate": {
            "caches": {
                "api_keys": cache(&memory.keys),
                "customers": cache(&memory.customers),
                "tokens": cache(&memory.tokens),
            },
            "background_refreshes": {
                "api_keys": refreshes(memory.refreshes.keys),
                "customers": refreshes(memory.refreshes.customers),
                "key_sets": refreshes(memory.refreshes.key_sets),
                "introspected_tokens": refreshes(memory.refreshes.tokens),
            },
            "kv": asked(&memory.store_health),
            "config_api": config_api,
            "issuers": issuers,
            "open_circuits": circuits,
            "directory": memory.directory.as_ref().map(|directory| directory_state(&directory.follower, now)),
        },
        "bounds": bounds(gateway, memory.hears()).iter().map(Bound::to_json).collect::<Vec<_>>(),
    })
}

/// How the isolate follows the directory. What stands in it is told to nobody.
fn directory_state(follower: &Follower, now: Timestamp) -> Value {
    let Complete { keys, customers } = follower.complete();
    let (loaded, shards) = follower.loaded();
    let known_at = follower.known_at();
    json!({
        "epoch": known_at.map(|_| follower.epoch().to_string()),
        "revision": follower.revision(),
        "as_of": instant(known_at.map(|_| follower.as_of())),
        "age_ms": known_at.map(|at| now.since(at).millis()),
        "complete": { "api_keys": keys, "customers": customers },
        "shards": { "loaded": loaded, "named": shards },
        "bytes": follower.weight(),
        "budget": follower.follow().budget,
        "changes": follower.pending_changes(),
        "failed_polls_in_a_row": follower.failures(),
        "clock_ahead_ms": follower.clock_ahead().map_or(Value::Null, Value::from),
    })
}

fn issuer_state(issuer: &Issuer, known: &KeySetMemory, now: Timestamp) -> Value {
    let (failures, retry_at) = known.set.failures();
    let as_of = known.set.peek_as_of();
    json!({
        "name": issuer.name,
        "asked": asked(&known.health),
        "keys": known.set.peek().map(|set| set.usable()),
        "state": as_of.map(|at| issuer.policy.lifetimes.state(now.since(at)).as_str()),
        "as_of": instant(as_of),
        "failures_in_a_row": failures,
        "retry_at": instant((retry_at > now).then_some(retry_at)),
    })
}

fn cache<T>(cache: &Cache<T>) -> Value {
    let counts = cache.counts();
    let asked = counts.hits.saturating_add(counts.misses);
    #[allow(clippy::cast_precision_loss)] // a ratio for people
    let ratio = (asked > 0).then(|| counts.hits as f64 / asked as f64);
    json!({
        "entries": cache.len(),
        "bytes": cache.weight(),
        "budget": cache.budget(),
        "hits": counts.hits,
        "misses": counts.misses,
        "hit_ratio": ratio,
        "failed_loads": counts.failures,
    })
}

fn refreshes(counts: RefreshCounts) -> Value {
    let RefreshCounts { ran, failed, dropped } = counts;
    json!({ "ran": ran, "failed": failed, "dropped": dropped })
}

fn asked(health: &SourceHealth) -> Value {
    let error =
        health.error.as_ref().map(|(at, message)| json!({ "time": at.to_string(), "message": message }));
    json!({ "answered_at": instant(health.answered_at), "last_error": error })
}

fn instant(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| Value::from(at.to_string()))
}
