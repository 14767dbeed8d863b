//! What the ledger answers, for people.

use serde_json::Value;

use crate::{
    ending::{Failure, input},
    http::Answered,
    output::plain,
};

/// What the ledger answered, or why it did not.
pub(super) fn read(Answered { status, text, .. }: &Answered) -> Result<Value, Failure> {
    let said: Value = serde_json::from_str(text).unwrap_or_default();
    let error = said.get("error").and_then(Value::as_str);
    match (status, error) {
        (200, None) if said.is_object() => Ok(said),
        (401, _) => Err(input("the gateway does not take this secret: it is that of [operator] secret")),
        (404 | 405, _) => Err(input(
            "no ledger is asked at this path: is [operator] ledger of gateway.toml deployed, and its path the one in --gateway?",
        )),
        (409, Some("revocationsAlive")) => {
            let count = said.get("revocations").and_then(Value::as_u64).unwrap_or_default();
            Err(input(format!(
                "{count} revocations of tokens are alive, and only the ledger knows of them: these tokens would be let in \
                 until they expire. Wait until they have, or say --drop-revocations"
            )))
        }
        (503, Some("off")) => Err(Failure::Store(
            "the ledger is off for another reason: `pointsman directory status` says which".to_owned(),
        )),
        _ => {
            let what = plain(error.unwrap_or_else(|| text.lines().next().unwrap_or_default()));
            Err(Failure::Store(format!("answered {status} {}", what.chars().take(200).collect::<String>())))
        }
    }
}

fn text_of(status: &Value, name: &str) -> String {
    match status.get(name) {
        Some(Value::String(text)) => plain(text),
        Some(other) if !other.is_null() => other.to_string(),
        _ => "-".to_owned(),
    }
}

/// How far a ledger is that goes off.
pub(super) fn progress(status: &Value) -> String {
    let leaving = status.get("leaving").unwrap_or(&Value::Null);
    if leaving.get("providedTold") != Some(&Value::Bool(true)) {
        return format!(
            "KV is being told what the config API said; {} writes wait",
            text_of(status, "outstandingWrites")
        );
    }
    match (status.get("outstandingWrites").and_then(Value::as_u64), status.get("failingWrites")) {
        (Some(0), _) => {
            "KV has been told of everything, and its locations have to show it: 90 seconds".to_owned()
        }
        (_, failing) => format!(
            "{} writes to KV wait, of which {} have failed so far",
            text_of(status, "outstandingWrites"),
            failing.map_or_else(|| "-".to_owned(), Value::to_string)
        ),
    }
}

/// The status for people.
pub(super) fn told(status: &Value) -> Vec<String> {
    let of = |name: &str| text_of(status, name);
    let is_on = status.get("on") == Some(&Value::Bool(true));
    let is_leaving = status.get("leaving").is_some_and(|leaving| !leaving.is_null());
    let complete =
        |name: &str| status.get("complete").and_then(|all| all.get(name)) == Some(&Value::Bool(true));
    let mut told = vec![match (is_on, is_leaving) {
        (true, true) => format!("going off: {}", progress(status)),
        (true, false) => "on".to_owned(),
        _ => format!("off: {}", of("off")),
    }];
    told.push(format!("epoch {}, revision {}", of("epoch"), of("revision")));
    told.push(format!(
        "{} records in {} shards, {} revocations of tokens",
        of("records"),
        of("shards"),
        of("revocations")
    ));
    let known = |name, what| format!("{what} {}", if complete(name) { "complete" } else { "not complete" });
    told.push(format!("{}, {}", known("keys", "keys"), known("customers", "customers")));
    told.push(format!(
        "{} writes to KV wait, of which {} have failed",
        of("outstandingWrites"),
        of("failingWrites")
    ));
    if status.get("refusedRemovals").and_then(Value::as_u64).is_some_and(|refused| refused > 0) {
        told.push(format!(
            "the last pass over KV missed {} entries, too many to be believed: `pointsman directory accept-removals` removes them",
            of("refusedRemovals")
        ));
    }
    told
}
